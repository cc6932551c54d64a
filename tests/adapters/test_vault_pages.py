"""What the pages of the Vault adapters show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.calls_vault import counts

from tests.adapters.vault_sandbox import server

DOCS = Path(__file__).parents[2] / "docs/providers"


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    with server():
        pass


@pytest.mark.parametrize("name", ["vault-kv1", "vault-kv2"])
def test_the_example_prints_what_the_page_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [expected] = re.findall(r"^# (.*)$", code, re.MULTILINE)
    exec(code, {})
    assert capsys.readouterr().out.strip() == expected


@pytest.mark.parametrize("version", [1, 2])
def test_the_calls_are_those_of_the_page(version: int) -> None:
    text = (DOCS / f"vault-kv{version}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (\w[^|]*?) \| ([0-9]+) \| ([0-9]+) \|", text, re.MULTILINE)
    assert len(shown) >= 4
    counted = {row.what: (row.calls.total(), row.least) for row in counts(version, 200, 50, 20)}
    for what, calls, least in shown:
        [found] = [
            row for name, row in counted.items() if name.startswith(what.partition(";")[0].partition(",")[0])
        ]
        assert found == (int(calls), int(least)), what
