"""``python -m ecs_sync``."""

from ecs_sync.cli import main

main()
