"""A code in one plain sentence: ``Ala-rich helix, argues for all alpha; loose, 3.6 Å``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bioblobs.inference.chain import Blob, Chain

SIGNIFICANCE = 0.05
"""Corrected p-value below which a residue type is named."""
LEAST_SHARE = 0.08
"""Share of the code's residues that a residue type has to be to be named."""
NAMED = 2
"""Most residue types in a sentence."""
MAIN_STRUCTURE, SECOND_STRUCTURE = 0.6, 0.25
"""Shares from which a structure stands alone, and from which a second one is named beside it."""
MOST_FREQUENT = 3
"""Residue types named of a few blobs."""
TIGHT, LOOSE = 1.5, 3.0
"""Median RMSD from the medoid (angstrom): one shape up to the first, several beyond the second."""
THREE_LETTERS = {
    "A": "Ala", "C": "Cys", "D": "Asp", "E": "Glu", "F": "Phe", "G": "Gly", "H": "His", "I": "Ile",
    "K": "Lys", "L": "Leu", "M": "Met", "N": "Asn", "P": "Pro", "Q": "Gln", "R": "Arg", "S": "Ser",
    "T": "Thr", "V": "Val", "W": "Trp", "Y": "Tyr",
}  # fmt: skip


def code_sentence(code: Mapping[str, Any], classes: Mapping[str, str]) -> str:
    """Describe a code of the interpretability report.

    Args:
        code: as ``dataset.codes`` in interpretation/schema.json.
        classes: class identifier -> short name.
    """
    named = " ".join(filter(None, (_residues(code), _structure(code["secondary_structure"]))))
    parts = [named[:1].upper() + named[1:]]
    if code.get("evidence"):
        best = code.get("argues_for")
        parts.append(f"argues for {classes.get(best, best)}" if best else "argues for no class")
    windows = (code.get("superposition") or {}).get("windows")
    tightness = f"; {_tightness(windows['median_rmsd'])}" if windows else ""
    return ", ".join(filter(None, parts)) + tightness


def sentences_of_blobs(
    records: Sequence[Chain], classes: Mapping[str, str], evidence: bool = True
) -> dict[str, str]:
    """Describe codes by the blobs of some proteins that hold them, where nothing else is known of codes.

    Args:
        classes: class identifier -> short name.
        evidence: whether evidence is a code's; False: blobs of one code have their own.

    Returns:
        Code -> such as ``Here Ala, Leu and Glu most often, argues for all alpha``.
    """
    blobs: dict[int, list[Blob]] = {}
    for blob in (blob for record in records for blob in record.blobs if blob.code is not None):
        blobs.setdefault(blob.code or 0, []).append(blob)
    return {str(code): _of_blobs(found, classes, evidence) for code, found in blobs.items()}


def _of_blobs(blobs: Sequence[Blob], classes: Mapping[str, str], evidence: bool) -> str:
    counts = Counter(letter for blob in blobs for letter in blob.sequence if letter in THREE_LETTERS)
    names = [THREE_LETTERS[letter] for letter, _ in counts.most_common(MOST_FREQUENT)]
    several = f"mostly {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else ""
    parts = [f"Here {several or names[0]}" if names else ""]
    if evidence and all(blob.contributions for blob in blobs):
        sums = {name: sum((blob.contributions or {})[name] for blob in blobs) for name in classes}
        best = max(sums, key=lambda name: sums[name])
        parts.append(f"argues for {classes[best]}" if sums[best] > 0 else "argues for no class")
    return ", ".join(filter(None, parts))


def _residues(code: Mapping[str, Any]) -> str:
    rich = [
        row
        for row in code.get("against_background", ())
        if row["feature"] == "composition"
        and row["value"] in THREE_LETTERS
        and row["p_adjusted"] is not None
        and row["p_adjusted"] < SIGNIFICANCE
        and row["log2_ratio"] > 0
        and row["share"] >= LEAST_SHARE
    ]
    rich.sort(key=lambda row: -row["share"] * row["log2_ratio"])
    names = [THREE_LETTERS[row["value"]] for row in rich[:NAMED]]
    return "- and ".join(names) + "-rich" if names else ""


def _structure(shares: Mapping[str, float]) -> str:
    words = {"coil": "loop"}
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    if not ranked:
        return ""
    first = words.get(ranked[0][0], ranked[0][0])
    if ranked[0][1] >= MAIN_STRUCTURE or len(ranked) < 2 or ranked[1][1] < SECOND_STRUCTURE:
        return first
    return f"{first} and {words.get(ranked[1][0], ranked[1][0])}"


def _tightness(rmsd: float) -> str:
    word = "tight" if rmsd <= TIGHT else "loose" if rmsd > LOOSE else "fairly tight"
    return f"{word}, {rmsd:.1f} Å"
