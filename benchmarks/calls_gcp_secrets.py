"""How many calls Secret Manager gets for a full read, a look that finds nothing new, writes and deletes.

The least is what the API allows: a page of 25,000 names a call, a call for the latest version of each
secret, a call for each value, two for a new secret. Each row says where ours come to more, and why.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import google_crc32c
import grpc
from google.cloud import secretmanager_v1 as sm
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from ecs_sync.adapter import Delete, Item, Put
from ecs_sync_adapters.gcp_secrets import GcpSecretsAdapter, GcpSecretsOptions, GcpSecretsPlace
from ecs_sync_sandbox.gcp_secrets import GcpSecretsServer

PLACE = GcpSecretsPlace("benchmark-")
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """What one thing cost: calls by method, the least there could be, and why ours are more."""

    what: str
    calls: Counter[str]
    least: int
    why: str = ""


def count(items: int, changed: int, deleted: int) -> Iterator[Row]:
    """The calls for ``items`` secrets, of which ``changed`` are updated and ``deleted`` deleted."""
    with GcpSecretsServer() as server:
        gcp = GcpSecretsAdapter(GcpSecretsOptions(server.project, endpoint=server.address, plaintext=True))

        def cost(do: Callable[[], object]) -> Counter[str]:
            before = len(server.requests)
            do()
            return Counter(each.method for each in server.requests[before:])

        names = [f"benchmark-{number:05}" for number in range(items)]
        calls = cost(lambda: [gcp.write([Put(name, b"1", None)]) for name in names])
        yield Row(f"create {items}", calls, 2 * items)
        listed: list[Item] = []
        calls = cost(lambda: listed.extend(_listed(gcp)))
        yield Row(f"look at {items}, nothing new", calls, 1 + items)
        calls += cost(lambda: list(gcp.get(names).pages))
        yield Row(f"read {items} in full", calls, 1 + items, _READ)
        at = {item.id: item.revision or "" for item in listed}
        calls = cost(lambda: [gcp.write([Put(name, b"2", at[name])]) for name in names[:changed]])
        yield Row(f"update {changed}", calls, changed)
        at = {item.id: item.revision or "" for item in _listed(gcp)}
        calls = cost(lambda: list(gcp.get(names[:deleted]).pages))
        calls += cost(lambda: [gcp.write([Delete(name, at[name])]) for name in names[:deleted]])
        yield Row(f"delete {deleted}, point reads included", calls, deleted, _DELETE)
        gcp.close()


_READ = (
    "a listing asks for each secret's version first, so that what stands still is never read; a value's call "
    "does not tell its time, without which a secret made anew would look like the old one: one more each"
)
_DELETE = (
    "two calls for the point read that precedes it; then its etag, and whether a version came since: a "
    "delete takes all versions along, and Secret Manager compares none of them"
)


def _listed(gcp: GcpSecretsAdapter) -> list[Item]:
    return [item for page in gcp.list(PLACE, None).pages for item in page.items]


def throughput(items: int) -> tuple[float, float]:
    """Seconds to create secrets and read them back with the same threads: ours, and Google's bare client.

    Ours makes a call more for each read, which is the time of the version.
    """
    names = [f"benchmark-{number:05}" for number in range(items)]

    def timed(write: Callable[[str], object], read: Callable[[str], object]) -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(write, names))
            list(pool.map(read, names))
        return time.perf_counter() - begun

    with GcpSecretsServer() as server:
        gcp = GcpSecretsAdapter(GcpSecretsOptions(server.project, endpoint=server.address, plaintext=True))
        ours = timed(
            lambda name: gcp.write([Put(name, b"value", None)]), lambda name: list(gcp.get([name]).pages)
        )
        gcp.close()
    with GcpSecretsServer() as server, grpc.insecure_channel(server.address) as channel:
        client = sm.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        parent = f"projects/{server.project}"

        def create(name: str) -> None:
            secret = sm.Secret(replication={"automatic": {}})
            client.create_secret(request={"parent": parent, "secret_id": name, "secret": secret})
            payload = {"data": b"value", "data_crc32c": google_crc32c.value(b"value")}
            client.add_secret_version(request={"parent": f"{parent}/secrets/{name}", "payload": payload})

        def read(name: str) -> None:
            name = f"{parent}/secrets/{name}/versions/latest"
            client.access_secret_version(request={"name": name})

        theirs = timed(create, read)
    return ours, theirs


def measure() -> None:
    for row in count(200, 50, 20):
        methods = ", ".join(f"{method} {number}" for method, number in sorted(row.calls.items()))
        print(f"{row.what:<36}  calls {row.calls.total():>5}  least {row.least:>5}  ({methods})")
        if row.why:
            print(f"    {row.why}")
    ours, theirs = throughput(1000)
    print(f"create and read 1000, {_THREADS} threads: {ours:.2f} s, Google's client {theirs:.2f} s")


if __name__ == "__main__":
    measure()
