"""How a document gets into force: look, make a version, deploy it. Each step leaves what the next run needs.

The environment decides: `StartDeployment` with the number of its latest deployment is the compare-and-swap.
A version that was made and not deployed is no part of the item, so nothing was applied as long as only that
went wrong. Its number then is no longer the one that the next attempt's lock names; that attempt looks, finds
its own document there, and deploys it: nothing is lost and nothing is made twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from ecs_sync.adapter import Delete, Outcome, Put, Revision, Verdict, Write
from ecs_sync_adapters.aws_appconfig_directory import FLAGS, Directory, Profile, Spot
from ecs_sync_adapters.aws_appconfig_line import CONFLICT, MISSING, Line, error_of, reason_of
from ecs_sync_adapters.aws_appconfig_read import (
    DELETED,
    AfterRollback,
    Sight,
    Standing,
    Version,
    is_gone,
    revision_of,
    sighted,
    unstamped,
    version_of,
)
from ecs_sync_adapters.aws_errors import Failure
from ecs_sync_adapters.failure_kind import Kind, writing_error

OnDelete = Literal["empty", "refuse"]

_ATTEMPTS = 32
"""How often another profile's deployment may come between before the write is given up."""

_EMPTY_FLAGS = b'{"version":"1","flags":{},"values":{}}'


@dataclass(frozen=True, slots=True)
class Deploying:
    """How documents are deployed: what the configuration says about it."""

    strategy: str
    after_rollback: AfterRollback
    on_delete: OnDelete
    content_type: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the new version shall be."""

    content: bytes = field(repr=False)
    content_type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class _Errand:
    """One write on its way. `Outcome` ends it wherever a step gives one."""

    line: Line
    directory: Directory
    deploying: Deploying
    spot: Spot
    profile: Profile
    write: Write

    def refused(self, reason: str) -> Outcome:
        return Outcome(self.write.id, Verdict.REFUSED, reason=reason)

    def raced(self, reason: str) -> Outcome:
        return Outcome(self.write.id, Verdict.RACED, reason=reason)

    def failed(self, failure: Failure, doing: str) -> Outcome:
        """What a failed call means that cannot have touched the item."""
        if failure.code == MISSING and is_gone(
            self.line, self.directory, self.spot, self.profile, self.write.id
        ):
            return self.raced("its profile is gone")
        if failure.kind in (Kind.REFUSED, Kind.DENIED):
            return self.refused(f"{doing}: {reason_of(failure)}")
        raise error_of(failure, f"{doing} of {self.write.id}")

    def look(self) -> Sight:
        name = self.write.id.removeprefix(self.spot.root)
        return sighted(self.line, self.directory, self.spot, [name], self.deploying.after_rollback)


def carry_out(
    line: Line, directory: Directory, deploying: Deploying, spot: Spot, profile: Profile, write: Write
) -> Outcome:
    """One write to its end. Raises `Unavailable` and `Throttled` where nothing was applied, and
    `Unacknowledged` where the answer to the deployment itself was lost.
    """
    errand = _Errand(line, directory, deploying, spot, profile, write)
    sight = errand.look()
    if (told := _moved(errand, sight) or _hindered(sight, errand)) is not None:
        return told
    draft = _draft(errand, sight.standing(profile))
    if isinstance(draft, Outcome):
        return draft
    strategy = directory.strategy(line, deploying.strategy)
    version = _made(errand, draft, sight.standing(profile))
    if isinstance(version, Outcome):
        return version
    return _deployed(errand, sight, version, strategy)


def _moved(errand: _Errand, sight: Sight) -> Outcome | None:
    """Does the environment still hold what the write expects?"""
    standing = sight.standing(errand.profile)
    if standing.problem is not None:
        return errand.refused(standing.problem)
    expected, now = errand.write.expected, standing.current
    if expected is not None and (now is None or now.revision != expected):
        where = f"at {now.revision}" if now else "gone"
        return errand.raced(f"it is {where}, not at {expected}")
    return None


def _revision(standing: Standing) -> Revision | None:
    return standing.current.revision if standing.current else None


def _hindered(sight: Sight, errand: _Errand, made: str = "") -> Outcome | None:
    """One deployment at a time is all that an environment takes."""
    if sight.busy is None:
        return None
    left = f"; version {made} is made, and the next run deploys it" if made else ""
    where = f"environment {errand.spot.environment!r}"
    return errand.refused(f"{where} is busy, and takes no other deployment yet: {sight.busy.progress}{left}")


def _draft(errand: _Errand, standing: Standing) -> _Draft | Outcome:
    """The version to be made; looks at the one in force where the write does not tell all."""
    write, current = errand.write, standing.current
    if isinstance(write, Delete) and errand.deploying.on_delete == "refuse":
        return errand.refused("on_delete: refuse keeps the document; delete the profile by hand, if at all")
    told = dict(write.attributes).get("content-type", "") if isinstance(write, Put) else ""
    if current is not None and not (told and write.expected):
        found = version_of(errand.line, errand.spot, errand.profile, current.version)
        if isinstance(found, Failure):
            return errand.failed(found, f"reading version {current.version}")
        if write.expected is None and not found.stands_for_absence:
            return errand.raced("it exists already")
        told = told or found.content_type
    content_type = told or errand.deploying.content_type
    match write:
        case Put(value=value):
            return _Draft(value, content_type)
        case Delete():
            return _Draft(_emptied(errand.profile, content_type), content_type, DELETED)


def _emptied(profile: Profile, content_type: str) -> bytes:
    """A document of this type that says nothing."""
    if profile.type == FLAGS:
        return _EMPTY_FLAGS
    kind = content_type.partition(";")[0].strip().lower()
    return b"{}" if kind.endswith(("json", "yaml")) else b"\n"


def _made(errand: _Errand, draft: _Draft, standing: Standing) -> str | Outcome:
    """The number of a version that is as the draft: made now, or by an attempt that came no further.

    The lock first names the version in force, which mostly is the latest one.
    """
    if standing.current is not None:
        made = _created(errand, draft, int(standing.current.version))
        if not isinstance(made, Failure):
            return made
        if made.code != CONFLICT:
            return errand.failed(made, "making a version")
    latest = _latest(errand)
    if latest:
        found = version_of(errand.line, errand.spot, errand.profile, str(latest))
        if not isinstance(found, Failure) and _is(draft, found, errand.profile):
            return str(latest)
    made = _created(errand, draft, latest)
    if not isinstance(made, Failure):
        return made
    if made.code == CONFLICT:
        return errand.raced(f"somebody made a version after {latest} at the same moment")
    return errand.failed(made, "making a version")


def _is(draft: _Draft, version: Version, profile: Profile) -> bool:
    """Is a version what the draft shall be? Flags are kept in AppConfig's own spelling of their JSON."""
    if (draft.content_type, draft.description) != (version.content_type, version.description):
        return False
    if draft.content == version.content:
        return True
    return profile.type == FLAGS and _canonical(draft.content) == _canonical(version.content)


def _canonical(content: bytes) -> str:
    try:
        return json.dumps(json.loads(content), sort_keys=True)
    except ValueError:
        return content.hex()


def _created(errand: _Errand, draft: _Draft, latest: int) -> str | Failure:
    request = {"Description": draft.description} if draft.description else {}
    lock = {"LatestVersionNumber": latest} if latest else {}
    answer = errand.line.ask(
        "create_hosted_configuration_version",
        ApplicationId=errand.spot.application_id,
        ConfigurationProfileId=errand.profile.id,
        Content=unstamped(draft.content, errand.profile),
        ContentType=draft.content_type,
        **request,
        **lock,
    )
    return answer if isinstance(answer, Failure) else str(answer["VersionNumber"])


def _latest(errand: _Errand) -> int:
    """The highest number of the profile's versions; 0 where it has none. Their order is nowhere promised."""
    pages = errand.line.pages(
        "list_hosted_configuration_versions",
        f"listing the versions of {errand.write.id}",
        ApplicationId=errand.spot.application_id,
        ConfigurationProfileId=errand.profile.id,
    )
    return max((int(each["VersionNumber"]) for page in pages for each in page), default=0)


def _deployed(errand: _Errand, sight: Sight, version: str, strategy: str) -> Outcome:
    """Starts the deployment, again as long as only other profiles' deployments came between."""
    for _ in range(_ATTEMPTS):
        lock = {"LatestDeploymentNumber": sight.latest} if sight.latest else {}
        answer = errand.line.ask(
            "start_deployment",
            **errand.spot.ids,
            ConfigurationProfileId=errand.profile.id,
            ConfigurationVersion=version,
            DeploymentStrategyId=strategy,
            **lock,
        )
        if not isinstance(answer, Failure):
            done = (
                None if isinstance(errand.write, Delete) else revision_of(version, answer["DeploymentNumber"])
            )
            return Outcome(errand.write.id, Verdict.APPLIED, done, replaced=errand.write.expected)
        if answer.kind is Kind.UNANSWERED:
            raise writing_error(answer, f"deploying version {version} of {errand.write.id}")
        if answer.code != CONFLICT:
            return errand.failed(answer, f"version {version} is made and not deployed")
        before, sight = sight, errand.look()
        if _revision(sight.standing(errand.profile)) != _revision(before.standing(errand.profile)):
            return errand.raced("somebody deployed it at the same moment")
        if (told := _moved(errand, sight) or _hindered(sight, errand, version)) is not None:
            return told
    return errand.refused(f"version {version} is made; others deployed all the time: the next run deploys it")
