"""A model's card as Markdown: what it is, what it was trained on, how well it does, where it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bioblobs.io import few_chains, interval
from bioblobs.prediction.limits import Limits
from bioblobs.prediction.lines import with_classes
from bioblobs.report.model_card import best_baseline

SHOWN_CLASSES = 30
"""Classes that the card lists; the others are counted."""


def as_markdown(card: Mapping[str, Any], name: str) -> str:
    """Write the card; what a checkpoint of an intermediate stage does not know is left out."""
    parts = [
        _title(card, name),
        _explanation(card),
        _data(card),
        _scores(card),
        _limits(card),
        _classes(card),
        _origin(card),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(card: Mapping[str, Any], name: str) -> list[str]:
    kind = "several classes per chain" if card["multilabel"] else "one class per chain"
    stage = "fine-tuned, with codebook" if card["with_codebook"] else "baseline, without codebook"
    return [
        f"# {name}",
        "",
        f"BioBlobs classifier of protein chains by 3-D structure: {with_classes(card)} ({kind}). "
        f"Stage {card['stage']}: {stage}.",
    ]


HEADS = {
    "additive": "Each blob gives every class an amount of evidence, and the evidence adds up to the logits: "
    "contributions are exact parts of that sum. Importance is a blob's share of the positive ones.",
    "full": "Attention over the blobs, with the pooled residues beside it. A blob's importance is its "
    "attention weight, which is not a part of the prediction.",
    "blobs": "Attention over the blobs alone. A blob's importance is its attention weight, which is not a "
    "part of the prediction.",
}
VIEWS = {
    "alone": "Each blob is read as a protein of its own: its embedding has seen nothing outside the blob and "
    "the chain neighbours of its residues.",
    "context": "Blobs are read in context: a blob's embedding has seen residues outside the blob.",
}
CODES = {
    "quantised": "The readout gets a blob's code: blobs of one code give the same evidence.",
    "raw": "They name blobs that are alike; evidence is that of the blob itself, and differs within a code.",
}
MEASURED = {
    "additive": "What contributions mean for structures (what changes if a blob's residues are removed)",
    "attention": "Whether important blobs decide (what changes if their residues are removed)",
}


def _explanation(card: Mapping[str, Any]) -> list[str]:
    head, view = card["architecture"]["head"], card["architecture"]["blob_view"]
    return [
        "## Explanation",
        "",
        f"- head: `{head}`. {HEADS[head]}",
        f"- view of blobs: `{view}`. {VIEWS[view]}",
        *_codes(card),
        f"- {MEASURED.get(head, MEASURED['attention'])} is measured in metrics/faithfulness.json of the run "
        "that made the model.",
    ]


def _codes(card: Mapping[str, Any]) -> list[str]:
    """Whether evidence is a code's or a blob's own."""
    if not card["with_codebook"]:
        return []
    seen = card["architecture"].get("blob_input", "quantised")
    return [f"- codes: {card['architecture']['codebook_size']}. {CODES[seen]}"]


def _data(card: Mapping[str, Any]) -> list[str]:
    data = card["data"]
    lines = [
        "## Data",
        "",
        f"- source: {data.get('source')}, split by {card['split_column']}",
        f"- residue graph: {data.get('edge_types')}",
    ]
    if training := card.get("training"):
        chains, length = training["chains"], training["length"]
        lines += [
            f"- chains: {chains['train']} for training, {chains['val']} for validation, "
            f"{chains['test']} for testing",
            f"- length of training chains: {length['shortest']} to {length['longest']} residues, "
            f"median {length['median']:g}",
        ]
    return lines


def _scores(card: Mapping[str, Any]) -> list[str]:
    if "test" not in card:
        return []
    rows = [f"| {name.replace('_', ' ')} | {interval(score)} |" for name, score in card["test"].items()]
    return [
        f"## Test scores ({card['test_proteins']} chains that training never saw)",
        "",
        "| score | value (bootstrap 95 % interval) |",
        "| --- | --- |",
        *rows,
        *_compared(card),
        *_calibration(card),
        *(["", note] if (note := few_chains(card["test_proteins"])) else []),
    ]


def _compared(card: Mapping[str, Any]) -> list[str]:
    """The best baseline, and a warning where the model is not above it."""
    if not (found := best_baseline(card)):
        return []
    key, best, above = found
    warning = "" if above else " **This model is no better.**"
    return ["", f"Best baseline, {key}: {'Fmax' if card['multilabel'] else 'accuracy'} {best:.3f}.{warning}"]


def _calibration(card: Mapping[str, Any]) -> list[str]:
    """Calibration error on the test set, before and after division by the temperature."""
    if not (found := card.get("calibration")):
        return []
    return [
        "",
        f"Calibration error {found['ece']:.3f}; {found['ece_scaled']:.3f} with logits divided by the "
        f"temperature {found['temperature']:.3f}, fitted on the validation chains (`predict --calibrated`).",
    ]


def _limits(card: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Limits",
        "",
        "- It gives its classes to anything, also to chains of none of them: a high probability is no proof "
        "that one fits.",
        "- Probabilities are as calibrated as the test chains show; other kinds of chains may differ.",
        "- It sees one chain at a time: no partner, ligand, side chain or hydrogen.",
        "- Nothing is known of how it does on predicted structures, or on chains with large missing parts.",
    ]
    shape = card["architecture"]
    most = shape["max_clusters"] * shape["cluster_size_max"]
    if shape["head"] == "additive":
        lines.append(
            f"- A chain has at most {shape['max_clusters']} blobs of up to {shape['cluster_size_max']} "
            f"residues. So of a chain of more than {most} residues the rest decides nothing, and a note says "
            "how much."
        )
    if said := Limits.of_card(card).in_words():
        lines.insert(2, f"- Trained on chains of {said}; others get a note.")
    return lines


def _classes(card: Mapping[str, Any]) -> list[str]:
    counts = card.get("training", {}).get("chains_per_class", {})
    pairs = list(zip(card["classes"], card["class_names"], strict=True))
    lines = ["## Classes", "", "| class | name | training chains |", "| --- | --- | --- |"]
    lines += [f"| {label} | {name} | {counts.get(label, '')} |" for label, name in pairs[:SHOWN_CLASSES]]
    if len(pairs) > SHOWN_CLASSES:
        lines += ["", f"and {len(pairs) - SHOWN_CLASSES} more."]
    return lines


def _origin(card: Mapping[str, Any]) -> list[str]:
    items: Iterator[tuple[str, Any]] = iter(
        [
            ("seed", card.get("seed")),
            ("best epoch of its stage", card.get("epoch")),
            ("versions", ", ".join(f"{name} {value}" for name, value in card.get("versions", {}).items())),
            ("licence", card.get("license")),
            ("method", "Wang & Oliver, BioBlobs, arXiv 2510.01632"),
        ]
    )
    return ["## Origin", "", *(f"- {name}: {value}" for name, value in items if value not in (None, ""))]
