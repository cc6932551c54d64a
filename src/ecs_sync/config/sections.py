"""The configuration file, declared: every key with its type, default and meaning.

Reading, the JSON Schema and the reference page all derive from these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from ecs_sync.adapter import option
from ecs_sync.config.kinds import (
    Address,
    Count,
    Cron,
    Duration,
    Glob,
    Interval,
    Percent,
    Positive,
    Rate,
)
from ecs_sync.limits import Limits
from ecs_sync.model import HAND_PRIORITY
from ecs_sync.policy import First, Mode, Rule, Secrets
from ecs_sync.registry import Spelled

_LIMITS = Limits()

StoreUrl = Annotated[str, Spelled("URL")]
Text = Annotated[Any, Spelled("text or map")]
RuleText = Annotated[str, Spelled("rule")]


def _spelled(name: str, help: str) -> Any:
    """A required field that is called by a word of Python's own."""
    return field(metadata={"spelled": name, "help": help})


@dataclass(frozen=True, slots=True)
class WrappedKeySection:
    """A key of the store that lies wrapped in a file: see [the key of the store](store-key.md)."""

    wrapped: Path = option("The file of the wrapped key")
    by: str = option("The connection that unwraps it, each time that the store is opened")
    with_: str = _spelled("with", "The provider's name of the key that it is wrapped with")


@dataclass(frozen=True, slots=True)
class StoreSection:
    """The canonical store."""

    url: StoreUrl = option(
        "Where the store is: `sqlite:///FILE` (relative to this file), "
        "`postgresql+psycopg://HOST/DATABASE`, or `env:NAME` where the URL holds a password",
        secret=True,
    )
    key: str | WrappedKeySection | None = option(
        "The key that secrets are encrypted with in the store; without it the store holds none",
        default=None,
        secret=True,
    )
    fingerprint_key: Path | None = option(
        "The file of the key that fingerprints are made with; created with the store, kept outside it",
        default=None,
    )
    anchor: Path | None = option("The file that signed checkpoints of the audit trail go to", default=None)
    priority: int = option("The priority of edits made by hand", default=HAND_PRIORITY)


@dataclass(frozen=True, slots=True)
class PaceSection:
    """How fast a connection is used; each default is what the adapter declares."""

    rate: Rate | None = option("Calls in a second", default=None)
    write_rate: Rate | None = option("Writing calls in a second", default=None)
    concurrency: Positive | None = option("Calls in flight at once", default=None)
    retries: Count | None = option("How often a call is tried again", default=None)
    timeout: Interval | None = option("How long one call may take, retries included", default=None)


@dataclass(frozen=True, slots=True)
class ConnectionSection:
    """A configured provider. The adapter's own options stand beside these keys."""

    adapter: str = option("The name of the adapter")
    pace: PaceSection | None = option("How fast the connection is used", default=None)
    group: str | None = option(
        "A name that links may say instead of this one's; which of the group they mean, `match` decides",
        default=None,
    )
    match: RuleText | None = option("Which scopes of the group this connection is for", default=None)
    for_each: dict[str, tuple[str, ...]] | None = option(
        "Makes one connection of each value; `{name}` stands for it in all its texts and in its name",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class PropertiesSection:
    """What rules can ask of a tenant, edition, environment or application: texts and whole numbers."""


@dataclass(frozen=True, slots=True)
class ScopeSection:
    """The keys that a job works on. Each part is optional."""

    tenant: str | None = option("Whose configuration it is", default=None)
    edition: str | None = option("The edition of the product", default=None)
    environment: str | None = option("Such as `prod` or `staging`", default=None)
    application: str | None = option("The application that reads it", default=None)


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """How far a run may go before it stops and somebody has to look."""

    deletes: Percent = option("The most deletes, of the keys in the base", default=_LIMITS.deletes)
    changes: Percent = option("The most overwrites, of the keys in the base", default=_LIMITS.changes)
    floor: Count = option("A number of keys that is always allowed", default=_LIMITS.floor)


@dataclass(frozen=True, slots=True)
class SelectSection:
    """Which keys of the scope a link works on."""

    include: tuple[Glob, ...] = option("Patterns of the keys meant; none means all", default=())
    exclude: tuple[Glob, ...] = option("Patterns of keys left out", default=())


@dataclass(frozen=True, slots=True)
class LinkSection:
    """One side of a job."""

    connection: str = option("The name of a connection, or of a group of them")
    place: Text = option("Where at the connection: the adapter's short spelling, or a map of its fields")
    mapping: Text = option("The name of a mapping, or a map with `name` and the mapping's options")
    mode: Mode = option("What the link is for")
    name: str | None = option("Unique in the job; by default what `connection` says", default=None)
    priority: int | None = option(
        "A larger one wins a conflict; required where the link can change the store", default=None
    )
    pending: Literal["push", "hold"] | None = option(
        "The store moved; default: the mode's word", default=None
    )
    drifted: Literal["push", "adopt", "hold"] | None = option(
        "The place moved; default: the mode's word", default=None
    )
    conflict: Literal["push", "adopt", "hold", "rule"] | None = option(
        "Both moved; `rule` leaves it to the job's `conflicts`; default: the mode's word", default=None
    )
    foreign: Literal["adopt", "hold"] | None = option(
        "At the place, and not ours; default: the mode's word", default=None
    )
    first: First = option("Who wins where the sides differ at first contact", default=First.HOLD)
    deletes: Literal["on", "off"] | None = option(
        "Push deletes; default: `off` for export, `on` elsewhere", default=None
    )
    prune: Literal["foreign"] | None = option("`foreign` deletes foreign items", default=None)
    select: SelectSection | None = option("Which keys the link works on", default=None)
    secrets: Secrets = option(
        "`copy` writes secrets to places made for them; `reference` writes where a secret is kept, and "
        "takes what lies at a secret store as a reference to it; `refuse` leaves them out, and says so",
        default=Secrets.REFUSE,
    )
    settle: Duration = option(
        "How long a run waits until what it wrote is in force, where the provider takes its time",
        default=timedelta(0),
    )
    hard_deletes: bool = option(
        "Push deletes even where the provider cannot guard them against a change in between", default=False
    )


@dataclass(frozen=True, slots=True)
class JobSection:
    """A scope, its links, and when they are brought into step."""

    links: tuple[LinkSection, ...] = option("The sides")
    scope: ScopeSection | None = option("The keys it works on; default: the empty scope", default=None)
    every: Interval | None = option("Run this often; neither `every` nor `cron` means by hand", default=None)
    cron: Cron | None = option("Run at these times, in the worker's time zone", default=None)
    conflicts: Rule = option("Who wins where several sides moved", default=Rule.PRIORITY)
    delete_wins: bool = option("A delete competes by rank like a value", default=False)
    limits: LimitsSection | None = option("How far a run may go", default=None)
    protected: tuple[Glob, ...] = option(
        "Patterns of keys that no run changes without permission", default=()
    )
    secret: tuple[Glob, ...] = option("Patterns of keys whose values are secret; case is ignored", default=())
    references: tuple[Glob, ...] = option(
        "Patterns of the secrets, as CONNECTION/NAME, that the job may open to copy them, beside those "
        "at the places of its own links",
        default=(),
    )
    shared: bool = option("Other shared jobs may write the same places", default=False)
    paused: bool = option("The worker leaves the job alone", default=False)
    for_each: dict[str, tuple[str, ...]] | None = option(
        "Makes one job of each value; `{name}` stands for it in all texts of the job and in its name",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class WorkerSection:
    """The daemon."""

    lease: Interval = option(
        "How long a silent worker keeps a job from others", default=timedelta(seconds=15)
    )
    jitter: Duration = option("Runs due together start spread over this time", default=timedelta(0))
    threads: Positive = option("Jobs run at once", default=8)
    health: Address | None = option("Where to answer health checks; default: nowhere", default=None)


@dataclass(frozen=True, slots=True)
class FileSection:
    """The whole file."""

    store: StoreSection = option("The canonical store")
    connections: dict[str, ConnectionSection] | None = option("Configured providers by name", default=None)
    jobs: dict[str, JobSection] | None = option("Jobs by name", default=None)
    worker: WorkerSection | None = option("The daemon", default=None)
    tenants: dict[str, PropertiesSection] | None = option("Properties of tenants", default=None)
    editions: dict[str, PropertiesSection] | None = option("Properties of editions", default=None)
    environments: dict[str, PropertiesSection] | None = option("Properties of environments", default=None)
    applications: dict[str, PropertiesSection] | None = option("Properties of applications", default=None)


SECTIONS: dict[type, str] = {
    FileSection: "",
    StoreSection: "store",
    WrappedKeySection: "store.key",
    ConnectionSection: "connections.NAME",
    PaceSection: "connections.NAME.pace",
    JobSection: "jobs.NAME",
    ScopeSection: "jobs.NAME.scope",
    LimitsSection: "jobs.NAME.limits",
    LinkSection: "jobs.NAME.links[]",
    SelectSection: "jobs.NAME.links[].select",
    WorkerSection: "worker",
    PropertiesSection: "tenants.NAME",
}
"""Every section with the path it stands at, in the order of reading."""
