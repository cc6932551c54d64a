"""How a change by hand is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_sync.exits import Exit

if TYPE_CHECKING:
    from ecs_sync.amend import Amended
    from ecs_sync.cli.calling import Call
    from ecs_sync.workbench import Workbench


def answered(call: Call, bench: Workbench, amended: Amended, job: str, verb: str) -> int:
    """Prints what was amended; the exit code: 4 where something was left."""
    from ecs_sync.render.listed import amendment_page
    from ecs_sync.render.listings import Amendment

    document = Amendment(
        "amendment",
        Exit.PARTLY if amended.left else Exit.DONE,
        job,
        verb,
        amended.version,
        [key.text for key in amended.committed],
        [(link, key.text) for link, key in amended.written],
        [(key.text, why) for key, why in amended.left],
    )
    call.answer(document, amendment_page(document, call.showing(bench)))
    return document.exit
