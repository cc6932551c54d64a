"""The JSON Schema of everything that ``-o json`` prints, made from the documents themselves."""

from __future__ import annotations

import sys
from typing import Any

from ecs_sync.render.documents import Plans
from ecs_sync.render.escape import dumps
from ecs_sync.render.listings import (
    Amendment,
    Archive,
    AuditTrail,
    AuditVerdict,
    Conflicts,
    Differences,
    Entries,
    History,
    Providers,
    RunDetails,
    Runs,
    StoreShown,
)
from ecs_sync.render.outcomes import Drifts, Reports
from ecs_sync.render.validated import Validation

Document = (
    Plans
    | Reports
    | Drifts
    | Entries
    | Amendment
    | History
    | Differences
    | Conflicts
    | Runs
    | RunDetails
    | AuditTrail
    | AuditVerdict
    | Archive
    | StoreShown
    | Providers
    | Validation
)


def schema() -> dict[str, Any]:
    """One schema for all documents; each names itself by its ``kind``."""
    from pydantic import TypeAdapter

    tree = TypeAdapter(Document).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What ecs-sync prints with -o json",
        **_closed(tree),
    }


def _closed(node: Any) -> Any:
    """Every object with fields of its own has no others, and has all of them."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(each) for name, each in node.items() if name != "title" or isinstance(each, dict)}
    if "properties" in closed:
        closed["additionalProperties"] = False
    return closed


if __name__ == "__main__":
    sys.stdout.write(dumps(schema()))
