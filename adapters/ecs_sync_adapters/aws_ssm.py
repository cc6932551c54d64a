"""AWS Systems Manager Parameter Store: the adapter ``aws-ssm``. One parameter is one item.

A listing costs one call for fifty parameters and shows no values; what moved is read ten a call. Updates
are unconditional (class C): the version that SSM echoes tells what was replaced, and its history still has
it. Deletes are unconditional and take the history with them; `docs/providers/aws-ssm.md` has the window.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import (
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Price,
    Prices,
    Revision,
    Rule,
    Token,
    Verdict,
    Write,
    option,
)
from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_arn import SecretArns, partition_of
from ecs_sync_adapters.aws_client import SharedClient
from ecs_sync_adapters.aws_kms import Kms
from ecs_sync_adapters.aws_reach import (
    account_problems,
    credential_of,
    endpoint_of,
    reach_problems,
)
from ecs_sync_adapters.aws_session import CredentialName
from ecs_sync_adapters.aws_ssm_read import NAMES_A_CALL, Sight, found, listed, peeked, pinned, versions
from ecs_sync_adapters.aws_ssm_refer import Secrets
from ecs_sync_adapters.aws_ssm_write import ADVANCED_BYTES, STANDARD_BYTES, Creation, Secure, Tier, carry_out

_SEGMENT = "[A-Za-z0-9_.-]+"
_MAX_DEPTH = 15
_MAX_NAME_WITH_ARN = 1011
_LABEL = r"(?![0-9]|(?i:aws|ssm))[A-Za-z0-9_.-]{1,100}"


@dataclass(frozen=True, slots=True)
class SsmOptions:
    """How to reach a Parameter Store."""

    takes_unread: ClassVar[bool] = True

    region: str = option("The AWS region, such as eu-west-1", where=True)
    credential: CredentialName = option(
        "Where the credential comes from: default (AWS's own chain), profile, explicit, assume-role, "
        "web-identity; never from elsewhere",
        default="default",
    )
    profile: str | None = option(
        "The profile of ~/.aws/config for profile and assume-role", default=None, where=True
    )
    role_arn: str | None = option("The role for assume-role and web-identity", default=None, where=True)
    external_id: str | None = option("The external id that the role asks for", default=None)
    session_name: str = option("The name of the role's session in CloudTrail", default="ecs-sync")
    token_file: Path | None = option("The token file for web-identity", default=None)
    endpoint: str | None = option(
        "Another address of SSM, such as that of a VPC endpoint", default=None, where=True
    )
    sts_endpoint: str | None = option("Another address of STS", default=None)
    kms_endpoint: str | None = option(
        "Another address of KMS, for the key of the store where KMS wraps it", default=None
    )
    ca_file: Path | None = option(
        "The authorities to trust for AWS and proxy instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to AWS, such as http://proxy.example:3128; never one of the environment",
        default=None,
    )
    tier: Tier = option(
        "The tier of new parameters. An existing one keeps its own, unless a value over 4 KiB needs more",
        default="Standard",
    )
    kms_key: str | None = option("The KMS key of new SecureStrings; default alias/aws/ssm", default=None)
    secure: Secure = option("Which new parameters become SecureStrings: secrets, or all", default="secrets")
    tags: bool = option("Read tags as attributes: costs a call a parameter", default=False)
    label: str | None = option(
        "Read each parameter at the version that carries this label; nothing is written then",
        default=None,
        where=True,
        only_reads=True,
    )
    account: str | None = option(
        "The account's number of 12 digits: with it, references to its secrets in Secrets Manager are "
        "written as /aws/reference/secretsmanager/NAME",
        default=None,
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=8)
    access_key_id: str | None = option("For explicit and assume-role", default=None, secret=True)
    secret_access_key: str | None = option("For explicit and assume-role", default=None, secret=True)
    session_token: str | None = option("For explicit and assume-role", default=None, secret=True)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        if wrong := _problems(self):
            raise ValueError("; ".join(wrong))


@dataclass(frozen=True, slots=True)
class SsmPlace:
    """A path of the hierarchy with everything below it."""

    path: str = option("The path with a slash at both ends, such as /acme/prod/payments/")

    def __post_init__(self) -> None:
        wanted = "/".join(("", *filter(None, self.path.split("/")), ""))
        if not re.fullmatch(rf"/({_SEGMENT}/)*", wanted):
            raise ValueError(f"{self.path!r} is no SSM path: use letters, digits, '.', '_', '-' and '/'")
        if self.path != wanted:
            raise ValueError(f"{self.path!r} is no SSM path: write {wanted!r}, with a slash at both ends")
        if re.match("/(aws|ssm)", wanted, re.IGNORECASE):
            raise ValueError(f"{self.path!r}: names that begin with 'aws' or 'ssm' are AWS's own")
        if wanted.count("/") > _MAX_DEPTH:
            raise ValueError(f"{self.path!r} leaves no room for a name: SSM has {_MAX_DEPTH} levels in all")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its path. Raises ValueError, with the path that was probably meant."""
        return cls(text)

    @property
    def root(self) -> str:
        return self.path

    def overlaps(self, other: SsmPlace) -> bool:
        return self.path.startswith(other.path) or other.path.startswith(self.path)

    def __str__(self) -> str:
        return self.path


class SsmAdapter:
    """Parameter Store in one region of one account, with one client that all threads share."""

    Options: ClassVar[type] = SsmOptions
    Place: ClassVar[type] = SsmPlace

    def __init__(self, options: SsmOptions) -> None:
        """Connects to nothing yet."""
        credential = credential_of(options)
        endpoint = endpoint_of(options)
        self._creation = Creation(options.tier, options.kms_key, options.secure)
        self._options = options
        self._secrets = Secrets(SecretArns(options.region, options.account))
        self._features = _features(options)
        self._kms = Kms(credential, replace(endpoint, url=options.kms_endpoint))
        self._client = SharedClient("ssm", credential, endpoint)

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: SsmPlace, since: Token | None) -> Listing:
        """Parameters under the path, without values, or those at the label with values. Never "unchanged
        since": SSM has no such mark.
        """
        return Listing(listed(self._sight(), place.root))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Values, decrypted. What a policy or a KMS key denies is unreadable; the others are read."""
        return Listing(found(self._sight(), ids))

    def peek(self, ids: Sequence[ItemId]) -> Listing:
        """Versions and times of the newest versions. Nothing is decrypted."""
        return Listing(peeked(self._client.connected(), ids))

    def version(self, id: ItemId, version: str) -> Item | None:
        """The parameter as its version of this number holds it, of the 100 that SSM keeps."""
        return pinned(self._client.connected(), id, version)

    def pointer(self, address: str) -> Pointer | None:
        """SSM's path to a secret of this account and region in Secrets Manager."""
        return self._secrets.pointer(address)

    def pointed(self, item: Item) -> str | None:
        """The ARN of the secret whose path a parameter holds."""
        return self._secrets.pointed(item)

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The versions after ``after``, oldest first, decrypted; no proof where SSM has lost some."""
        return Listing(versions(self._client.connected(), id, after))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """A call for each put and one for all deletes; one more for the updates that lack what only a
        listing tells. What a policy denies by its name is refused by itself. Raises only where nothing
        was applied, or nothing is known of any of them.
        """
        if len(writes) > NAMES_A_CALL:
            raise Rejected(f"SSM takes {NAMES_A_CALL} writes at once, not {len(writes)}")
        if self._options.label is not None:
            return [Outcome(write.id, Verdict.REFUSED, reason=_READ_ONLY) for write in writes]
        return carry_out(self._client.connected(), self._creation, writes) if writes else []

    def wrap(self, key: str, plain: bytes) -> bytes:
        """By KMS in the same region: the ability `ecs_sync.abilities.Wraps`."""
        return self._kms.wrap(key, plain)

    def unwrap(self, key: str, wrapped: bytes) -> bytes:
        return self._kms.unwrap(key, wrapped)

    def close(self) -> None:
        """Closes the connections. The adapter connects again when it is used again."""
        self._kms.close()
        self._client.close()

    def _sight(self) -> Sight:
        return Sight(self._client.connected(), self._options.label, self._options.tags)


_READ_ONLY = (
    "a connection with 'label' only reads: SSM moves a label unconditionally and tells nothing of where it "
    "was, and a new version is in force at once for all who read without it"
)


def _problems(options: SsmOptions) -> list[str]:
    problems = [*reach_problems(options, "ssm"), *account_problems(options.account)]
    if options.label is not None and not re.fullmatch(_LABEL, options.label):
        problems.append(
            "label is 1 to 100 letters, digits, '.', '_', '-', and begins with no digit, aws or ssm"
        )
    return problems


def _features(options: SsmOptions) -> Features:
    """Limits are those of the model of PutParameter; rates are AWS's defaults for an account and region."""
    arn = f"arn:{partition_of(options.region)}:ssm:{options.region}:123456789012:parameter"
    features = Features(
        guard=Guard.C,
        ids=Limits(
            min_bytes=2,
            max_bytes=_MAX_NAME_WITH_ARN - len(arn),
            pattern=rf"(/{_SEGMENT}){{1,{_MAX_DEPTH}}}",
            pattern_reason=f"SSM names are 1 to {_MAX_DEPTH} levels of letters, digits, '.', '_' and '-'",
            rules=(Rule("^/(?i:aws|ssm)", "names that begin with 'aws' or 'ssm' are AWS's own"),),
        ),
        values=Limits(
            min_bytes=1,
            max_bytes=STANDARD_BYTES if options.tier == "Standard" else ADVANCED_BYTES,
            rules=(Rule(r"\{\{", "SSM takes no value with '{{' in it"),),
        ),
        text_values=True,
        holds_secrets=True,
        # What is overwritten can be had back, what is deleted cannot: a delete takes all versions along.
        keeps_overwritten=True,
        # Puts are calls of their own, and paced one by one; deletes share a call.
        batch=1,
        delete_batch=NAMES_A_CALL,
        reads=NAMES_A_CALL,
        values_in_listing=False,
        ordered_revisions=True,
        change_times=True,
        history=True,
        pins=True,
        peeks=True,
        refers=options.account is not None,
        # What an update must say again only a description tells, and point reads are none.
        prices=Prices(get=Price(1, int(options.tags), absent=0), update=Price(2)),
        concurrency=options.concurrency,
        rate=40.0,
        write_rate=3.0,
    )
    if options.label is None:
        return features
    # A label goes back to an older version as well, and where it was before is written down nowhere.
    return replace(
        features,
        guard=Guard.D,
        values_in_listing=True,
        ordered_revisions=False,
        history=False,
        peeks=False,
    )
