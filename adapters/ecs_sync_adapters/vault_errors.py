"""What goes wrong with Vault, in the engine's words: one table, of which the rest is spelling.

No message holds what the server answered: it is matched against known texts, and never shown.
"""

from __future__ import annotations

from dataclasses import replace

from ecs_sync_adapters.failure_kind import Kind
from ecs_sync_adapters.http_trouble import LOGIN
from ecs_sync_adapters.vault_wire import Answer, Failure

_MISMATCH = "check-and-set parameter did not match"
"""How KV 2 says, with status 400, that the current version is another."""


_UPGRADING = "Upgrading from non-versioned to versioned data"
"""How KV says, with status 400, that it is not there for a moment."""


def checked(answer: Answer | Failure) -> Answer | Failure:
    """The answer where it is one of success, or says that something is not there; else the failure.

    A 404 without a word of what is wrong is an absence; one with words is a path that leads nowhere.
    """
    if isinstance(answer, Failure):
        return answer
    match answer.status:
        case 200 if answer.of_vault:
            return answer
        case 204:
            return answer
        case 404 if answer.of_vault and not answer.errors:
            return answer
        case _:
            return failure_of(answer)


def failure_of(answer: Answer) -> Failure:
    """What an answer that is no success means."""
    status = answer.status
    if 300 <= status < 400:
        reason = f"the server redirects to {answer.leads_to}; set url to the active node or its load balancer"
        return Failure(Kind.UNSENT, f"{reason}. A redirect is not followed: it would carry the token along")
    if status == 429:
        return Failure(
            Kind.THROTTLED, "the server asks to slow down (a rate limit quota)", answer.retry_after
        )
    if status == 403:
        pages = "docs/providers/vault-kv1.md or vault-kv2.md"
        return Failure(Kind.DENIED, f"the token is not valid, or may not; give it the policy of {pages}")
    if status == 407:
        return Failure(Kind.IDENTITY, LOGIN)
    if status in _NOT_NOW:
        return Failure(Kind.UNSENT, _NOT_NOW[status])
    if status == 503 and answer.of_vault:
        return Failure(Kind.UNSENT, "the server is sealed, or a standby without an active node: unseal it")
    if _UPGRADING in answer.errors:
        return Failure(Kind.UNSENT, "the mount is being upgraded to version 2, and will soon be back")
    if 400 <= status < 500:
        known = (reason for text, reason in _REFUSED.items() if text in answer.errors)
        fallback = f"the server refuses the request (status {status})"
        reason = next(known, _BY_STATUS.get(status, fallback))
        return Failure(Kind.REFUSED, reason, mismatch=_MISMATCH in answer.errors)
    if 200 <= status < 300:
        return Failure(Kind.UNANSWERED, "the answer is not one of Vault: check url and proxies")
    return Failure(Kind.UNANSWERED, f"the server failed with status {status}")


def unsent(failure: Failure) -> Failure:
    """Whatever became of a call that only comes before another, that other one was not sent."""
    return replace(failure, kind=Kind.UNSENT) if failure.kind is Kind.UNANSWERED else failure


_NOT_NOW = {
    412: "the node has not seen an earlier write yet; it is behind the active one",
    472: "the node is a disaster recovery secondary; set url to the primary's",
    473: "the node is a performance standby that does not answer; set url to the active one",
    501: "the server is not initialised",
}
_REFUSED = {
    _MISMATCH: "it is not at the expected version",
    "check-and-set parameter required": "the mount or the secret wants cas, and the call had none",
    "no handler for route": "nothing is mounted there: check mount and namespace",
    "route entry not found": "nothing is mounted there: check mount and namespace",
    "unsupported path": "the mount does not know such a path: check that it is KV of this version",
    "namespace not found": "there is no such namespace: check namespace",
    "high complexity": "it has more names and texts than the server takes (max_request_json_strings)",
    "missing data fields": "KV 1 holds no secret without a field",
    "encryption key not found": "transit has no key of this name: make it, and check the option 'transit'",
    "soft-deleted key": "the key of transit is soft-deleted: restore it",
    "(too old)": "it was wrapped by a version of the key below its min_decryption_version",
    "message authentication failed": "it was wrapped with another key, or is damaged",
    "missing 'context'": "the key of transit is a derived one: use one that is not",
    "exceeds": "it is larger than the server or its storage takes",
    "too large": "it is larger than the server or its storage takes",
}
_BY_STATUS = {
    400: "the server refuses the request (status 400): look at the path's characters and the value's size",
    404: "nothing is there: check mount and namespace",
    405: "the mount does not know this request: check that it is KV of this version",
    413: "it is larger than the server or its storage takes",
}
