"""DVC stage ``train_stage0``: baseline training, a LightningCLI (``fit --config params.yaml``)."""

from __future__ import annotations

from collections.abc import Sequence

from bioblobs.errors import one_line_errors
from bioblobs.training.stage import Stage0CLI


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        Stage0CLI(args)
