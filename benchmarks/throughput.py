"""Items a second of an adapter next to a bare loop of its SDK: the same items and threads, in one run.

Each is written by itself, as a link writes it, or in the batch that the provider takes; then all are read.
Server and clients share one interpreter, so the ratio is what counts.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from benchmarks import calls_gcp_secrets, calls_vault
from ecs_sync.adapter import Adapter, Put
from ecs_sync_adapters.aws_secrets import SecretsAdapter
from ecs_sync_adapters.aws_secrets_options import SecretsOptions
from ecs_sync_adapters.aws_ssm import SsmAdapter, SsmOptions
from ecs_sync_adapters.consul import ConsulAdapter, ConsulOptions
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer

_THREADS = 8
_KEYS: dict[str, Any] = {
    "credential": "explicit",
    "access_key_id": "sandbox",
    "secret_access_key": "sandbox",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rate:
    """Items a second: ours, and those of the bare loop."""

    what: str
    ours: float
    bare: float


def _rate(do: Callable[[T], object], parts: Sequence[T], items: int) -> float:
    with ThreadPoolExecutor(_THREADS) as pool:
        begun = time.perf_counter()
        list(pool.map(do, parts))
        return items / (time.perf_counter() - begun)


def _parts(names: Sequence[str], size: int) -> list[list[str]]:
    return [list(names[start : start + size]) for start in range(0, len(names), size)]


def _create(adapter: Adapter, secret: bool) -> Callable[[list[str]], object]:
    return lambda names: adapter.write([Put(name, b"the value", None, secret=secret) for name in names])


def _read(adapter: Adapter) -> Callable[[list[str]], object]:
    return lambda names: list(adapter.get(names).pages)


def consul(items: int = 10_000) -> Iterator[Rate]:
    """Transactions of 64, against py-consul's."""
    from consul import Consul

    def bare(server: ConsulServer, verb: str, **more: object) -> Callable[[list[str]], object]:
        client = Consul(host="127.0.0.1", port=urlsplit(server.url).port)
        return lambda names: client.txn.put([{"KV": {"Verb": verb, "Key": name, **more}} for name in names])

    parts = _parts([f"app/{number:06}" for number in range(items)], 64)
    value = base64.b64encode(b"the value").decode()
    with ConsulServer() as mine, ConsulServer() as other:
        adapter = ConsulAdapter(ConsulOptions(mine.url))
        ours = _rate(_create(adapter, secret=False), parts, items)
        yield Rate("consul: create", ours, _rate(bare(other, "cas", Value=value, Index=0), parts, items))
        yield Rate(
            "consul: read", _rate(_read(adapter), parts, items), _rate(bare(other, "get"), parts, items)
        )
        adapter.close()


def ssm(items: int = 500) -> Iterator[Rate]:
    """A put a call and ten reads a call, against boto3's."""
    names = [f"/acme/prod/{number:04}" for number in range(items)]
    with AwsServer() as mine, AwsServer() as other:
        adapter = SsmAdapter(SsmOptions(mine.region, endpoint=mine.url, **_KEYS))
        client = other.client(max_pool_connections=_THREADS)

        def put(part: list[str]) -> object:
            return client.put_parameter(Name=part[0], Value="the value", Type="String", Overwrite=False)

        def read(part: list[str]) -> object:
            return client.get_parameters(Names=part, WithDecryption=True)

        ones, tens = _parts(names, 1), _parts(names, 10)
        ours = _rate(_create(adapter, secret=False), ones, items)
        yield Rate("aws-ssm: create", ours, _rate(put, ones, items))
        yield Rate("aws-ssm: read", _rate(_read(adapter), tens, items), _rate(read, tens, items))
        adapter.close()


def secrets_manager(items: int = 500) -> Iterator[Rate]:
    """A creation a call and twenty reads a call, against boto3's."""
    names = [f"acme/{number:04}" for number in range(items)]
    with AwsServer() as mine, AwsServer() as other:
        adapter = SecretsAdapter(SecretsOptions(mine.region, endpoint=mine.url, **_KEYS))
        client = other.client("secretsmanager", max_pool_connections=_THREADS)

        def put(part: list[str]) -> object:
            return client.create_secret(Name=part[0], SecretString="the value")

        def read(part: list[str]) -> object:
            return client.batch_get_secret_value(SecretIdList=part)

        ones, twenties = _parts(names, 1), _parts(names, 20)
        ours = _rate(_create(adapter, secret=True), ones, items)
        yield Rate("aws-secrets: create", ours, _rate(put, ones, items))
        yield Rate("aws-secrets: read", _rate(_read(adapter), twenties, items), _rate(read, twenties, items))
        adapter.close()


def vault(items: int = 1000) -> Iterator[Rate]:
    """KV 2 on a real OpenBao, against hvac's."""
    for what, ours, bare in calls_vault.rates(items):
        yield Rate(f"vault-kv2: {what}", ours, bare)


def gcp(items: int = 1000) -> Iterator[Rate]:
    """Two calls a creation and two a read, of which Google's bare client makes one."""
    ours, bare = calls_gcp_secrets.throughput(items)
    yield Rate("gcp-secrets: create and read", items / ours, items / bare)


def measure() -> None:
    print(f"{'':<30}{'a second':>10}{'bare SDK':>10}{'ratio':>8}")
    for measured in (consul, ssm, secrets_manager, vault, gcp):
        for rate in measured():
            print(
                f"{rate.what:<30}{rate.ours:>10,.0f}{rate.bare:>10,.0f}{rate.ours / rate.bare:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    measure()
