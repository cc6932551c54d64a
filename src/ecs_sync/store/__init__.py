"""The canonical store: versioned entries, bases, intents, runs, leases and the audit chain.

Importing this package, or its records, imports no SQLAlchemy: `Store` and its companions are loaded
when they are first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecs_sync.store.ids import new_id
from ecs_sync.store.records import (
    UNDONE,
    Archived,
    AuditRecord,
    AuditReport,
    Base,
    Candidate,
    Conflict,
    Desired,
    Done,
    EntryChange,
    Held,
    Intent,
    Known,
    Lease,
    Operation,
    OwnWrite,
    Referred,
    Run,
    RunState,
    Seen,
    Stored,
    Target,
    Track,
    Version,
)

if TYPE_CHECKING:
    from ecs_sync.store.crypto import Cipher
    from ecs_sync.store.keys import FileKeys
    from ecs_sync.store.schedule import Schedule, Turn
    from ecs_sync.store.store import Store
    from ecs_sync.store.transaction import Transaction

_LAZY = {
    "Cipher": "ecs_sync.store.crypto",
    "FileKeys": "ecs_sync.store.keys",
    "Schedule": "ecs_sync.store.schedule",
    "Store": "ecs_sync.store.store",
    "Transaction": "ecs_sync.store.transaction",
    "Turn": "ecs_sync.store.schedule",
}

__all__ = [
    "UNDONE",
    "Archived",
    "AuditRecord",
    "AuditReport",
    "Base",
    "Candidate",
    "Cipher",
    "Conflict",
    "Desired",
    "Done",
    "EntryChange",
    "FileKeys",
    "Held",
    "Intent",
    "Known",
    "Lease",
    "Operation",
    "OwnWrite",
    "Referred",
    "Run",
    "RunState",
    "Schedule",
    "Seen",
    "Store",
    "Stored",
    "Target",
    "Track",
    "Transaction",
    "Turn",
    "Version",
    "new_id",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
