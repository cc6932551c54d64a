"""Names to ids: applications, environments, profiles and strategies, looked up once and kept.

AppConfig's calls take ids; people write names. A name wins over an id that is spelt like it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_appconfig_line import Line

FLAGS = "AWS.AppConfig.FeatureFlags"
HOSTED = "hosted"
_AWS_STRATEGY = "AppConfig."


@dataclass(frozen=True, slots=True)
class Profile:
    """A configuration profile. ``name`` is what items are called by; ``uri`` says where it is kept."""

    id: str
    name: str
    type: str
    uri: str

    @property
    def hosted(self) -> bool:
        return self.uri == HOSTED


@dataclass(frozen=True, slots=True)
class Spot:
    """One environment of one application, with the application's profiles as they were looked up.

    ``strangers`` are ids that deployments tell of and the application no longer has.
    """

    application: str
    environment: str
    application_id: str
    environment_id: str
    profiles: tuple[Profile, ...]
    strangers: frozenset[str] = frozenset()

    @property
    def root(self) -> str:
        return f"{self.application}/{self.environment}/"

    @property
    def ids(self) -> dict[str, str]:
        """What every call about the environment names."""
        return {"ApplicationId": self.application_id, "EnvironmentId": self.environment_id}

    def id(self, profile: Profile) -> str:
        """The item's id. A name that a path cannot hold, or that is double, gives way to the profile's id."""
        name = profile.name
        spoilt = re.search(r"[/\x00-\x1f\x7f]", name) or [each.name for each in self.profiles].count(name) > 1
        return self.root + (profile.id if spoilt else name)

    def profile(self, text: str) -> Profile | None:
        """The profile of a name or id; None where there is none. Raises Rejected where names are double."""
        found = _chosen(self.profiles, text, lambda profile: (profile.id, profile.name))
        if len(found) > 1:
            raise _double("profiles", text, f"application {self.application!r}", [each.id for each in found])
        return found[0] if found else None

    def unknown(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of these profiles that are neither known nor known to be gone."""
        return frozenset(ids) - self.strangers - {profile.id for profile in self.profiles}


class Directory:
    """What was looked up, shared by all threads of a connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spots: dict[tuple[str, str], Spot] = {}
        self._strategies: dict[str, str] = {}

    def spot(self, line: Line, application: str, environment: str) -> Spot:
        """The environment, looked up where it is not known yet. Raises Rejected where it does not exist."""
        return self._known(application, environment) or self.refreshed(line, application, environment)

    def refreshed(self, line: Line, application: str, environment: str) -> Spot:
        """The environment with the profiles that there are now, in one call where the rest is known.

        Raises `Gone` where what is known holds no longer: forget it then.
        """
        known = self._known(application, environment)
        if known is not None:
            ids = known.application_id, known.environment_id
        else:
            ids = _environment(line, application, environment)
        doing = f"looking up the profiles of application {application!r}"
        found = tuple(
            Profile(each["Id"], each["Name"], each.get("Type", ""), each.get("LocationUri", ""))
            for page in line.pages("list_configuration_profiles", doing, ApplicationId=ids[0])
            for each in page
        )
        return self.keep(
            Spot(application, environment, *ids, found, known.strangers if known else frozenset())
        )

    def keep(self, spot: Spot) -> Spot:
        """What is known from now on."""
        with self._lock:
            self._spots[spot.application, spot.environment] = spot
        return spot

    def _known(self, application: str, environment: str) -> Spot | None:
        with self._lock:
            return self._spots.get((application, environment))

    def forget(self) -> None:
        """Something that was looked up is not there any more."""
        with self._lock:
            self._spots.clear()
            self._strategies.clear()

    def strategy(self, line: Line, text: str) -> str:
        """The id of a deployment strategy by its name or id. AWS's own are ids as they stand."""
        if text.startswith(_AWS_STRATEGY):
            return text
        with self._lock:
            known = self._strategies.get(text)
        if known is None:
            found = _one(line, "list_deployment_strategies", "strategies", text, "this account and region")
            known = str(found["Id"])
            with self._lock:
                self._strategies[text] = known
        return known


def _environment(line: Line, application: str, environment: str) -> tuple[str, str]:
    here = _one(line, "list_applications", "applications", application, "this account and region")
    where = f"application {application!r}"
    there = _one(line, "list_environments", "environments", environment, where, ApplicationId=here["Id"])
    return here["Id"], there["Id"]


def _one(line: Line, operation: str, kind: str, text: str, where: str, **request: Any) -> Any:
    listed = [each for page in line.pages(operation, f"looking up {text!r}", **request) for each in page]
    found = _chosen(listed, text, lambda each: (each["Id"], each["Name"]))
    if not found:
        raise Rejected(f"{where} has none of the {kind} named {text!r}: make it, or correct the name")
    if len(found) > 1:
        raise _double(kind, text, where, [each["Id"] for each in found])
    return found[0]


def _chosen(listed: Iterable[Any], text: str, told: Any) -> list[Any]:
    """Those of this name, else the one of this id."""
    every = list(listed)
    return [each for each in every if told(each)[1] == text] or [
        each for each in every if told(each)[0] == text
    ]


def _double(kind: str, text: str, where: str, ids: list[str]) -> Rejected:
    return Rejected(f"{where} has {len(ids)} {kind} named {text!r}: say which by its id, {' or '.join(ids)}")
