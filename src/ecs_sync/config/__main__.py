"""``python -m ecs_sync.config schema`` and ``python -m ecs_sync.config reference``, to standard output."""

from __future__ import annotations

import json
import sys

from ecs_sync.config.reference import reference
from ecs_sync.config.schema import schema

match sys.argv[1:]:
    case ["schema"]:
        sys.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    case ["reference"]:
        sys.stdout.write(reference())
    case _:
        sys.exit("say schema or reference")
