"""One errand at Secrets Manager: its calls, counted, and what goes wrong in them in its own terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecs_sync.errors import Denied, Rejected, Unavailable
from ecs_sync_adapters.aws_arn import region_and_account
from ecs_sync_adapters.aws_errors import Failure, Shape, ask, in_terms
from ecs_sync_adapters.failure_kind import reading_error

MISSING = "ResourceNotFoundException"
EXISTS = "ResourceExistsException"
STATE = "InvalidRequestException"


class Gone(Rejected):
    """The secret that a call names is not there, or no longer."""


@dataclass(slots=True)
class Line:
    """A client for one errand, which is one thread's. ``calls`` counts what was asked of AWS so far."""

    client: Any
    account: str | None = None
    calls: int = 0

    def ask(self, operation: str, **request: Any) -> Any | Failure:
        """The answer of one call, or its failure."""
        self.calls += 1
        answer = ask(getattr(self.client, operation), _SHAPES[operation], **request)
        return in_its_terms(answer) if isinstance(answer, Failure) else answer

    def pages(self, operation: str, doing: str, **request: Any) -> Iterator[Any]:
        """The pages of a listing, by token alone. Raises where it breaks off, or where it has no end.

        Raises `Gone` where it is about a secret that is not there.
        """
        tokens: list[str] = []
        while True:
            answer = self.read(operation, doing, **request)
            yield answer
            if not goes_on(answer.get("NextToken"), tokens, doing):
                return
            request["NextToken"] = tokens[-1]

    def read(self, operation: str, doing: str, **request: Any) -> Any:
        """The answer of one call that changes nothing. Raises what became of it instead, `Gone` included."""
        answer = self.ask(operation, **request)
        if isinstance(answer, Failure):
            if answer.gone:
                raise Gone(f"{doing}: {answer.reason}")
            raise reading_error(answer, doing)
        return answer

    def strange(self, arn: str) -> str:
        """Why a secret is not one of the account that the connection names. Empty where it is one."""
        _, account = region_and_account(arn)
        if self.account in (None, account):
            return ""
        if not account:
            return "what answers names no account: check the endpoint and proxies"
        return (
            f"the credential leads to account {account}, and the connection says account {self.account}: "
            "correct the one or the other"
        )

    def own(self, arn: str) -> str:
        """The ARN of a secret. Raises Denied where it is not one of the account of the connection."""
        if reason := self.strange(arn):
            raise Denied(reason)
        return arn


def goes_on(token: str | None, tokens: list[str], doing: str) -> bool:
    """Does another page come? Its token is then the last of ``tokens``. Raises where it was there before."""
    if not token:
        return False
    if token in tokens:
        raise Unavailable(f"{doing}: Secrets Manager gave a page token twice, so its pages have no end")
    tokens.append(token)
    return True


def in_its_terms(failure: Failure) -> Failure:
    """The failure with the reason that Secrets Manager has for it, which never quotes a value."""
    return in_terms(failure, _REFUSED)


_SHAPES = {
    "batch_get_secret_value": Shape(("SecretValues",), ("ARN", "Name", "VersionId")),
    "create_secret": Shape(("VersionId",)),
    "delete_secret": Shape(("DeletionDate",)),
    "describe_secret": Shape(("ARN", "Name")),
    "get_secret_value": Shape(("ARN", "Name", "VersionId")),
    "list_secret_version_ids": Shape(("Versions",), ("VersionId", "CreatedDate")),
    "list_secrets": Shape(("SecretList",), ("ARN", "Name")),
    "put_secret_value": Shape(("VersionId", "VersionStages")),
    "restore_secret": Shape(("ARN",)),
    "update_secret_version_stage": Shape(("ARN",)),
}
_SHAPE = (
    "Secrets Manager does not take the request: look at name, tags and description, and that the value has "
    "1 to 65,536 bytes"
)
_REFUSED = {
    "ValidationException": _SHAPE,
    "ParamValidation": _SHAPE,
    "InvalidParameterException": _SHAPE,
    STATE: "the secret's state does not allow it: a service manages it, or it is being deleted or replicated",
    MISSING: "it is not there, or the version is not",
    EXISTS: "it exists already",
    "LimitExceededException": (
        "a quota is used up: that of secrets, or that of versions, which writing one secret more often than "
        "every ten minutes uses up in a day. Write less often, or wait a day"
    ),
    "DecryptionFailure": "its KMS key cannot be used: check the key and its policy for kms:Decrypt",
    "EncryptionFailure": "its KMS key cannot be used: check the key and its policy for kms:GenerateDataKey",
}
