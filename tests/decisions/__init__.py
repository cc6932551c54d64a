"""What the pure decision rooms, `ecs_sync.diff` and `ecs_sync.policy`, promise."""
