"""A local Secrets Manager: moto's, behind rules of `aws_secrets_rules`, with a clock of its own.

moto keeps the secrets. Set right here, because it forgets or bends them (seen with moto 5.2.5):

1. ``GetSecretValue`` without a stage reads AWSCURRENT, also after ``UpdateSecretVersionStage`` moved it.
2. ``BatchGetSecretValue`` tells what it cannot read in ``Errors``, by secret, and pages by 20.
3. ``PutSecretValue`` leaves labels of others on the version that it replaces.
4. ``ListSecretVersionIds`` tells when each version was made, leaves out those without a label unless asked,
   and pages.
5. ``ListSecrets`` shows a secret as it was up to five minutes ago (``lag``), hides one that is scheduled for
   deletion, and pages by a cursor.
6. A secret whose recovery window is over is gone.
7. A secret that has no value is not told as one that is not there.
8. ``DescribeSecret`` and ``ListSecrets`` leave out the versions that have no label.

Time passes by itself, and by `advance`. Sources: botocore's service model (1 to 5: GetSecretValue,
BatchGetSecretValue, PutSecretValue, ListSecretVersionIds, ListSecrets), DeleteSecret for 6, DescribeSecret
for 8; what users report word for word for 7.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Mapping, Set
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from ecs_sync_sandbox.aws_guard import Fault
from ecs_sync_sandbox.aws_pages import rest, token_after
from ecs_sync_sandbox.aws_secrets_rules import MISSING, Known, refusal

Answer = Mapping[str, Any]
Moto = Callable[[str, Mapping[str, Any]], Answer | Fault]
"""Asks moto: an operation and its request."""

_CHANGING = (
    "CreateSecret",
    "PutSecretValue",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "DeleteSecret",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "RotateSecret",
    "ReplicateSecretToRegions",
)
_OWNER = "aws:secretsmanager:owningService"


class Secrets:
    """The secrets of one account and region. ``lag`` is how many seconds listings stay behind: up to 300."""

    def __init__(self, account: str, region: str, denied: Set[tuple[str, str]]) -> None:
        self.account = account
        self.lag = 0.0
        self._backend: Any = secretsmanager_backends[account][region]
        self._denied = denied
        self._ahead = 0.0
        self._shown: dict[str, list[tuple[float, Answer | None]]] = {}
        self._made: dict[tuple[str, str], float] = {}
        self._ends: dict[str, float] = {}
        self._entries: dict[str, str] = {}
        self._serial = itertools.count(1)

    @property
    def now(self) -> float:
        """Seconds since 1970 by the server's own clock."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self._ahead += seconds

    def names(self) -> list[str]:
        """All secrets there are, those included that are scheduled for deletion."""
        self._purge()
        return [secret.name for secret in self._backend.secrets.values()]

    def forget(self) -> None:
        """Leaves nothing of any secret, which nobody could order of AWS."""
        self._backend.secrets.clear()
        for kept in (self._shown, self._made, self._ends):
            kept.clear()

    def own(self, name: str, service: str) -> None:
        """From now on the secret belongs to an AWS service, as that of an RDS instance does."""
        secret = self._backend.secrets[name]
        secret.tags = [*(secret.tags or []), {"Key": _OWNER, "Value": service}]
        self._note(name)

    def withdraw(self, name: str) -> None:
        """Leaves no version of the secret in force, as a first rotation that was not finished does."""
        for version in self._backend.secrets[name].versions.values():
            version["version_stages"] = ["AWSPENDING"]
        self._note(name)

    def fail_entry_next(self, name: str, code: str) -> None:
        """The next batch of values tells an error for this secret, and the values of the others."""
        self._entries[name] = code

    def carry_out(
        self, operation: str, request: Mapping[str, Any], moto: Moto, size: int | None, token: str | None
    ) -> Answer | Fault:
        """The answer to one request. ``size`` and ``token`` bend the page of a listing."""
        self._purge()
        name = self._name(request)
        known = self._known(name)
        if fault := refusal(operation, request, known):
            return fault
        match operation:
            case "GetSecretValue":
                return self._value(request, moto)
            case "BatchGetSecretValue":
                return self._values(request, moto)
            case "ListSecrets":
                return self._page(request, size, token)
            case "ListSecretVersionIds":
                return self._versions(request, known, size, token)
            case "DescribeSecret":
                answer = moto(operation, request)
                return answer if isinstance(answer, Fault) else _labelled(answer)
            case "UpdateSecretVersionStage" if known is not None:
                answer = self._staged(request, moto)
            case "PutSecretValue" if known is not None:
                answer = self._put(request, moto)
            case _:
                answer = moto(operation, request)
        if not isinstance(answer, Fault) and operation in _CHANGING:
            self._learn(operation, str(answer.get("Name") or name), request)
        return answer

    # What is known

    def _name(self, request: Mapping[str, Any]) -> str:
        asked = str(request.get("SecretId") or request.get("Name") or "")
        secret = self._backend.secrets.get(asked)
        return secret.name if secret is not None else asked

    def _known(self, name: str) -> Known | None:
        secret = self._backend.secrets.get(name) if name else None
        if secret is None:
            return None
        stages = {id: tuple(version["version_stages"]) for id, version in secret.versions.items()}
        return Known(bool(getattr(secret, "deleted_date", None)), secret.owning_service, stages)

    def _learn(self, operation: str, name: str, request: Mapping[str, Any]) -> None:
        if operation == "DeleteSecret":
            self._ends[name] = self.now + 86_400 * int(request.get("RecoveryWindowInDays") or 30)
        elif operation == "RestoreSecret":
            self._ends.pop(name, None)
        self._note(name)

    def _note(self, name: str) -> None:
        secret = self._backend.secrets.get(name)
        shown: Answer | None = None
        if secret is not None:
            for version in secret.versions:
                self._made.setdefault((secret.arn, version), self.now)
            shown = {**_labelled(copy.deepcopy(secret.to_dict())), "LastChangedDate": self.now}
        self._shown.setdefault(name, []).append((self.now, shown))

    def _purge(self) -> None:
        for name in [name for name, end in self._ends.items() if end <= self.now]:
            del self._ends[name]
            self._backend.secrets.pop(name)
            self._note(name)

    # Reading

    def _value(self, request: Mapping[str, Any], moto: Moto) -> Answer | Fault:
        stage = request.get("VersionStage", "AWSCURRENT")
        asked = {} if "VersionId" in request else {"VersionStage": stage}
        answer = moto("GetSecretValue", {**request, **asked})
        if isinstance(answer, Fault) and answer.message == MISSING and self._known(self._name(request)):
            return Fault(answer.code, f"{MISSING[:-1]} value for staging label: {stage}")
        return answer

    def _values(self, request: Mapping[str, Any], moto: Moto) -> Answer | Fault:
        ids, token = list(request.get("SecretIdList") or ()), None
        if not ids:
            page = self._page({"MaxResults": 20, **request}, None, None)
            ids, token = [each["Name"] for each in page["SecretList"]], page.get("NextToken")
        values, errors = [], []
        for id in ids:
            answer = self._one_value(id, moto)
            if isinstance(answer, Fault):
                errors.append({"SecretId": id, "ErrorCode": answer.code, "Message": answer.message})
            else:
                values.append(answer)
        told = {"SecretValues": values, "Errors": errors}
        return {**told, "NextToken": token} if token else told

    def _one_value(self, id: str, moto: Moto) -> Answer | Fault:
        if id in self._entries:
            return Fault(self._entries.pop(id), "on demand")
        if ("GetSecretValue", id) in self._denied:
            return Fault("AccessDeniedException", f"not authorized to perform GetSecretValue on {id}")
        fault = refusal("GetSecretValue", {"SecretId": id}, self._known(id))
        return fault or self._value({"SecretId": id}, moto)

    def _page(self, request: Mapping[str, Any], size: int | None, token: str | None) -> Answer:
        past = self.now - self.lag
        shown: dict[str, Answer] = {}
        for name, states in self._shown.items():
            seen = [state for at, state in states if at <= past]
            if seen and seen[-1] is not None and (request.get("IncludePlannedDeletion") or _stands(seen[-1])):
                shown[name] = seen[-1]
        for each in request.get("Filters") or ():
            if each.get("Key") == "name":
                shown = {name: it for name, it in shown.items() if name.startswith(tuple(each["Values"]))}
        given = request.get("NextToken")
        left = rest(sorted(shown, key=_order), given)
        wanted = left[: request.get("MaxResults", 100) if size is None else size]
        told: dict[str, Any] = {"SecretList": [shown[name] for name in wanted]}
        if token is not None:
            told["NextToken"] = token
        elif len(left) > len(wanted):
            told["NextToken"] = token_after(wanted[-1] if wanted else None, given, next(self._serial))
        return told

    def _versions(
        self, request: Mapping[str, Any], known: Known | None, size: int | None, token: str | None
    ) -> Answer | Fault:
        if known is None:
            return Fault("ResourceNotFoundException", MISSING)
        secret = self._backend.secrets[self._name(request)]
        every = request.get("IncludeDeprecated")
        told = [
            {"VersionId": id, "VersionStages": list(stages), "CreatedDate": self._made[secret.arn, id]}
            for id, stages in known.stages.items()
            if stages or every
        ]
        start = int(str(request.get("NextToken") or "0.0").partition(".")[0])
        end = start + int(request.get("MaxResults", 100) if size is None else size)
        answer: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name, "Versions": told[start:end]}
        if token is not None:
            answer["NextToken"] = token
        elif end < len(told):
            answer["NextToken"] = f"{end}.{next(self._serial)}"
        return answer

    # Changing

    def _put(self, request: Mapping[str, Any], moto: Moto) -> Answer | Fault:
        secret = self._backend.secrets[self._name(request)]
        before = {id: list(version["version_stages"]) for id, version in secret.versions.items()}
        answer = moto("PutSecretValue", request)
        if isinstance(answer, Fault) or answer["VersionId"] in before:
            return answer
        taken = set(secret.versions[answer["VersionId"]]["version_stages"])
        for id, stages in before.items():
            kept = [stage for stage in stages if stage not in taken]
            if "AWSCURRENT" in taken:
                kept = [stage for stage in kept if stage != "AWSPREVIOUS"]
                kept += ["AWSPREVIOUS"] if "AWSCURRENT" in stages else []
            secret.versions[id]["version_stages"] = kept
        return answer

    def _staged(self, request: Mapping[str, Any], moto: Moto) -> Answer | Fault:
        stage, goes = request["VersionStage"], request.get("MoveToVersionId")
        secret = self._backend.secrets[self._name(request)]
        if goes is not None and stage in secret.versions[goes]["version_stages"]:
            return {"ARN": secret.arn, "Name": secret.name}
        answer = moto("UpdateSecretVersionStage", request)
        if stage == "AWSCURRENT" and not isinstance(answer, Fault):
            secret.set_default_version_id(goes)
        return answer


def _labelled(told: Answer) -> Answer:
    """What is told of a secret, without the versions that have no label."""
    fields = ("VersionIdsToStages", "SecretVersionsToStages")
    shown = {name: told[name] for name in fields if told.get(name)}
    kept = {name: {id: labels for id, labels in of.items() if labels} for name, of in shown.items()}
    return {**told, **kept}


def _stands(shown: Answer) -> bool:
    return shown.get("DeletedDate") is None


def _order(name: str) -> str:
    """The order of pages, as `rest` has it."""
    return token_after(name, None, 0)
