"""A run that has nothing to do: how often it calls, and that it writes nothing."""

from __future__ import annotations

from benchmarks.ground import ground
from ecs_sync.sync import Order, run
from ecs_sync_sandbox.aws import AwsServer
from ecs_sync_sandbox.consul import ConsulServer


def measure() -> None:
    print(f"{'place':<8}  {'keys':>6}  {'calls':>6}  {'least':>6}  {'writes':>6}  {'base rows moved':>15}")
    with (
        ConsulServer() as consul,
        ground(1000, f'adapter: consul, url: "{consul.url}"', "benchmark/") as bench,
    ):
        job = bench.job("job")
        for _ in range(2):
            run(job, bench.store, Order("benchmark"))
        before, version = len(consul.requests), bench.store.head()
        report = run(job, bench.store, Order("benchmark"))
        _row(
            "consul",
            1000,
            len(consul.requests) - before,
            1,
            len(report.carried),
            bench.store.head() - version,
        )
    settings = "credential: explicit, access_key_id: env:BENCH_ID, secret_access_key: env:BENCH_KEY"
    with (
        AwsServer() as aws,
        ground(
            200,
            f'adapter: aws-ssm, region: eu-west-1, endpoint: "{aws.url}", {settings}, '
            "pace: {rate: 10000, write_rate: 10000}",
            "/benchmark/app/",
        ) as bench,
    ):
        job = bench.job("job")
        for _ in range(2):
            run(job, bench.store, Order("benchmark"))
        before, version = len(aws.requests), bench.store.head()
        report = run(job, bench.store, Order("benchmark"))
        _row("ssm", 200, len(aws.requests) - before, 4, len(report.carried), bench.store.head() - version)


def _row(place: str, keys: int, calls: int, least: int, writes: int, moved: int) -> None:
    print(f"{place:<8}  {keys:>6}  {calls:>6}  {least:>6}  {writes:>6}  {moved:>15}")
