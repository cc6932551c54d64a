"""Azure App Configuration: the adapter ``azure-appconfig``. One setting, a key at a label, is one item.

Every write is conditional on the etag (class A). A place where nothing moved costs a conditional read for
each hundred settings. Attributes are ``content-type``, ``tag:NAME``, ``description`` and ``locked``. The
provider's facts and their sources stand in ``docs/providers/azure-appconfig.md``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from ecs_sync.abilities import Pointer
from ecs_sync.adapter import Features, Item, ItemId, Limits, Listing, Outcome, Revision, Token, Verdict, Write
from ecs_sync.errors import ConfigError, Rejected
from ecs_sync_adapters.azure_appconfig_http import Wire
from ecs_sync_adapters.azure_appconfig_options import AppConfigOptions, AppConfigPlace, features, id_of
from ecs_sync_adapters.azure_appconfig_read import found, listed, versions
from ecs_sync_adapters.azure_appconfig_refer import pointed_at, pointer_to
from ecs_sync_adapters.azure_appconfig_write import carried_out, sentinel_written
from ecs_sync_adapters.azure_route import route_files

__all__ = ["AppConfigAdapter", "AppConfigOptions", "AppConfigPlace"]


class AppConfigAdapter:
    """One store, with one client that all threads share: by its Sync-Token, reads see its own writes."""

    Options: ClassVar[type] = AppConfigOptions
    Place: ClassVar[type] = AppConfigPlace

    def __init__(self, options: AppConfigOptions) -> None:
        """Connects to nothing yet. Raises ConfigError where ``ca_file`` cannot be read."""
        if problem := route_files(options):
            raise ConfigError(f"azure-appconfig: {problem}")
        self.features: Features = features(options)
        self._sentinel = options.sentinel
        self._wire = Wire(options)

    def list(self, place: AppConfigPlace, since: Token | None) -> Listing:
        """The settings of one label below a prefix, without the sentinel."""
        return listed(self._wire, place, since, self._sentinel_of(place))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        """One call for each five ids; one more before an id is absent that a filter cannot name plainly."""
        return Listing(found(self._wire, ids))

    def history(self, id: ItemId, after: Revision | None) -> Listing:
        """The revisions that the store still keeps. A delete is none, and neither is a restored setting."""
        return Listing(versions(self._wire, id, after))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One call for the one write; a read before it where the write does not tell what shall survive."""
        if len(writes) > self.features.batch:
            raise Rejected(f"{self._wire.endpoint}: {len(writes)} writes, and a batch takes one")
        return [self._carried_out(write) for write in writes]

    def _carried_out(self, write: Write) -> Outcome:
        if reason := _unnameable(self.features.ids, write.id):
            return Outcome(write.id, Verdict.REFUSED, reason=f"the key cannot be used: {reason}")
        return carried_out(self._wire, write)

    def finished(self, place: AppConfigPlace, revision_of_run: str) -> None:
        """Moves the sentinel of a place after all that a run wrote there; nothing where there is none.

        Two calls. ``revision_of_run`` becomes its value, and must differ from run to run.
        """
        id = self._sentinel_of(place)
        if id is not None:
            sentinel_written(self._wire, id, revision_of_run)

    def pointer(self, address: str) -> Pointer | None:
        """A Key Vault reference; None for what is no secret of a vault."""
        return pointer_to(address)

    def pointed(self, item: Item) -> str | None:
        """The vault's secret that a setting refers to."""
        return pointed_at(item)

    def close(self) -> None:
        """Closes the connections. The adapter connects again when it is used again."""
        self._wire.close()

    def _sentinel_of(self, place: AppConfigPlace) -> ItemId | None:
        return None if self._sentinel is None else id_of(place.prefix + self._sentinel, place.label)


def _unnameable(limits: Limits, id: ItemId) -> str:
    """Why the store, or the way to it, would not take an id as it is; the empty text where it would."""
    if limits.pattern is not None and not re.fullmatch(limits.pattern, id):
        return limits.pattern_reason
    return next((rule.reason for rule in limits.rules if re.search(rule.forbidden, id)), "")
