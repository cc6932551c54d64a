"""What goes wrong with Consul, in the engine's words: one table, of which the rest is spelling.

No message holds what the agent answered: it is matched against known texts, and never shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import requests
import urllib3
from consul import ConsulException

from ecs_sync.adapter import Outcome, Verdict, Write
from ecs_sync.errors import AdapterError, Denied, Rejected, Throttled, Unacknowledged, Unavailable
from ecs_sync_adapters.consul_http import Answer, Garbled
from ecs_sync_adapters.http_trouble import LOGIN, Unsent, lost, seconds, unsent

T = TypeVar("T")

FAILURES: tuple[type[Exception], ...] = (
    Answer,
    Garbled,
    OSError,  # of requests, and of files that went
    urllib3.exceptions.HTTPError,
    ConsulException,
    # An answer of another shape than Consul's:
    ValueError,
    KeyError,
    TypeError,
)
"""Whatever a request to an agent can raise."""
STALE = "the key is not at the expected ModifyIndex"
_DENIED = "the token is not valid, or may not: check it, and give it the policy of docs/providers/consul.md"


def done(ask: Callable[[], T], translate: Callable[[Exception, str], AdapterError], what: str) -> T:
    """What ``ask`` gives. What it raises is translated and left behind, for it holds request and token."""
    try:
        return ask()
    except FAILURES as error:
        failed = translate(error, what)
    raise failed


def outcomes(answer: Answer, writes: Sequence[Write], what: str) -> list[Outcome]:
    """Outcomes of a transaction that Consul refused. Raises where the refusal is of no single write.

    A failed transaction is 409 with the number of each failed operation; nothing of it was applied.
    """
    if answer.status == 409:
        faults = {number: _fault_of(text) for number, text in _errors(answer, len(writes), what)}
        if len(faults) == len(writes) and all(reason == _DENIED for _, reason in faults.values()):
            raise Denied(f"{what}: {_DENIED}")
        return spoiled(writes, faults)
    error = writing(answer, what)
    if isinstance(error, Rejected) and len(writes) == 1:
        return spoiled(writes, {0: (Verdict.REFUSED, str(error))})
    raise error


def spoiled(writes: Sequence[Write], faults: dict[int, tuple[Verdict, str]]) -> list[Outcome]:
    """Outcomes of a batch that was not applied for these faults."""
    return [
        Outcome(write.id, faults[number][0], reason=faults[number][1])
        if number in faults
        else Outcome(write.id, Verdict.UNTRIED, reason="another write of its transaction was at fault")
        for number, write in enumerate(writes)
    ]


def _errors(answer: Answer, count: int, what: str) -> list[tuple[int, str]]:
    try:
        errors = [(int(e["OpIndex"]), str(e["What"])) for e in json.loads(answer.text)["Errors"]]
    except (ValueError, KeyError, TypeError):
        errors = []
    if not errors or any(not 0 <= number < count for number, _ in errors):
        raise Unacknowledged(f"{what}: a conflict was answered, but not by Consul; was it applied?")
    return errors


def _fault_of(text: str) -> tuple[Verdict, str]:
    if "index is stale" in text:
        return Verdict.RACED, STALE
    if "Permission denied" in text:
        return Verdict.REFUSED, _DENIED
    return (
        Verdict.REFUSED,
        "Consul refused this key; a Sentinel policy or a check of this version is against it",
    )


def reading(error: Exception, what: str) -> AdapterError:
    """A read that failed may be tried again, unless the answer says that this will not help."""
    match error:
        case Answer():
            return _of_answer(error, what) or Unavailable(
                f"{what}: status {error.status}; look at the agent's log"
            )
        case Garbled():
            return Unavailable(f"{what}: {error}")
        case OSError() if away := unsent(error):
            return _unsent(away, what)
        case requests.Timeout():
            return Unavailable(f"{what}: no answer in time")
        case requests.RequestException() | urllib3.exceptions.HTTPError():
            return Unavailable(f"{what}: the connection failed ({lost(error)})")
        case _:
            return Unavailable(f"{what}: the answer is not Consul's")


def writing(error: Exception, what: str) -> AdapterError:
    """Only what certainly was not applied is other than `Unacknowledged`."""
    match error:
        case Answer():
            known = _of_answer(error, what)
            return known or Unacknowledged(
                f"{what}: status {error.status}; whether it was applied is not known"
            )
        case OSError() if away := unsent(error):
            return _unsent(away, what)
        case _:
            return Unacknowledged(f"{what}: the answer was lost ({lost(error)}); was it applied?")


def _of_answer(answer: Answer, what: str) -> AdapterError | None:
    """What an answer says for certain, of a read as of a write: that nothing was done, and why.

    "No cluster leader" is given before anything is sent on: Consul's own servers take it as safe to try
    again (``canRetry`` in ``agent/consul/rpc.go``). Any other 5xx is not known to be: a leader can fall
    while it commits.
    """
    status, text = answer.status, answer.text
    if status == 429 or (status == 503 and "rate limit exceeded" in text):
        return Throttled(f"{what}: Consul asks to slow down", seconds(answer.retry_after))
    if status == 407:
        return Denied(f"{what}: {LOGIN}")
    if status in (401, 403):
        return Denied(f"{what}: {_DENIED}")
    if status == 500 and text.strip() == "No cluster leader":
        return Unavailable(f"{what}: the cluster has no leader")
    if status == 500 and text.strip() == "No path to datacenter":
        return Rejected(f"{what}: the agent knows no such datacenter; look at the option 'datacenter'")
    if status == 400 and "Consul Enterprise feature" in text:
        return Rejected(f"{what}: this agent is of the community edition; leave out namespace and partition")
    if status == 500 and text.startswith("invalid key name"):
        return Rejected(f"{what}: this Consul version refuses the name; 1.21.6 and newer take it again")
    if status == 413:
        return Rejected(f"{what}: too large for this Consul; lower 'operations', or see kv_max_value_size")
    if 300 <= status < 400:
        return Rejected(f"{what}: a redirect was answered; set 'url' to where the agent really is")
    if status in (400, 404, 405, 409):
        return Rejected(f"{what}: status {status}; is 'url' a Consul agent of a recent version?")
    return None


def _unsent(away: Unsent, what: str) -> AdapterError:
    text = f"{what}: {away.reason}"
    return Denied(text) if away.turned_away else Unavailable(text)
