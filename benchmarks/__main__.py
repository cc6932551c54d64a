"""`python -m benchmarks [NAME…]`: counts first, ratios in one run second, seconds last."""

from __future__ import annotations

import sys

from benchmarks import end_to_end, planner, start_up, unchanged

ALL = {
    "planner": planner.measure,
    "unchanged": unchanged.measure,
    "consul": end_to_end.measure_consul,
    "ssm": end_to_end.measure_ssm,
    "start-up": start_up.measure,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 64
    for name in names or ALL:
        print(f"== {name}")
        ALL[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
