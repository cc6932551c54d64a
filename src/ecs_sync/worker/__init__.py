"""The daemon: one planner with a carrier.

A *tick* turns due jobs into runs that wait in the store, and hands their ids to the carrier; *execute*
carries one out under its job's lease. Whatever must survive a process, or be agreed on by several, is in
the store: any number of workers may use it at once, together with people.
"""

from ecs_sync.worker.daemon import Shift, work
from ecs_sync.worker.logs import open_log

__all__ = ["Shift", "open_log", "work"]
