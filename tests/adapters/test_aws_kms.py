"""What is no key that KMS wrapped is refused without being shown."""

from __future__ import annotations

import traceback

import pytest

from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions

CANARY = "canary0c7e5b19"


@pytest.mark.parametrize(
    ("wrapped", "told"),
    [
        (CANARY, "wrapped with something else"),
        (f"{CANARY}+Zm9v:", "wrapped with something else"),
        (f"elsewhere-kms:{CANARY}", "wrapped with elsewhere-kms"),
        (f"aws-kms:{CANARY}!", "damaged"),
    ],
)
def test_what_kms_did_not_wrap_is_refused_and_never_quoted(wrapped: str, told: str) -> None:
    adapter = SsmAdapter(SsmOptions("eu-west-1", credential="default"))
    with pytest.raises(Rejected, match=told) as caught:
        adapter.unwrap("alias/acme", wrapped.encode())
    assert CANARY not in "".join(traceback.format_exception(caught.value))
