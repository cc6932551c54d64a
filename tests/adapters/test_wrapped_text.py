"""What no provider wrapped is refused by each without being shown: it may be a key in the clear."""

from __future__ import annotations

import traceback

import pytest

from ecs_sync.abilities import Wraps
from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_adapters.azure_keyvault import KeyVaultAdapter, KeyVaultOptions
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultOptions

CANARY = "canary0c7e5b19"
KEEPERS: dict[str, Wraps] = {
    "aws-kms": SsmAdapter(SsmOptions("eu-west-1", credential="default")),
    "azure-rsa-oaep-256": KeyVaultAdapter(KeyVaultOptions("https://acme.vault.azure.net")),
    "vault-transit": VaultKv2Adapter(VaultOptions(url="https://vault.example", auth="token", token="t")),
}


@pytest.mark.parametrize("scheme", KEEPERS)
@pytest.mark.parametrize(
    ("wrapped", "told"),
    [
        (CANARY, "is no wrapped key"),
        (f"{CANARY}+Zm9v:", "is no wrapped key"),
        (f"\xff{CANARY} :y", "is no wrapped key"),
        (f"elsewhere-kms:{CANARY}", "wrapped with elsewhere-kms, and this connection unwraps {scheme}"),
        (f"{{scheme}}:{CANARY}!", "damaged"),
    ],
)
def test_what_it_did_not_wrap_is_refused_and_never_quoted(scheme: str, wrapped: str, told: str) -> None:
    with pytest.raises(Rejected, match=told.format(scheme=scheme)) as caught:
        KEEPERS[scheme].unwrap("acme", wrapped.format(scheme=scheme).encode())
    assert CANARY not in "".join(traceback.format_exception(caught.value))
