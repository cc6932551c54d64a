"""Whole runs against the bare SDK: list, write, and read back the same keys with the same concurrency."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from benchmarks.ground import entries, ground
from ecs_sync.sync import Order, run
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer

_THREADS = 8
_SECRETS = "credential: explicit, access_key_id: env:BENCH_ID, secret_access_key: env:BENCH_KEY"
os.environ.setdefault("BENCH_ID", "benchmark")
os.environ.setdefault("BENCH_KEY", "benchmark")


def _chunks(items: Sequence[tuple[str, str]], size: int) -> list[list[tuple[str, str]]]:
    stream = iter(items)
    return list(iter(lambda: list(islice(stream, size)), []))


def _create(key: str, value: str) -> dict[str, dict[str, object]]:
    encoded = base64.b64encode(value.encode()).decode()
    return {"KV": {"Verb": "cas", "Key": f"bare/{key}", "Value": encoded, "Index": 0}}


def _bare_consul(server: ConsulServer, count: int) -> None:
    import consul

    client = consul.Consul(host="127.0.0.1", port=int(server.url.rsplit(":", 1)[1]))
    client.kv.get("bare/", recurse=True)

    def write(chunk: list[tuple[str, str]]) -> None:
        operations = [_create(key, value) for key, value in chunk]
        client.txn.put(operations)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, _chunks(list(entries(count).items()), 64)))
    _, back = client.kv.get("bare/", recurse=True)
    assert len(back) == count


def measure_consul(count: int = 10_000) -> None:
    with (
        ConsulServer() as server,
        ground(count, f'adapter: consul, url: "{server.url}"', "benchmark/") as bench,
    ):
        job = bench.job("job")
        begun, calls = time.perf_counter(), len(server.requests)
        report = run(job, bench.store, Order("benchmark"))
        ours, our_calls = time.perf_counter() - begun, len(server.requests) - calls
        assert len(report.proved) == count
        begun, calls = time.perf_counter(), len(server.requests)
        _bare_consul(server, count)
        theirs, their_calls = time.perf_counter() - begun, len(server.requests) - calls
    _told("consul", count, (our_calls, ours), (their_calls, theirs))


def _bare_ssm(server: AwsServer, count: int) -> None:
    client = server.client()
    list(client.get_paginator("get_parameters_by_path").paginate(Path="/bare/app", Recursive=True))

    def write(pair: tuple[str, str]) -> None:
        client.put_parameter(Name=f"/bare/app/{pair[0]}", Value=pair[1], Type="String", Overwrite=False)

    def read(chunk: list[tuple[str, str]]) -> None:
        client.get_parameters(Names=[f"/bare/app/{k}" for k, _ in chunk], WithDecryption=True)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, entries(count).items()))
        list(pool.map(read, _chunks(list(entries(count).items()), 10)))


def measure_ssm(count: int = 500) -> None:
    with (
        AwsServer() as server,
        ground(
            count,
            f'adapter: aws-ssm, region: eu-west-1, endpoint: "{server.url}", {_SECRETS}, '
            "pace: {rate: 10000, write_rate: 10000}",
            "/benchmark/app/",
        ) as bench,
    ):
        job = bench.job("job")
        begun, calls = time.perf_counter(), len(server.requests)
        report = run(job, bench.store, Order("benchmark"))
        ours, our_calls = time.perf_counter() - begun, len(server.requests) - calls
        assert len(report.proved) == count
        begun, calls = time.perf_counter(), len(server.requests)
        _bare_ssm(server, count)
        theirs, their_calls = time.perf_counter() - begun, len(server.requests) - calls
    _told("ssm", count, (our_calls, ours), (their_calls, theirs))


def _told(place: str, count: int, ours: tuple[int, float], theirs: tuple[int, float]) -> None:
    print(f"{place}: {count} keys, imported from a file and mirrored")
    print(f"  calls    {ours[0]:>6}   bare SDK {theirs[0]:>6}   ratio {ours[0] / theirs[0]:.2f}")
    print(f"  seconds  {ours[1]:>6.2f}   bare SDK {theirs[1]:>6.2f}   ratio {ours[1] / theirs[1]:.2f}")
