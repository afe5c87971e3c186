"""Lightning module and CLI, losses and schedules, checkpoints."""
