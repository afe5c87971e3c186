"""Predictions on the terminal: which model, how good it is, and one line per chain."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bioblobs.checkpoints.card import own_title
from bioblobs.inference.chain import Blob
from bioblobs.io import few_chains, interval
from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
from bioblobs.report.model_card import best_baseline

SHOWN = 20
"""Chains that get a line; the others are counted."""
TITLES = {
    "enzymecommission": "EC number",
    "geneontology": "GO molecular function",
    "proteinfamily": "Pfam family",
    "scop": "SCOP",
}


def about_model(card: Mapping[str, Any], path: str, temperature: float | None = None) -> list[str]:
    """Name and classes of a model, its test score, and a loud line where no score is above the baselines.

    Args:
        temperature: that its logits are divided by; None: they are as trained.
    """
    lines = [f"model: {path}, {with_classes(card)}"]
    if temperature is not None:
        lines.append(f"logits, base and contributions divided by the temperature {temperature:.3f}")
    name = "fmax" if card["multilabel"] else "accuracy"
    if (own := card.get("test", {}).get(name)) is None:
        return lines
    said = f"test {name.replace('_', ' ')} {interval(own)}"
    few = [f"WARNING: {note}"] if (note := few_chains(card.get("test_proteins"))) else []
    found = best_baseline(card)
    lines.append(f"{said}; best baseline, {found[0]}: {found[1]:.3f}" if found else said)
    if temperature is None and (measured := card.get("calibration")):
        done = f"{measured['ece_scaled']:.3f} with --calibrated"
        lines.append(f"calibration error {measured['ece']:.3f}; {done}")
    if found and not found[2]:
        lines.append(f"WARNING: this model is no better than its best baseline ({name} {found[1]:.3f})")
    return lines + few


def title(card: Mapping[str, Any]) -> str:
    """Name of what a model predicts; labels of one's own are not called by the name of a task."""
    data = card["data"]
    if named := card.get("task_title") or own_title(data, len(card["classes"])):
        return str(named)
    if card["task"] == "scop":
        return f"SCOP {data.get('scop_level', '')}".strip()
    return TITLES.get(card["task"], card["task"])


def with_classes(card: Mapping[str, Any]) -> str:
    """Name of what a model predicts, with the number of classes."""
    count, named = f"{len(card['classes'])} classes", title(card)
    return named if named.endswith(f", {count}") else f"{named}, {count}"


def chain_lines(chains: Sequence[ChainPrediction]) -> list[str]:
    """One aligned line per chain: id, class, probability, residues of the top blob."""
    cells = [(chain.id, _class(chain), f"{chain.probability:.2f}", _top(chain.blobs)) for chain in chains]
    rows = [("chain", "class", "probability", "blob that argues most for it"), *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    ]


def first_chains(
    structures: Iterable[StructurePrediction], seen: list[ChainPrediction]
) -> Iterator[StructurePrediction]:
    """Pass structures on, and keep their first :data:`SHOWN` chains in ``seen``."""
    for structure in structures:
        seen += structure.chains[: SHOWN - len(seen)]
        yield structure


def ranges(numbers: Iterable[str]) -> str:
    """Author numbers in runs: 12, 13, 14, 52A -> ``12-14, 52A``."""
    runs: list[list[str]] = []
    for number in numbers:
        plain = re.fullmatch(r"-?\d+", number)
        last = runs[-1][-1] if runs else ""
        if plain and re.fullmatch(r"-?\d+", last) and int(number) == int(last) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _class(chain: ChainPrediction) -> str:
    names = chain.predicted_names
    return ", ".join(itertools.chain(names[:2], ["..."] if len(names) > 2 else [])) or "none"


def _top(blobs: Sequence[Blob]) -> str:
    """Residues of the first blob, and what it brings; empty without blobs."""
    if not blobs:
        return ""
    first = blobs[0]
    brings = f"importance {first.importance:.2f}"
    if first.contribution is not None:
        brings = f"{first.contribution:+.2f}"
    return f"{ranges(first.numbers)} ({brings})"
