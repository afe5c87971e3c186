"""Search for good parameters: Optuna proposes, each trial is a DVC experiment."""
