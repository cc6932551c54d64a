"""What an environment holds: from its deployments, and the versions that these put in force.

The newest deployment of a profile says what its item is. One that is under way already is the item, and
settles; one that was rolled back is not, and what that means the configuration says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ecs_sync.adapter import Item, ItemId, Page, Proof, Revision, Token, attributes
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync_adapters.aws_appconfig_directory import FLAGS, Directory, Profile, Spot
from ecs_sync_adapters.aws_appconfig_line import MISSING, Line, error_of
from ecs_sync_adapters.aws_errors import Failure

AfterRollback = Literal["hold", "retry"]

DELETED = "ecs-sync: deleted"
"""The description of a version that stands for an absent item."""

_UNDER_WAY = ("DEPLOYING", "BAKING", "VALIDATING", "ROLLING_BACK")
_UNDONE = ("ROLLING_BACK", "ROLLED_BACK", "REVERTED")
_NEVER = ("ROLLING_BACK", "ROLLED_BACK")
_IN_FORCE = ("COMPLETE", "DEPLOYING", "BAKING", "VALIDATING")
_WORDS = {
    "ROLLING_BACK": "is being rolled back",
    "ROLLED_BACK": "was rolled back",
    "REVERTED": "was reverted",
}

# In JSON a quotation mark inside of a text has a backslash before it: what matches is a member's name.
_STAMP = r'(?<!\\)"_(?:created|updated)At"\s*:\s*"(?:[^"\\]|\\.)*"'
_STAMPS = re.compile(rf"{_STAMP}\s*,\s*|\s*,\s*{_STAMP}|{_STAMP}".encode())


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a profile to the environment. ``percent`` is of its targets, 0 to 100."""

    number: int
    profile_id: str
    version: str
    state: str
    percent: float
    started: datetime | None

    @property
    def under_way(self) -> bool:
        return self.state in _UNDER_WAY

    @property
    def revision(self) -> str:
        return revision_of(self.version, self.number)

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        baking = ", baking" if self.state == "BAKING" else ""
        return f"{self}: {self.percent:g} %{baking}"

    def __str__(self) -> str:
        return f"deployment {self.number} of version {self.version}"


def revision_of(version: str, number: int) -> str:
    """Version and deployment: numbers of an environment's deployments only rise, so none comes again."""
    return f"{version}@{number}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a profile stands: what is in force or about to be, how far it is, or what is wrong with it.

    ``newest`` is the latest attempt, in force or undone.
    """

    current: Deployment | None = None
    newest: Deployment | None = None
    settling: str | None = None
    problem: str | None = None

    @property
    def mark(self) -> str:
        """Equal as long as nothing of this moves."""
        told = self.newest
        return "" if told is None else f"{told.revision}:{told.state}:{told.percent:g}"


@dataclass(frozen=True, slots=True)
class Sight:
    """An environment as one look found it. ``latest`` is the number of its last deployment, 0 for none."""

    spot: Spot
    latest: int = 0
    busy: Deployment | None = None
    standings: dict[str, Standing] = field(default_factory=dict)

    def standing(self, profile: Profile) -> Standing:
        return self.standings.get(profile.id, Standing())


def sighted(
    line: Line, directory: Directory, spot: Spot, wanted: Sequence[str] | None, after: AfterRollback
) -> Sight:
    """Looks through the deployments, newest first, until all profiles of these names stand clear.

    None wants all hosted profiles. A deployment of a profile that was not known has the profiles looked up
    again, once. Raises `Gone` where the environment is.
    """
    sight, told = _looked_through(line, spot, wanted, after)
    if not spot.unknown(told):
        return sight
    spot = directory.refreshed(line, spot.application, spot.environment)
    spot = directory.keep(replace(spot, strangers=spot.strangers | spot.unknown(told)))
    return _looked_through(line, spot, wanted, after)[0]


def sighted_at_first(
    line: Line, directory: Directory, spot: Spot, wanted: Sequence[str] | None, after: AfterRollback
) -> Sight:
    """The same with profiles that were looked up a moment ago: what is unknown then is gone."""
    sight, told = _looked_through(line, spot, wanted, after)
    spot = directory.keep(replace(spot, strangers=spot.strangers | spot.unknown(told)))
    return replace(sight, spot=spot)


def _looked_through(
    line: Line, spot: Spot, wanted: Sequence[str] | None, after: AfterRollback
) -> tuple[Sight, set[str]]:
    profiles = chosen(spot, wanted)
    seen: dict[str, list[Deployment]] = {profile.id: [] for profile in profiles}
    told: set[str] = set()
    latest, busy = 0, None
    for page in line.pages("list_deployments", f"listing the deployments of {spot.root}", **spot.ids):
        for deployment in map(_deployment, page):
            latest = max(latest, deployment.number)
            busy = busy or (deployment if deployment.under_way else None)
            told.add(deployment.profile_id)
            if deployment.profile_id in seen:
                seen[deployment.profile_id].append(deployment)
        if all(_is_clear(deployments, after) for deployments in seen.values()):
            break
    standings = {id: _standing(deployments, after) for id, deployments in seen.items()}
    return Sight(spot, latest, busy, standings), told - {""}


def chosen(spot: Spot, wanted: Sequence[str] | None) -> list[Profile]:
    """The profiles of these names, those that are missing or double apart; None wants all hosted ones."""
    if wanted is None:
        return [profile for profile in spot.profiles if profile.hosted]
    found: list[Profile] = []
    for name in wanted:
        with suppress(Rejected):
            found += filter(None, [spot.profile(name)])
    return found


def _deployment(told: Any) -> Deployment:
    started = told.get("StartedAt")
    return Deployment(
        int(told["DeploymentNumber"]),
        str(told.get("ConfigurationProfileId", "")),
        str(told.get("ConfigurationVersion", "")),
        str(told.get("State", "")),
        float(told.get("PercentageComplete", 0.0)),
        started.astimezone(UTC) if isinstance(started, datetime) else None,
    )


def _is_clear(newest_first: Sequence[Deployment], after: AfterRollback) -> bool:
    if after == "hold":
        return bool(newest_first)
    return any(deployment.state not in _UNDONE for deployment in newest_first)


def _standing(deployments: Iterable[Deployment], after: AfterRollback) -> Standing:
    newest_first = sorted(deployments, key=lambda deployment: -deployment.number)
    if not newest_first:
        return Standing()
    newest = newest_first[0]
    if newest.state not in (*_UNDONE, *_IN_FORCE):
        return Standing(newest, newest, problem=f"{newest} is in the state {newest.state!r}, not known here")
    if not all(each.version.isdecimal() for each in newest_first):
        return Standing(newest, newest, problem=f"{newest}: not all versions are numbers of hosted ones")
    if newest.state in _IN_FORCE:
        return Standing(newest, newest, settling=newest.progress if newest.under_way else None)
    before = next((each for each in newest_first if each.state in _IN_FORCE), None)
    undone = f"{newest} {_WORDS[newest.state]}"
    match after:
        case "hold":
            what = f"version {before.version} is in force" if before else "what was in force before it holds"
            next_step = "deploy a version that is right, or say after_rollback: retry"
            return Standing(before, newest, problem=f"{undone}, and {what}: find out why, then {next_step}")
        case "retry":
            return Standing(before, newest, settling=undone if newest.under_way else None)


@dataclass(frozen=True, slots=True)
class Version:
    """One hosted version. ``content`` is without the time stamps that AppConfig adds to feature flags."""

    content: bytes = field(repr=False)
    content_type: str
    description: str

    @property
    def stands_for_absence(self) -> bool:
        return self.description == DELETED


def version_of(line: Line, spot: Spot, profile: Profile, number: str) -> Version | Failure:
    """One hosted version by its number, or the failure to read it."""
    answer = line.ask(
        "get_hosted_configuration_version",
        ApplicationId=spot.application_id,
        ConfigurationProfileId=profile.id,
        VersionNumber=int(number),
    )
    if isinstance(answer, Failure):
        return answer
    content: bytes = answer.get("Content", b"")
    return Version(
        unstamped(content, profile), str(answer.get("ContentType", "")), str(answer.get("Description", ""))
    )


def unstamped(content: bytes, profile: Profile) -> bytes:
    """A flag document without ``_createdAt`` and ``_updatedAt``, which the service keeps."""
    return _STAMPS.sub(b"", content) if profile.type == FLAGS else content


def item_of(line: Line, directory: Directory, sight: Sight, profile: Profile, id: ItemId) -> Item | None:
    """The item of a profile, with its value; None where it is absent. Raises where it cannot be looked at."""
    spot, standing = sight.spot, sight.standing(profile)
    if standing.problem is not None:
        return Item(id, None, unreadable=standing.problem)
    current = standing.current
    if current is None:
        return None
    version = version_of(line, spot, profile, current.version)
    if isinstance(version, Failure):
        if version.code != MISSING:
            raise error_of(version, f"reading version {current.version} of {id}")
        if is_gone(line, directory, spot, profile, id):
            return None
        why = f"version {current.version} is in force, and was deleted from the hosted store"
        return Item(id, None, unreadable=f"{why}: deploy another one")
    if version.stands_for_absence:
        return None
    return _held(id, version, profile, current, standing.settling)


def _held(
    id: ItemId, version: Version, profile: Profile, deployment: Deployment, settling: str | None
) -> Item:
    return Item(
        id,
        version.content,
        attributes=attributes({"content-type": version.content_type, "profile-type": profile.type}),
        revision=deployment.revision,
        changed=deployment.started,
        settling=settling,
    )


def history_of(line: Line, spot: Spot, profile: Profile, id: ItemId, after: Revision | None) -> Page:
    """What was in force after a revision, oldest first, in one page; without proof where some of it is lost.

    Deployments that were rolled back before they were complete are not in it, and neither are deletes.
    """
    newer: list[Deployment] = []
    reaches, beginning = after is None, int(after.rpartition("@")[2]) if after else 0
    for page in line.pages("list_deployments", f"listing the deployments of {spot.root}", **spot.ids):
        mine = [each for each in map(_deployment, page) if each.profile_id == profile.id]
        newer += [each for each in mine if each.number > beginning and each.state not in _NEVER]
        reaches = reaches or any(each.revision == after for each in mine)
        if page and min(int(each["DeploymentNumber"]) for each in page) <= beginning:
            break
    items: list[Item] = []
    for each in sorted(newer, key=lambda deployment: deployment.number):
        version = version_of(line, spot, profile, each.version)
        if isinstance(version, Failure):
            if version.code != MISSING:
                raise error_of(version, f"reading version {each.version} of {id}")
            reaches = False
        elif not version.stands_for_absence:
            items.append(_held(id, version, profile, each, None))
    absent = () if newer or after else (id,)
    return Page(tuple(items), absent, Proof() if reaches else None, line.calls)


def is_gone(line: Line, directory: Directory, spot: Spot, profile: Profile, id: ItemId) -> bool:
    """Is the profile gone? Raises Unavailable where another one has taken its name: look again then."""
    directory.forget()
    fresh = directory.spot(line, spot.application, spot.environment)
    now = fresh.profile(id.removeprefix(spot.root))
    if now is not None and now.id != profile.id:
        raise Unavailable(f"{id}: its profile was made anew meanwhile")
    return now is None


def token_of(sight: Sight, profiles: Iterable[Profile], after: AfterRollback) -> Token:
    """The mark of a look: equal as long as no item of these profiles moves or settles further.

    The same version of a profile by the same number is the same document, in whatever environment.
    """
    marks = [f"{profile.id}={sight.standing(profile).mark}" for profile in profiles]
    return " ".join([after, *sorted(marks)])
