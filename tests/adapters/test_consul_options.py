"""Where a Consul connection leads: places, options, namespaces and partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecs_sync.adapter import Delete, Put, Verdict
from ecs_sync.errors import Rejected, Unavailable
from ecs_sync_adapters.consul import ConsulAdapter
from ecs_sync_adapters.consul_options import ConsulOptions, ConsulPlace
from ecs_sync_sandbox.consul import ConsulServer
from tests.adapters.consul_sandbox import CANARY, PLACE, create, one, read, token_of


@pytest.fixture
def server() -> Iterator[ConsulServer]:
    with ConsulServer() as running:
        yield running


# ---- places and options -------------------------------------------------------------------------------


def test_a_place_without_its_slash_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(ValueError, match="write 'acme/prod/'"):
        ConsulPlace.parse("acme/prod")
    with pytest.raises(ValueError, match="write 'acme/'"):
        ConsulPlace.parse("/acme/")


@pytest.mark.parametrize("text", ["", "a//b/", "a/../b/", "./", "a/\n/", "//"])
def test_a_place_that_clients_and_servers_would_rewrite_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ConsulPlace.parse(text)


def test_places_overlap_where_one_lies_in_the_other() -> None:
    whole, outer, inner, other = map(ConsulPlace.parse, ("/", "a/", "a/b/", "ab/"))
    assert (whole.root, outer.root, str(whole), str(inner)) == ("", "a/", "/", "a/b/")
    assert whole.overlaps(other)
    assert outer.overlaps(inner)
    assert inner.overlaps(outer)
    assert not outer.overlaps(other)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "consul:8500"),
        ("url", "http://[::1"),
        ("url", "http://user:pass@consul:8500"),
        ("url", "http://consul:8500/?token=x"),
        ("timeout", 0.0),
        ("timeout", float("nan")),
        ("operations", 0),
        ("operations", 129),
        ("token", ""),
        ("token", f"{CANARY}\n"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name_and_without_its_value(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: ") as caught:
        ConsulOptions(**{option: value})
    assert CANARY not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_the_token_is_in_no_repr() -> None:
    options = ConsulOptions(token=CANARY)
    adapter = ConsulAdapter(options)
    for shown in (options, adapter, *vars(adapter).values()):
        assert CANARY not in repr(shown)


# ---- namespaces and partitions of the enterprise edition ----------------------------------------------


@pytest.fixture
def enterprise() -> Iterator[ConsulServer]:
    with ConsulServer(edition="enterprise") as running:
        yield running


@pytest.mark.parametrize(
    "tenancy",
    [{"namespace": "team"}, {"partition": "eu"}, {"namespace": "team", "partition": "eu"}],
    ids=["namespace", "partition", "both"],
)
def test_a_namespace_or_partition_goes_with_every_call(
    enterprise: ConsulServer, tenancy: dict[str, str]
) -> None:
    own = enterprise.made(tenancy.get("partition", "default"), tenancy.get("namespace", "default"))
    adapter = one(enterprise, **tenancy)
    revisions = create(adapter, a=b"1", b=b"2")
    large = b"x" * 450_000
    [outcome] = adapter.write([Put("acme/prod/large", large, None)])
    assert outcome.verdict is Verdict.APPLIED
    assert own.keys() == ["acme/prod/a", "acme/prod/b", "acme/prod/large"]
    assert [item.value for item in read(adapter.list(PLACE, None))[0]] == [b"1", b"2", large]
    assert [item.value for item in read(adapter.get(["acme/prod/a"]))[0]] == [b"1"]
    assert adapter.list(PLACE, token_of(adapter)).unchanged
    assert not adapter.watch(PLACE, token_of(adapter), 0.01)
    adapter.write([Delete("acme/prod/a", revisions["acme/prod/a"])])
    assert "acme/prod/a" not in own.keys()  # noqa: SIM118  not a mapping
    assert enterprise.kv.keys() == []
    names = {"namespace": "ns", "partition": "partition"}
    for request in enterprise.requests:
        assert {name: request.query.get(names[name]) for name in tenancy} == tenancy


def test_namespaces_do_not_see_each_other(enterprise: ConsulServer) -> None:
    enterprise.made(namespace="team")
    default, team = one(enterprise), one(enterprise, namespace="team")
    create(default, a=b"default")
    create(team, a=b"team")
    assert [item.value for item in read(default.list(PLACE, None))[0]] == [b"default"]
    assert [item.value for item in read(team.list(PLACE, None))[0]] == [b"team"]


@pytest.mark.parametrize("tenancy", [{"namespace": "team"}, {"partition": "eu"}])
def test_the_community_edition_never_takes_what_was_meant_for_a_namespace(
    server: ConsulServer, tenancy: dict[str, str]
) -> None:
    # It overlooks the namespace of a transaction, and would write into its only one.
    attempts: list[Any] = [
        lambda adapter: adapter.write([Put("acme/prod/a", b"1", None)]),
        lambda adapter: read(adapter.get(["acme/prod/a"])),
        lambda adapter: read(adapter.list(PLACE, None)),
    ]
    for attempt in attempts:
        with pytest.raises(Rejected, match="community edition"):
            attempt(one(server, **tenancy))
    assert server.kv.keys() == []


def test_a_write_that_was_not_sent_for_want_of_a_namespace_is_no_unknown_outcome(
    enterprise: ConsulServer,
) -> None:
    enterprise.made(namespace="team")
    adapter = one(enterprise, namespace="team")
    enterprise.fail_next(500, body="internal error")
    with pytest.raises(Unavailable):
        adapter.write([Put("acme/prod/a", b"1", None)])
    [outcome] = adapter.write([Put("acme/prod/a", b"1", None)])
    assert outcome.verdict is Verdict.APPLIED


@pytest.mark.parametrize("text", ["", "-team", "a b", "a/b", "x" * 65, "team-"])
@pytest.mark.parametrize("option", ["namespace", "partition"])
def test_a_name_that_no_namespace_has_is_refused(option: str, text: str) -> None:
    with pytest.raises(ValueError, match=option):
        ConsulOptions(**{option: text})


@pytest.mark.parametrize(
    ("option", "value"),
    [("timeout", 1e300), ("datacenter", ""), ("datacenter", "a/b"), ("url", "http://a:0")],
)
def test_an_option_that_would_only_fail_later_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: "):
        ConsulOptions(**{option: value})


def test_all_that_is_wrong_with_the_options_is_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        ConsulOptions(url="consul", timeout=0, operations=0, namespace="-")
    assert all(f"{name}: " in str(caught.value) for name in ("url", "timeout", "operations", "namespace"))
