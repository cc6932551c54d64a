"""Keys wrapped by the transit engine of Vault or OpenBao, through the session of a KV adapter.

https://openbao.org/api-docs/secret/transit/: the ciphertext names the version of the key that made it, so
a rotated key still unwraps. To encrypt with the name of no key makes such a key where the policy allows
`create`; therefore the key is looked at first, where the policy allows to, and else `update` is enough.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import Any

from hvac.api.secrets_engines import Transit

from ecs_sync.errors import AdapterError, Rejected
from ecs_sync_adapters.failure_kind import Kind, reading_error
from ecs_sync_adapters.vault_session import Session
from ecs_sync_adapters.vault_wire import Answer, Failure, Wire
from ecs_sync_adapters.wrapped_text import unmarked

SCHEME = "vault-transit"

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_CIPHERTEXT = r"vault:v[0-9]+:[A-Za-z0-9+/=]+"


def wrap(session: Session, mount: str, key: str, plain: bytes) -> bytes:
    """See `ecs_sync.abilities.Wraps`. Two calls: a look at the key, and the encryption."""
    doing = _doing(session, mount, "wrapping", key)
    _look(session, mount, key, doing)
    text = base64.b64encode(plain).decode("ascii")
    answer = _ask(session, doing, lambda transit: transit.encrypt_data(key, text, mount_point=mount))
    ciphertext = str(answer.data.get("ciphertext", ""))
    if not re.fullmatch(_CIPHERTEXT, ciphertext):
        raise reading_error(_STRANGE, doing)
    return f"{SCHEME}:{ciphertext}".encode("ascii")


def unwrap(session: Session, mount: str, key: str, wrapped: bytes) -> bytes:
    """See `ecs_sync.abilities.Wraps`. One call."""
    doing = _doing(session, mount, "unwrapping", key)
    text = unmarked(wrapped, SCHEME, doing)
    if not re.fullmatch(_CIPHERTEXT, text):
        raise Rejected(f"{doing}: the wrapped key is damaged")
    answer = _ask(session, doing, lambda transit: transit.decrypt_data(key, text, mount_point=mount))
    try:
        return base64.b64decode(str(answer.data["plaintext"]), validate=True)
    except (KeyError, binascii.Error):
        strange = reading_error(_STRANGE, doing)
    raise strange


def _doing(session: Session, mount: str, what: str, key: str) -> str:
    doing = f"{session.where}, transit at {mount}: {what} with key {key!r}"
    if not re.fullmatch(_NAME, key):
        raise Rejected(f"{doing}: no key of transit has such a name: use letters, digits, '_', '-' and '.'")
    return doing


def _look(session: Session, mount: str, key: str, doing: str) -> None:
    def about(wire: Wire) -> Any:
        transit: Any = Transit(adapter=wire)
        return transit.read_key(key, mount)

    answer = session.ask(about)
    if isinstance(answer, Failure):
        if answer.kind is Kind.DENIED:
            return
        raise _error(answer, doing)
    if answer.status == 404:
        raise _error(_MISSING, doing)
    if not (answer.data.get("supports_encryption") and answer.data.get("supports_decryption")):
        raise Rejected(f"{doing}: a key of this type encrypts nothing: use one such as aes256-gcm96")


def _ask(session: Session, doing: str, operation: Any) -> Answer:
    def of_transit(wire: Wire) -> Any:
        return operation(Transit(adapter=wire))

    answer = session.ask(of_transit)
    if isinstance(answer, Failure):
        raise _error(answer, doing)
    if answer.status == 404:
        raise _error(_MISSING, doing)
    return answer


def _error(failure: Failure, doing: str) -> AdapterError:
    """A policy for KV says nothing of transit."""
    told = replace(failure, reason=_DENIED) if failure.kind is Kind.DENIED else failure
    return reading_error(told, doing)


_MISSING = Failure(Kind.REFUSED, "there is no such key: make it, and check the name and the option 'transit'")
_DENIED = "the token is invalid or may not, or there is no such key; give it the policy of docs/store-key.md"
_STRANGE = Failure(Kind.UNANSWERED, "the answer is not one of transit: check url, proxies and 'transit'")
