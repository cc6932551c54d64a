"""How often Vault is asked for looks, reads, writes and deletes, next to the least that its API allows.

Where ours are more, the row says why. Calls are those of a log before a real OpenBao server. Then the
writes and reads of a second, next to a bare loop of hvac with as many threads.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import hvac

from ecs_sync.adapter import Delete, Item, Put
from ecs_sync_adapters.vault_kv1 import VaultKv1Adapter
from ecs_sync_adapters.vault_kv2 import VaultKv2Adapter
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace
from ecs_sync_sandbox.openbao import ROOT_TOKEN, OpenBaoServer, front

_ALL = VaultPlace("/")
_FOLDERS = 4
_THREADS = 8
Adapter = VaultKv1Adapter | VaultKv2Adapter


@dataclass(frozen=True, slots=True)
class Row:
    """What one thing cost: calls by method, the least there could be, and why ours are more."""

    what: str
    calls: Counter[str]
    least: int
    why: str = ""


def _value(number: int, turn: int) -> bytes:
    return json.dumps({"password": f"{turn}-{number}", "user": "app"}).encode()


def _name(number: int) -> str:
    return f"app{number % _FOLDERS}/secret{number:05}"


def counts(version: int, secrets: int, written: int, deleted: int) -> Iterator[Row]:
    """The calls for so many secrets in four folders, of which some are updated and some deleted."""
    with OpenBaoServer() as bao, front(bao.url) as door:
        bao.mount("bench", version=version)
        options = VaultOptions(door.url, "bench", token=ROOT_TOKEN)
        vault: Adapter = VaultKv2Adapter(options) if version == 2 else VaultKv1Adapter(options)

        def cost(do: Callable[[], object]) -> Counter[str]:
            before = len(door.requests)
            do()
            return Counter(request.method for request in door.requests[before:])

        list(vault.get([_name(0)]).pages)  # the connection's token, and of KV 1 its mount, are looked up once
        names = [_name(number) for number in range(secrets)]
        puts = [Put(name, _value(number, 1), None) for number, name in enumerate(names)]
        least = secrets + _FOLDERS + 1
        double = "" if version == 2 else _COMPARED
        yield Row(f"create {secrets}", cost(lambda: [vault.write([put]) for put in puts]), secrets, double)
        listed: list[Item] = []
        calls = cost(lambda: listed.extend(_listed(vault)))
        yield Row(f"look at {secrets}, nothing new", calls, least)
        if version == 2:
            calls += cost(lambda: list(vault.get(names).pages))
            yield Row(f"read {secrets} in full", calls, least, _READ)
        at = {item.id: item.revision or "" for item in listed}
        puts = [Put(name, _value(n, 2), at[name]) for n, name in enumerate(names[:written])]
        calls = cost(lambda: [vault.write([put]) for put in puts])
        yield Row(f"update {written}", calls, written, _LOOKED if version == 2 else _COMPARED)
        at = {item.id: item.revision or "" for item in _listed(vault)}
        calls = cost(lambda: list(vault.get(names[:deleted]).pages))
        calls += cost(lambda: [vault.write([Delete(name, at[name])]) for name in names[:deleted]])
        yield Row(f"delete {deleted}, point reads included", calls, 2 * deleted, double)
        vault.close()


_READ = "a listing asks for each secret's version first, so that what stands still is never read"
_LOOKED = "a look at the metadata first: a conditional write would bring back what was deleted meanwhile"
_COMPARED = "KV 1 compares nothing, so a read comes right before each write"


def _listed(vault: Adapter) -> list[Item]:
    return [item for page in vault.list(_ALL, None).pages for item in page.items]


def rates(secrets: int) -> Iterator[tuple[str, float, float]]:
    """What is done, our number of it in a second, and that of a bare loop, both with eight threads."""
    with OpenBaoServer() as bao, ThreadPoolExecutor(_THREADS) as pool:
        vault = VaultKv2Adapter(VaultOptions(bao.url, token=ROOT_TOKEN))
        bare = hvac.Client(bao.url, ROOT_TOKEN).secrets.kv.v2
        numbers = range(secrets)

        def rate(do: Callable[[int], object]) -> float:
            begun = time.perf_counter()
            list(pool.map(do, numbers))
            return secrets / (time.perf_counter() - begun)

        ours = rate(lambda n: vault.write([Put(f"ours/{n}", _value(n, 1), None)]))
        theirs = rate(lambda n: bare.create_or_update_secret(f"bare/{n}", json.loads(_value(n, 1)), cas=0))
        yield "creations", ours, theirs
        ours = rate(lambda n: list(vault.get([f"ours/{n}"]).pages))
        theirs = rate(lambda n: bare.read_secret_version(f"bare/{n}", raise_on_deleted_version=False))
        yield "reads", ours, theirs
        vault.close()


def measure() -> None:
    for version in (2, 1):
        for row in counts(version, 200, 50, 20):
            methods = ", ".join(f"{method} {number}" for method, number in sorted(row.calls.items()))
            told = f"calls {row.calls.total():>5}  least {row.least:>5}  ({methods})"
            print(f"KV {version}  {row.what:<36}  {told}")
            if row.calls.total() > row.least:
                print(f"    {row.why}")
    for what, ours, theirs in rates(1000):
        print(f"{what} a second: {ours:,.0f}, bare hvac {theirs:,.0f}, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    measure()
