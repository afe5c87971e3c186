"""``bioblobs card``: what a model was trained on, how well it does and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from bioblobs.config.parsing import Parser
from bioblobs.errors import printable


def main(args: Sequence[str]) -> int:
    """Print the card."""
    parser = Parser(
        prog="bioblobs card", description="Print a model's card: data, test scores, limits, classes."
    )
    parser.add_argument("model", help="a checkpoint, such as outputs/final_multistage_model.ckpt")
    options = parser.parse_args(args)
    from bioblobs.prediction.model import load

    print(printable(load(options.model, "cpu").describe()), end="")
    return 0
