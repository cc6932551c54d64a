"""The options, place and features of the adapter ``aws-appconfig``, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from ecs_sync.adapter import Features, Guard, ItemId, Limits, Price, Prices, option
from ecs_sync_adapters.aws_appconfig_read import AfterRollback
from ecs_sync_adapters.aws_appconfig_write import OnDelete
from ecs_sync_adapters.aws_reach import reach_problems
from ecs_sync_adapters.aws_session import CredentialName

MissingProfile = Literal["refuse", "create"]

_NAME = r"[^/\x00-\x1f\x7f]"
ITEM = rf"{_NAME}{{1,64}}/{_NAME}{{1,64}}/{_NAME}{{1,128}}"
_MIB = 1024 * 1024
_READS = 50


@dataclass(frozen=True, slots=True)
class AppConfigOptions:
    """How to reach AppConfig, and how documents are deployed."""

    takes_unread: ClassVar[bool] = True

    region: str = option("The AWS region, such as eu-west-1")
    strategy: str = option(
        "The deployment strategy, by name or id. AppConfig.AllAtOnce bakes for 10 minutes",
        default="AppConfig.AllAtOnce",
    )
    after_rollback: AfterRollback = option(
        "What a rolled back deployment makes of the item: hold (unreadable until somebody looks) or retry "
        "(the item is what is in force again, so that a mirror pushes once more)",
        default="hold",
    )
    on_delete: OnDelete = option(
        "What a delete does: empty (deploys an empty document) or refuse", default="empty"
    )
    missing_profile: MissingProfile = option(
        "What a place whose profile does not exist is: refuse (an error) or create (absent, and a write "
        "makes a hosted freeform profile)",
        default="refuse",
    )
    content_type: str = option("The content type of new documents", default="application/json")
    max_bytes: int = option("The largest document, as the account's quota has it", default=2 * _MIB)
    credential: CredentialName = option(
        "Where the credential comes from: default (AWS's own chain), profile, explicit, assume-role, "
        "web-identity; never from elsewhere",
        default="default",
    )
    profile: str | None = option("The profile of ~/.aws/config for profile and assume-role", default=None)
    role_arn: str | None = option("The role for assume-role and web-identity", default=None)
    external_id: str | None = option("The external id that the role asks for", default=None)
    session_name: str = option("The name of the role's session in CloudTrail", default="ecs-sync")
    token_file: Path | None = option("The token file for web-identity", default=None)
    endpoint: str | None = option(
        "Another address of AppConfig, such as that of a VPC endpoint", default=None
    )
    sts_endpoint: str | None = option("Another address of STS", default=None)
    ca_file: Path | None = option(
        "The authorities to trust for AWS and proxy instead of the public ones", default=None
    )
    proxy: str | None = option(
        "The proxy on the way to AWS, such as http://proxy.example:3128; never one of the environment",
        default=None,
    )
    connect_timeout: float = option("Seconds to wait for a connection", default=5.0)
    read_timeout: float = option("Seconds to wait for an answer", default=20.0)
    concurrency: int = option("Calls in flight at once", default=4)
    access_key_id: str | None = option("For explicit and assume-role", default=None, secret=True)
    secret_access_key: str | None = option("For explicit and assume-role", default=None, secret=True)
    session_token: str | None = option("For explicit and assume-role", default=None, secret=True)
    proxy_login: str | None = option("user:password for the proxy", default=None, secret=True)

    def __post_init__(self) -> None:
        """Raises ValueError with all that is wrong."""
        if wrong := _problems(self):
            raise ValueError("; ".join(wrong))


@dataclass(frozen=True, slots=True)
class AppConfigPlace:
    """One profile in one environment, or all hosted profiles of the application there."""

    path: str = option(
        "application/environment/profile, each by name or id; or application/environment/ for all profiles"
    )

    def __post_init__(self) -> None:
        if not re.fullmatch(rf"{_NAME}{{1,64}}/{_NAME}{{1,64}}/({_NAME}{{1,128}})?", self.path):
            raise ValueError(
                f"{self.path!r} is no place of AppConfig: write application/environment/profile, or "
                "application/environment/ for all profiles; where a name has a '/', write its id"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of its path. Raises ValueError."""
        return cls(text)

    @property
    def single_item(self) -> ItemId | None:
        """The id of the one item; None of a whole environment."""
        return None if self.path.endswith("/") else self.path

    @property
    def root(self) -> str:
        return self.path

    @property
    def parts(self) -> tuple[str, str, str]:
        """Application, environment and profile; the last is empty where all are meant."""
        application, environment, profile = self.path.split("/")
        return application, environment, profile

    def holds(self, id: ItemId) -> bool:
        """Does an item of this id lie here?"""
        return bool(re.fullmatch(ITEM, id)) and (id == self.path or id.rpartition("/")[0] + "/" == self.path)

    def overlaps(self, other: AppConfigPlace) -> bool:
        return self == other or self.holds(other.path) or other.holds(self.path)

    def __str__(self) -> str:
        return self.path


def _problems(options: AppConfigOptions) -> list[str]:
    """All that is wrong with the options."""
    problems = reach_problems(options, "appconfig")
    if options.max_bytes <= 0:
        problems.append("max_bytes must be more than 0")
    if not options.strategy:
        problems.append("strategy is empty: name one, such as AppConfig.AllAtOnce")
    if not re.fullmatch(r"[!-~]+/[ -~]{1,200}", options.content_type):
        problems.append("content_type is no media type such as application/json")
    return problems


def features_of(options: AppConfigOptions) -> Features:
    """Lengths of names are the model's. AWS publishes no rates of these calls: ours are a careful guess."""
    return Features(
        guard=Guard.A,
        ids=Limits(
            min_bytes=5,
            pattern=ITEM,
            pattern_reason=(
                "AppConfig's items are application/environment/profile: names without '/' and control "
                "characters, of at most 64, 64 and 128 characters"
            ),
        ),
        values=Limits(min_bytes=1, max_bytes=options.max_bytes),
        keeps_overwritten=True,
        keeps_deleted=True,
        reads=_READS,
        change_times=True,
        unchanged=True,
        history=True,
        prices=Prices(
            get=Price(request=1, item=1),
            # Where the profile is there already, and only not deployed, making it is spared: 4 calls.
            create=Price(request=7 if options.missing_profile == "create" else 4),
            update=Price(request=3),
            delete=Price(request=4),
            # A strategy's name is looked up; AWS's own strategies are called by their ids.
            opening=0 if options.strategy.startswith("AppConfig.") else 1,
        ),
        concurrency=options.concurrency,
        rate=10.0,
        write_rate=2.0,
    )
