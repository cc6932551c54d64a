"""Prints what the explorer finds: ``python -m protocol [deep | mistakes | seeds N]``, in ``tests``."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from .explorer import explore, wander
from .settings import DEEP, MISTAKES, SETTINGS, at_random
from .world import Setting, Violation


def _explore_all(settings: dict[str, Setting]) -> None:
    began, total = time.perf_counter(), 0
    for name, setting in settings.items():
        explored = explore(setting)
        total += explored.schedules
        print(f"{explored.schedules:>15,} schedules {explored.worlds:>10,} worlds  {name}", flush=True)
    spent = time.perf_counter() - began
    print(f"{total:>15,} schedules in {spent:.0f} s: {total / spent:,.0f} in a second")


def _explore_mistakes() -> None:
    for name, setting in MISTAKES.items():
        try:
            explore(replace(setting, wrong=frozenset({name})))
            print(f"{'':>15} SURVIVED  {name}")
        except Violation as violation:
            print(f"{violation.schedules:>15,} schedules  {name}: {violation.args[0]}", flush=True)


def _wander(seeds: int) -> None:
    began = time.perf_counter()
    for seed in range(seeds):
        try:
            wander(at_random(seed), seed)
        except Violation as violation:
            print(f"seed {seed}: {violation}")
    print(f"{seeds:,} random schedules in {time.perf_counter() - began:.0f} s")


match sys.argv[1:]:
    case []:
        _explore_all(SETTINGS)
    case ["deep"]:
        _explore_all(DEEP)
    case ["mistakes"]:
        _explore_mistakes()
    case ["seeds", count]:
        _wander(int(count))
    case _:
        sys.exit(__doc__)
