"""What becomes of a link when the rule that chose its connection chooses another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecs_sync_sandbox.consul import ConsulServer

from .world import World

CONFIGURATION = """\
store: {{url: "sqlite:///ecs-sync.db"}}
tenants:
  acme: {{region: {region}}}
connections:
  consul-eu: {{adapter: consul, url: "{eu}", group: consul, match: tenant.region == eu}}
  consul-us: {{adapter: consul, url: "{us}", group: consul, match: tenant.region == us}}
jobs:
  payments:
    scope: {{tenant: acme}}
    links:
      - {{connection: {connection}, place: acme/, mapping: path, {link}}}
"""


class Regions:
    """A world with a Consul in each of two regions."""

    def __init__(self, world: World, other: ConsulServer) -> None:
        self.world, self.other = world, other

    def configure(self, region: str, link: str, connection: str = "consul") -> None:
        words = {"region": region, "link": link, "connection": connection}
        text = CONFIGURATION.format(eu=self.world.consul.url, us=self.other.url, **words)
        (self.world.folder / "ecs-sync.yaml").write_text(text)


@pytest.fixture
def regions(world: World) -> Iterator[Regions]:
    with ConsulServer() as other:
        yield Regions(world, other)


def held(server: ConsulServer) -> dict[str, str]:
    pairs = {name: server.kv.read(f"acme/{name}")[1] for name in ("a", "b", "c")}
    return {name: (found[0].value or b"").decode() for name, found in pairs.items() if found}


TWO_WAY = "mode: two-way, priority: 50"


@pytest.mark.parametrize("mode", ["mode: mirror", TWO_WAY])
def test_a_rule_written_out_as_a_name_is_the_same_link(regions: Regions, mode: str) -> None:
    regions.configure("eu", mode)
    regions.world("set", "payments", "a", "1")
    assert regions.world("sync").code == 0
    regions.configure("eu", f"name: consul, {mode}", "consul-eu")
    planned = regions.world("plan")
    assert (planned.code, "first contact" in planned.out) == (0, False)
    regions.world.put("acme/a", "2")
    assert "consul moved" in regions.world("plan").out


@pytest.mark.parametrize("mode", ["mode: mirror", TWO_WAY])
def test_a_tenant_that_moves_is_met_for_the_first_time_and_loses_nothing(regions: Regions, mode: str) -> None:
    regions.configure("eu", mode)
    for name in ("a", "b"):
        regions.world("set", "payments", name, "1")
    assert regions.world("sync").code == 0
    regions.other.kv.put("acme/a", b"theirs", 0)
    regions.configure("us", mode)
    planned = regions.world("plan")
    assert "first contact" in planned.out
    assert "acme/a" in planned.out and "acme/b" in planned.out, "what is left behind at the former place"
    assert regions.world("sync").code == 5
    assert held(regions.other) == {"a": "theirs", "b": "1"}
    assert held(regions.world.consul) == {"a": "1", "b": "1"}
    assert regions.world("get", "payments", "a").out == "1\n"
    assert regions.world("get", "payments", "b").out == "1\n"
