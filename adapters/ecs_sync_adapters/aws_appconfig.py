"""AWS AppConfig with hosted configurations: the adapter ``aws-appconfig``.

One item is the document of one profile as it is deployed to one environment. A write makes a version and
starts its deployment; from then on the item is what is being deployed, and settles until that is complete.
Both steps are locked (class A): the version by the number of the latest one, the deployment by the number of
the environment's latest one. A delete deploys an empty document, marked as standing for nothing.
`docs/providers/aws-appconfig.md` says what each crash between the steps leaves behind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from ecs_sync.adapter import (
    Features,
    Item,
    ItemId,
    Listing,
    Outcome,
    Page,
    Proof,
    Put,
    Revision,
    Token,
    Verdict,
    Write,
)
from ecs_sync.errors import Rejected
from ecs_sync_adapters.aws_appconfig_directory import Directory, Profile, Spot
from ecs_sync_adapters.aws_appconfig_line import Gone, Line, error_of, reason_of
from ecs_sync_adapters.aws_appconfig_options import (
    ITEM,
    AppConfigOptions,
    AppConfigPlace,
    features_of,
)
from ecs_sync_adapters.aws_appconfig_read import (
    Sight,
    chosen,
    history_of,
    item_of,
    sighted,
    sighted_at_first,
    token_of,
)
from ecs_sync_adapters.aws_appconfig_write import Deploying, carry_out
from ecs_sync_adapters.aws_client import SharedClient
from ecs_sync_adapters.aws_errors import Failure
from ecs_sync_adapters.aws_reach import credential_of, endpoint_of
from ecs_sync_adapters.failure_kind import Kind

__all__ = ["AppConfigAdapter", "AppConfigOptions", "AppConfigPlace"]


class AppConfigAdapter:
    """AppConfig in one region of one account, with one client that all threads share."""

    Options: ClassVar[type] = AppConfigOptions
    Place: ClassVar[type] = AppConfigPlace

    def __init__(self, options: AppConfigOptions) -> None:
        """Connects to nothing yet."""
        credential = credential_of(options)
        self._options = options
        self._features = features_of(options)
        self._directory = Directory()
        self._making = threading.Lock()
        self._client = SharedClient("appconfig", credential, endpoint_of(options))

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: AppConfigPlace, since: Token | None) -> Listing:
        """The profiles in one call, their deployments in another, then the document of each in one; or
        "unchanged" after the first two. Raises `Rejected` where there is no such place.
        """
        line = self._line()
        try:
            sight = self._sight(line, place)
        except Gone:
            self._directory.forget()
            sight = self._sight(line, place)
        name = place.parts[2]
        if not name:
            profiles = chosen(sight.spot, None)
        else:
            profiles = [self._hosted(sight.spot, name)] if self._is_there(sight.spot, name) else []
        token = token_of(sight, profiles, self._options.after_rollback)
        if token == since:
            return Listing(unchanged=True, calls=line.calls)
        return Listing(self._pages(line, place, sight, token, profiles), calls=line.calls)

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """Point reads: one look at each environment, then one call an item that is there."""
        return Listing(self._found(self._line(), ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """What was in force after ``after``, oldest first; no proof where versions of it were deleted."""
        return Listing(self._past(self._line(), id, after))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One write: a look, a version, the start of its deployment, which goes on after the return.

        Raises `Unavailable` or `Throttled` where nothing came into force, `Unacknowledged` where the
        answer to the start of the deployment was lost.
        """
        if len(writes) > 1:
            raise Rejected(f"AppConfig takes one write at once, not {len(writes)}")
        return [self._written(write) for write in writes]

    def close(self) -> None:
        """Closes the connections. The adapter connects again when it is used again."""
        self._client.close()

    # Reading

    def _sight(self, line: Line, place: AppConfigPlace) -> Sight:
        application, environment, name = place.parts
        spot = self._directory.refreshed(line, application, environment)
        names = [name] if name else None
        return sighted_at_first(line, self._directory, spot, names, self._options.after_rollback)

    def _pages(
        self, line: Line, place: AppConfigPlace, sight: Sight, token: Token, profiles: Sequence[Profile]
    ) -> Iterator[Page]:
        calls = 0
        for profile in profiles:
            id = place.single_item or sight.spot.id(profile)
            item, taken = yield from line.patiently(
                partial(item_of, line, self._directory, sight, profile, id)
            )
            calls += taken
            if item is not None:
                yield Page((item,), calls=calls)
                calls = 0
        yield Page(proof=Proof(token), calls=calls)

    def _found(self, line: Line, ids: Sequence[ItemId]) -> Iterator[Page]:
        places: dict[str, list[ItemId]] = {}
        absent = [id for id in ids if not re.fullmatch(ITEM, id)]
        for id in ids:
            if id not in absent:
                places.setdefault(id.rpartition("/")[0] + "/", []).append(id)
        for root, here in places.items():
            before = line.calls
            application, environment, _ = AppConfigPlace(root).parts
            spot = self._directory.spot(line, application, environment)
            names = [id.removeprefix(root) for id in here]
            try:
                sight = sighted(line, self._directory, spot, names, self._options.after_rollback)
            except Gone:
                self._directory.forget()
                raise
            for id in here:
                item = self._item(line, sight, id)
                items, gone = ((item,), ()) if item is not None else ((), (id,))
                yield Page(items, gone, calls=line.calls - before)
                before = line.calls
        yield Page(absent=tuple(absent), proof=Proof(), calls=0)

    def _past(self, line: Line, id: ItemId, after: Revision | None) -> Iterator[Page]:
        application, environment, name = AppConfigPlace(id).parts
        spot = self._directory.spot(line, application, environment)
        profile = spot.profile(name)
        if profile is None:
            yield Page(absent=(id,), proof=Proof() if after is None else None, calls=line.calls)
        else:
            yield history_of(line, spot, profile, id, after)

    def _item(self, line: Line, sight: Sight, id: ItemId) -> Item | None:
        name = id.removeprefix(sight.spot.root)
        try:
            if not self._is_there(sight.spot, name):
                return None
            profile = self._hosted(sight.spot, name)
        except Rejected as error:
            return Item(id, None, unreadable=str(error))
        return item_of(line, self._directory, sight, profile, id)

    def _is_there(self, spot: Spot, name: str) -> bool:
        """Raises Rejected where it is not, and nobody shall make it."""
        if spot.profile(name) is not None:
            return True
        match self._options.missing_profile:
            case "create":
                return False
            case "refuse":
                raise Rejected(_missing(spot, name))

    def _hosted(self, spot: Spot, name: str) -> Profile:
        profile = spot.profile(name)
        if profile is None:
            raise Rejected(_missing(spot, name))
        if not profile.hosted:
            where = profile.uri.partition(":")[0]
            raise Rejected(
                f"profile {name!r} of application {spot.application!r} is kept in {where}, not in the "
                "hosted store: sync the place where it is kept"
            )
        return profile

    # Writing

    def _written(self, write: Write) -> Outcome:
        if isinstance(write, Put) and (reason := _refusal(self._features, write)):
            return Outcome(write.id, Verdict.REFUSED, reason=reason)
        line = self._line()
        application, environment, name = AppConfigPlace(write.id).parts
        spot = self._directory.spot(line, application, environment)
        if spot.profile(name) is None:
            if write.expected is not None:
                return Outcome(write.id, Verdict.RACED, reason="its profile is gone")
            if self._options.missing_profile == "refuse":
                return Outcome(write.id, Verdict.REFUSED, reason=_missing(spot, name))
            made = self._make_profile(line, spot, name)
            if isinstance(made, Outcome):
                return made
            spot = made
        profile = self._hosted(spot, name)
        options = self._options
        deploying = Deploying(
            options.strategy, options.after_rollback, options.on_delete, options.content_type
        )
        try:
            return carry_out(line, self._directory, deploying, spot, profile, write)
        except Gone:
            self._directory.forget()
            raise

    def _make_profile(self, line: Line, spot: Spot, name: str) -> Spot | Outcome:
        """The environment with the new profile. AppConfig may take a name twice: one thread makes it."""
        with self._making:
            spot = self._directory.refreshed(line, spot.application, spot.environment)
            if spot.profile(name) is not None:
                return spot
            made = line.ask(
                "create_configuration_profile",
                ApplicationId=spot.application_id,
                Name=name,
                LocationUri="hosted",
                Type="AWS.Freeform",
            )
            if isinstance(made, Failure):
                if made.kind in (Kind.REFUSED, Kind.DENIED):
                    reason = f"making profile {name!r}: {reason_of(made)}"
                    return Outcome(spot.root + name, Verdict.REFUSED, reason=reason)
                # A profile without a version is no item: whatever became of it, nothing was applied.
                raise error_of(made, f"making profile {name!r} of application {spot.application!r}")
            return self._directory.refreshed(line, spot.application, spot.environment)

    def _line(self) -> Line:
        return Line(self._client.connected())


def _missing(spot: Spot, name: str) -> str:
    return (
        f"application {spot.application!r} has no configuration profile {name!r}: make it, correct the name, "
        "or say missing_profile: create"
    )


def _refusal(features: Features, put: Put) -> str:
    """Why this cannot be written here, whoever asks; empty where it can."""
    if not re.fullmatch(ITEM, put.id):
        return features.ids.pattern_reason
    if not put.value:
        return "an empty document is none: AppConfig wants at least one byte"
    if len(put.value) > (features.values.max_bytes or 0):
        return f"the document has {len(put.value)} bytes, and max_bytes is {features.values.max_bytes}"
    return ""
