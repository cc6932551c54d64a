"""`python -m benchmarks [NAME…]`: counts first, ratios in one run second, seconds last."""

from __future__ import annotations

import sys

from benchmarks import (
    calls,
    calls_aws_appconfig,
    calls_aws_secrets,
    calls_azure_appconfig,
    calls_azure_keyvault,
    calls_gcp_secrets,
    calls_vault,
    end_to_end,
    planner,
    rotation,
    start_up,
    throughput,
    unchanged,
)

ALL = {
    "calls": calls.measure,
    "unchanged": unchanged.measure,
    "planner": planner.measure,
    "throughput": throughput.measure,
    "consul": end_to_end.measure_consul,
    "ssm": end_to_end.measure_ssm,
    "start-up": start_up.measure,
}
BY_NAME = {
    "calls-aws-appconfig": calls_aws_appconfig.measure,
    "calls-aws-secrets": calls_aws_secrets.measure,
    "calls-azure-appconfig": calls_azure_appconfig.measure,
    "calls-azure-keyvault": calls_azure_keyvault.measure,
    "calls-gcp-secrets": calls_gcp_secrets.measure,
    "calls-vault": calls_vault.measure,
    "rotation": rotation.measure,
}
"""Those that look at one provider closely, or take minutes; measured where they are named."""


def main(names: list[str]) -> int:
    known = {**ALL, **BY_NAME}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 64
    for name in names or ALL:
        print(f"== {name}")
        known[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
