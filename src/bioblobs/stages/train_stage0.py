"""DVC stage ``train_stage0``: baseline training, a LightningCLI (``fit --config params.yaml``)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bioblobs.config.training_help import helped
from bioblobs.errors import one_line_errors


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage; help comes without loading torch and Lightning."""
    words = list(sys.argv[1:] if args is None else args)
    if helped("train_stage0", words):
        return
    from bioblobs.training.stage import Stage0CLI

    with one_line_errors():
        Stage0CLI(words)
