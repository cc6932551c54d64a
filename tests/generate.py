"""Makes the generated pages of ``docs/`` anew: ``make docs``, which is ``python -m tests.generate``.

Each page has a command of its own, and a test that says when the page is behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

PRINTED = {
    "docs/configuration.md": ("ecs_sync.config", "reference"),
    "docs/cli.md": ("ecs_sync.cli.reference",),
    "docs/schemas/output.json": ("ecs_sync.render.schema",),
}
"""Pages, and the module with its arguments that prints each."""

WRITTEN = ("tests.decisions.generate",)
"""Modules that write their page themselves: the decision table is a page and a file of the tests."""


def main() -> None:
    """A page is replaced only where its command succeeds."""
    for page, (module, *arguments) in PRINTED.items():
        _replace(ROOT / page, _run(module, *arguments))
    for module in WRITTEN:
        _run(module)


def _run(module: str, *arguments: str) -> bytes:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def _replace(page: Path, text: bytes) -> None:
    changed = not page.exists() or page.read_bytes() != text
    if changed:
        page.write_bytes(text)
    print(f"{page.relative_to(ROOT)}: {'made anew' if changed else 'as it was'}")


if __name__ == "__main__":
    main()
