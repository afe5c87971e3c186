"""Summary of a run's checkpoints: files, epochs and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def checkpoint_summary(
    final: Path, stages: Sequence[Path], cards: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the final model and the checkpoints of both stages.

    Args:
        final: file of the final model.
        stages: final checkpoint of each stage.
        cards: card of each stage's final checkpoint.
        scores: test scores by predictor.
    """
    summary: dict[str, Any] = {"final_model": final.name}
    for stage, (path, card) in enumerate(zip(stages, cards, strict=True)):
        folder = path.parent
        best = sorted(folder.glob(f"best-stage{stage}-*.ckpt"))
        summary[f"stage_{stage}"] = {
            "best": f"{folder.name}/{best[0].name}" if best else None,
            "last": f"{folder.name}/last.ckpt",
            "final": f"{folder.name}/{path.name}",
            "epoch": card["epoch"],
            "validation": card["validation"],
            "test": scores[f"stage{stage}"],
        }
    return summary | {
        "baselines": {name: own for name, own in scores.items() if not name.startswith("stage")}
    }
