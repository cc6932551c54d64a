"""The behaviours that `ecs_sync.testing.adapter_contract` is made of, by what they look at."""
