"""Help of a training stage without its libraries, which take seconds to load."""

from __future__ import annotations

from collections.abc import Sequence

from bioblobs.config.parsing import parameter_parser

MORE = """
--trainer.NAME VALUE sets an argument of Lightning's Trainer that no key sets, and --ckpt_path FILE goes on
from a checkpoint: `fit --config params.yaml --print_config` shows them all with their values.
A key may also be written as key=value after `bioblobs stage`."""


def helped(stage: str, args: Sequence[str]) -> bool:
    """Print the help of a training stage if the words ask for it; return whether they did."""
    words = [word for word in args if word != "fit"]
    if words not in (["--help"], ["-h"]):
        return False
    parser = parameter_parser(f"Train: {stage} fit --config params.yaml [--key value ...]")
    parser.prog = f"python -m bioblobs.stages {stage} fit"
    parser.print_help()
    print(MORE)  # noqa: T201
    return True
