"""A credential that was rotated is taken up by who is denied, once, while others still use the old one."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecs_sync.adapter import Item, ItemId, Listing, Page, Proof, Put, Verdict
from ecs_sync.config import load
from ecs_sync.connections import Connections
from ecs_sync.errors import ConfigError, Denied, Unavailable
from ecs_sync.pace import Pace, Paced
from ecs_sync.registry import Registry
from ecs_sync.renewal import Rereading
from ecs_sync_adapters.memory import MemoryAdapter, MemoryOptions, MemoryPlace
from ecs_sync_adapters.memory_store import forget, memory
from ecs_sync_sandbox.consul import ConsulServer

PLACE = MemoryPlace("app/")
_names = itertools.count()


class Doors:
    """Adapters of one store, each with a credential; those below ``valid`` are denied."""

    def __init__(self, name: str) -> None:
        self.name, self.made, self.valid, self.asked = name, [], 0, 0
        self.unreadable = False
        self.paced = Paced(self.made_new(), Pace(attempts=1), another=self.another)

    def made_new(self) -> Door:
        self.made.append(Door(self, len(self.made)))
        return self.made[-1]

    def another(self) -> Door | None:
        self.asked += 1
        return self.made_new() if len(self.made) <= self.valid else None

    def rotate(self) -> None:
        self.valid = len(self.made)

    def put(self, **values: str) -> None:
        for name, value in values.items():
            memory(self.name).set(f"app/{name}", value.encode())


class Door(MemoryAdapter):
    def __init__(self, doors: Doors, credential: int) -> None:
        super().__init__(MemoryOptions(name=doors.name, page=1))
        self.doors, self.credential, self.closed = doors, credential, False

    def _check(self) -> None:
        assert not self.closed, "used after it was closed"
        if self.credential < self.doors.valid:
            raise Denied("the credential is not known")

    def list(self, place: MemoryPlace, since: object) -> Listing:
        self._check()
        found = super().list(place, None)

        def pages() -> Iterator[object]:
            for page in found.pages:
                assert not self.closed, "closed while it lists"
                yield page

        return Listing(pages())  # type: ignore[arg-type]

    def get(self, ids: Sequence[ItemId]) -> Listing:
        try:
            self._check()
        except Denied as error:
            if not self.doors.unreadable:
                raise
            items = tuple(Item(id, None, unreadable=str(error)) for id in ids)
            return Listing((Page(items, proof=Proof()),))
        return super().get(ids)

    def write(self, writes: Sequence[object]) -> Sequence[object]:  # type: ignore[override]
        self._check()
        return super().write(writes)  # type: ignore[arg-type]

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


@pytest.fixture
def doors() -> Iterator[Doors]:
    name = f"doors-{next(_names)}"
    yield Doors(name)
    forget(name)


def items(listing: Listing) -> list[ItemId]:
    return [item.id for page in listing.pages for item in page.items]


@pytest.mark.parametrize("unreadable", [False, True])
def test_every_call_goes_on_with_the_new_credential(doors: Doors, unreadable: bool) -> None:
    doors.unreadable = unreadable
    doors.put(x="1")
    assert items(doors.paced.list(PLACE, None)) == ["app/x"]
    doors.rotate()
    assert items(doors.paced.list(PLACE, None)) == ["app/x"]
    doors.rotate()
    [page, _] = doors.paced.get(["app/x"]).pages
    assert [item.unreadable for item in page.items] == [None]
    doors.rotate()
    [outcome] = doors.paced.write([Put("app/y", b"2", None)])
    assert outcome.verdict is Verdict.APPLIED
    assert (doors.asked, len(doors.made)) == (3, 4)
    assert [door.closed for door in doors.made] == [True, True, True, False]
    doors.paced.close()
    assert doors.made[-1].closed


def test_a_listing_under_way_ends_with_the_adapter_that_it_began_with(doors: Doors) -> None:
    doors.put(x="1", y="2", z="3")
    pages = iter(doors.paced.list(PLACE, None).pages)
    first = next(pages)
    doors.rotate()
    doors.paced.write([Put("app/a", b"0", None)])
    assert len(doors.made) == 2 and not doors.made[0].closed
    rest = [item.id for page in pages for item in page.items]
    assert [item.id for item in first.items] + rest == ["app/x", "app/y", "app/z"]
    assert doors.made[0].closed and not doors.made[1].closed


def test_a_listing_that_nobody_reads_to_its_end_is_closed_with_the_rest(doors: Doors) -> None:
    doors.put(x="1", y="2")
    left = iter(doors.paced.list(PLACE, None).pages)
    next(left)
    doors.rotate()
    doors.paced.write([Put("app/a", b"0", None)])
    doors.paced.close()
    assert [door.closed for door in doors.made] == [True, True]


def test_many_that_are_denied_at_once_take_up_one_new_credential(doors: Doors) -> None:
    doors.put(x="1")
    doors.rotate()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: items(doors.paced.list(PLACE, None)), range(64)))
    assert found == [["app/x"]] * 64
    assert (doors.asked, len(doors.made)) == (1, 2) and doors.made[0].closed


def test_what_is_denied_with_the_new_credential_too_is_denied(doors: Doors) -> None:
    doors.valid = 9
    with pytest.raises(Denied):
        doors.paced.list(PLACE, None)
    assert doors.asked == 1


def test_an_unchanged_secret_is_not_read_again_at_once() -> None:
    now, read = 0.0, []

    def options() -> str:
        read.append(now)
        return "same"

    rereading = Rereading("same", options, lambda _: pytest.fail(), costs=True, clock=lambda: now)
    for second in range(4000):
        now = float(second)
        assert rereading() is None
    assert read == [10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030, 3630]


def test_a_source_that_cannot_be_asked_leaves_the_credential_as_it_is() -> None:
    now = 100.0

    def options() -> str:
        raise Unavailable("sealed")

    assert Rereading("same", options, lambda _: pytest.fail(), costs=False, clock=lambda: now)() is None


# -- from a configuration


def connected(folder: Path, connections: object) -> Connections:
    config = {"store": {"url": "sqlite:///s.db"}, "connections": connections, "jobs": {}}
    (folder / "ecs-sync.yaml").write_text(json.dumps(config))
    registry = Registry.from_entry_points()
    return Connections(load(folder / "ecs-sync.yaml", environ={}, registry=registry), registry)


def test_fields_of_one_secret_are_read_in_one_call(tmp_path: Path) -> None:
    with ConsulServer() as consul:
        consul.kv.put("aws", json.dumps({"id": "AKIDSANDBOX", "word": "words"}).encode(), 0)
        keys = {"access_key_id": "@secret:kv/aws#id", "secret_access_key": "@secret:kv/aws#word"}
        ssm = {"adapter": "aws-ssm", "region": "eu-west-1", "credential": "explicit", **keys}
        kv = {"adapter": "consul", "url": consul.url}
        with connected(tmp_path, {"kv": kv, "ssm": ssm}) as connections:
            connections.adapter("ssm")
        assert len(consul.requests) == 1


def test_connections_that_wait_for_each_other_are_named_whoever_asks_first(tmp_path: Path) -> None:
    ring = {
        name: {"adapter": "consul", "url": "http://127.0.0.1:9", "token": f"@secret:{needs}/x"}
        for name, needs in (("a", "b"), ("b", "c"), ("c", "a"))
    }
    with connected(tmp_path, ring) as connections:
        meet = threading.Barrier(3)

        def ask(name: str) -> str:
            meet.wait()
            with pytest.raises(ConfigError) as caught:
                connections.adapter(name)
            return str(caught.value)

        with ThreadPoolExecutor(3) as pool:
            said = list(pool.map(ask, "abc"))
    assert [text.partition(": ")[2] for text in said] == ["a > b > c > a", "b > c > a > b", "c > a > b > c"]
