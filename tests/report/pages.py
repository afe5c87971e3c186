"""Pages of real chains with made-up predictions, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.inference.chain import Blob, Chain
from bioblobs.proteins.record import Protein
from bioblobs.store.packed import Store

NASTY = "</script><img src=x onerror=\"document.title='broken in'\">"
"""A name that breaks out of a page that doesn't escape."""
CLASSES = {"c0": "all alpha", "c1": f"beta {NASTY}", "c2": "a class & <b>bold</b>"}
SIZES = (14, 9, 5)
EXPLANATION = {"head": "additive", "blob_view": "alone", "base": {"c0": 0.3, "c1": -0.2, "c2": -0.1}}
CONTRIBUTIONS = ({"c0": 0.6, "c1": 0.2, "c2": -0.8}, {"c0": 1.2, "c1": -0.5, "c2": -0.7},
                 {"c0": -0.9, "c1": 1.0, "c2": -0.1})  # fmt: skip
"""Of each blob; they and the base sum to ``LOGITS``."""
LOGITS = {"c0": 1.2, "c1": 0.5, "c2": -1.7}
ATTENTION = (0.3, 0.6, 0.1)
RANKS = (2, 1, 3)
"""Of the slots, with either head."""
CHECKS: list[dict[str, Any]] = [
    {"name": "sum exact", "holds": True, "figure": "largest error 1e-6", "text": "It adds up."},
    {"name": "importance beats the same blobs exchanged", "holds": True, "figure": "0.15", "text": "Better."},
    {"name": "top blob beats a patch of as many residues", "holds": False, "figure": "0.01", "text": "No."},
    {"name": "blobs hold under 0.1 angstrom of noise", "holds": True, "figure": "0.8", "text": "They stay."},
    {"name": "seeds agree", "holds": None, "figure": "not measured", "text": "Run make seeds."},
]


NEAREST = {
    "id": ["protein 0", "protein 2"],
    "split": ["test", "test"],
    "nearest_by_identity": ["7xyz_B", ""],
    "identity": [0.9, None],
    "nearest_by_tm_score": ["7xyz_B", NASTY],
    "tm_score": [0.8, 0.7],
}
KNOWN = {
    "protein 2": {
        "name": f"Pepsin-like {NASTY}",
        "facts": [["UniProt", "P00798"], ["Pfam", NASTY]],
        "links": [["UniProt", "https://www.uniprot.org/uniprotkb/P00798"]],
        "words": "P00798 Pepsin-like aspartic",
    }
}


def chains(store: Store, count: int) -> list[Protein]:
    """The longest test chains."""
    rows = store.rows("test")
    longest = rows[np.argsort(-store.lengths[rows], kind="stable")][:count]
    return [store.protein(int(row), str(row)) for row in longest]


def record(name: str, protein: Protein, place: int, labelled: bool = True, attention: bool = False) -> Chain:
    """A record with three blobs: runs from the start, the middle and the end; codes 3, 4, and 10 + place.

    The middle one argues most for the predicted class, the last against it; with ``attention`` they only have
    weights, in the same order.
    """
    length = len(protein)
    starts = (2, length // 2, length - SIZES[2] - 1)
    runs = [list(range(start, start + size)) for start, size in zip(starts, SIZES, strict=True)]
    blobs = [
        Blob(
            slot=slot,
            rank=RANKS[slot],
            importance=weight if attention else max(parts["c0"], 0) / 1.8,
            contribution=None if attention else parts["c0"],
            contributions=None if attention else parts,
            code=code,
            seed=run[1],
            residues=run,
            author=[],
            sequence="",
            membership=[0.9] * len(run),
        )
        for slot, (run, weight, parts, code) in enumerate(
            zip(runs, ATTENTION, CONTRIBUTIONS, (3, 4, 10 + place), strict=True)
        )
    ]
    return Chain(
        id=name,
        length=length,
        true=[["c0"], ["c1"], ["c0"], []][place % 4] if labelled else None,
        predicted=["c0"],
        explained="c0",
        probabilities={"c0": 0.644, "c1": 0.32, "c2": 0.036},
        logits=LOGITS,
        blobs=sorted(blobs, key=lambda blob: blob.rank),
    )


def made(
    store: Store, count: int = 5, labelled: bool = True, attention: bool = False
) -> tuple[list[Chain], list[Protein]]:
    """Records and chains; the second protein's name is nasty."""
    proteins = chains(store, count)
    names = [NASTY if place == 1 else f"protein {place}" for place in range(count)]
    records = [
        record(n, p, i, labelled, attention) for i, (n, p) in enumerate(zip(names, proteins, strict=True))
    ]
    return records, proteins


def code(number: int, **more: Any) -> dict[str, Any]:
    """A code as interpret describes it."""
    enriched = [
        {
            "class": "c1",
            "name": CLASSES["c1"],
            "proteins": 2,
            "odds_ratio": None,
            "p": 0.001,
            "p_adjusted": 0.01,
        }
    ]
    evidence = {3: (0.6, 0.2, -0.8), 4: (1.2, -0.5, -0.7)}.get(number, (-0.9, 1.0, -0.1))
    return {
        "code": number,
        "blobs": 20 - number,
        "proteins": 5,
        "mean_importance": 0.3,
        "mean_size": 9.0,
        "composition": {"A": 0.6, "G": 0.4},
        "secondary_structure": {"helix": 0.9, "coil": 0.1},
        "enriched_classes": enriched if number == 3 else [],
        "evidence": dict(zip(CLASSES, evidence, strict=True)),
        "argues_for": list(CLASSES)[int(np.argmax(evidence))],
        **more,
    }


def superposition(records: list[Chain]) -> dict[str, Any]:
    """As interpret says: the middle blobs of all proteins, turned by a right angle about z and shifted."""
    turned = {"rotation": [[0, -1, 0], [1, 0, 0], [0, 0, 1]], "translation": [1.0, 2.0, 3.0]}
    overlay = [
        {"protein": each.id, "slot": 1, "rmsd": 0.5 * place, **turned} for place, each in enumerate(records)
    ]
    numbers = {"members": 9, "residues": 15, "median_rmsd": 2.25, "mean_rmsd": 3.5}
    controls = {"other_codes": {"mean_rmsd": 4.5}, "same_structure": None}
    return {"windows": {**numbers, **controls, "overlay": overlay}, "blobs": None}


def interval(value: float | None, half: float = 0.01) -> dict[str, Any]:
    """A score with its interval; None: undefined."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value - half, "high": value + half}


def report(records: list[Chain], multilabel: bool = False, attention: bool = False) -> dict[str, Any]:
    """An interpretability report; what can be undefined is, if multi-label."""
    unscored = {"evidence": None, "argues_for": None} if attention else {}
    codes = [code(3, logo_svg="<svg xmlns='http://www.w3.org/2000/svg'/>"), code(4, rmsd=1.25), code(10)]
    return {
        "schema_version": "4.0",
        "bioblobs_version": "0",
        "split": "test",
        "seed": 0,
        "task": {"name": "scop", "multilabel": multilabel, "classes": CLASSES},
        "explanation": {"head": "full", "blob_view": "context", "base": None} if attention else EXPLANATION,
        "proteins": [each.to_json() for each in records],
        "dataset": {
            "proteins": len(records),
            "importance": {
                "mean_of_top_blob": 0.6,
                "effective_blobs": 2.0,
                "unsupported": 0,
                "share_against": None if attention else 1 / 3,
            },
            "blobs": {
                "total": 15,
                "per_protein": 3.0,
                "mean_size": 9.0,
                "median_size": 9.0,
                "share_at_cap": 0.1,
                "saturated": False,
                "mean_coverage": 0.3,
            },
            "codebook": {"codes": 16, "codes_used": 7, "share_used": 0.4, "perplexity": 5.0},
            "background": {
                "composition": {"A": 0.5, "G": 0.5},
                "secondary_structure": {"helix": 0.5, "coil": 0.5},
            },
            "codes": [each | unscored for each in codes],
        },
    }


def write_report(
    path: Path,
    store: Store,
    multilabel: bool = False,
    attention: bool = False,
    trained: dict[str, float] | None = None,
) -> None:
    """A whole report page, with every part of it.

    Args:
        trained: accuracy of each trained baseline.
    """
    import pandas as pd

    from bioblobs.interpretation.stage_results import codebook_map
    from bioblobs.report.content import add_codes, add_nearest
    from bioblobs.report.overview import overview
    from bioblobs.report.page import write_page
    from bioblobs.report.results import Results
    from bioblobs.report.showcase import showcase
    from bioblobs.report.viewer import viewer_data

    records, proteins = made(store, attention=attention)
    found = report(records, multilabel, attention)
    counts = pd.DataFrame(
        [(key, name, split, 5) for key, name in CLASSES.items() for split in ("train", "val", "test")],
        columns=["class", "name", "group", "proteins"],
    )
    near = {
        "proteins": 5,
        "median": None if multilabel else 0.1,
        "max": 0.9,
        "share_from_0.3": 0.2,
        "share_from_0.7": 0.1,
    }
    scores = {"accuracy": interval(None if multilabel else 0.9), "macro_f1": interval(0.8)}
    results = Results(
        report=found,
        chains=records,
        model={},
        data={"residues": 1000, "split": NASTY, "dropped": {NASTY: 3}},
        classes=counts,
        leakage={"identity": {"tool": "t", "definition": "d", "test": near}},
        nearest=pd.DataFrame(NEAREST),
        test={"stage1": scores, "stage0": scores, "majority": {name: interval(0.5) for name in scores}},
        trained={name: {"accuracy": interval(value)} for name, value in (trained or {}).items()},
        by_length=pd.DataFrame([{"length": "1 to 100", "chains": 5, "score": "accuracy", **interval(0.8)}]),
        by_class=pd.DataFrame(
            [{"name": name, "chains": 5, "score": "recall", **interval(0.8)} for name in CLASSES.values()]
        ),
        by_distance=pd.DataFrame(
            [
                {"measure": "tm_score", "bin": "0 to 0.5", "predictor": name, "chains": 12, **interval(0.8)}
                for name in ("stage1", "majority")
            ]
        ),
        mistakes=pd.DataFrame([{"id": "protein 2", "predicted": NASTY, "probability": 0.9, "actual": NASTY}]),
        ablation={"as_trained": {"accuracy": 0.9, "mean_probability_change": 0.0}},
        faithfulness={
            "proteins": 5,
            "top_blob": {
                "fall_top_blob": interval(0.1),
                "fall_random_residues": interval(0.1),
                "fall_random_patch": interval(0.1),
                "more_than_random_patch": interval(None if multilabel else 0.0),
            },
            "masking": {"fall_top_blob": interval(0.1), "fall_other_blob": interval(0.0)},
            NASTY: 1,
        },
        checks=CHECKS,
        verdict="amber",
        deletion=pd.DataFrame({"removed": [0.0, 1.0], "importance": [0.9, 0.1], "gradients": [0.9, 0.2]}),
        insertion=pd.DataFrame({"kept": [0.0, 1.0], "importance": [0.1, 0.9], "gradients": [0.1, 0.9]}),
    )
    data = viewer_data(records, proteins, CLASSES, "", found["explanation"], KNOWN)
    shown = {4: superposition(records)}
    dataset = found["dataset"]
    dataset["codes"] = [
        each | {"superposition": shown.get(each["code"], {"windows": None})} for each in dataset["codes"]
    ]
    by_id = {each.id: each for each in records}
    chains = dict(zip(by_id, proteins, strict=True))
    add_codes(data, dataset, by_id, lambda name: chains[name].coordinates[:, 1], str)
    add_nearest(data, results.nearest)
    data["map"] = codebook_map(np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32), "l2")
    data["showcase"] = showcase(records, CLASSES)
    write_page(path, data, overview(results), "BioBlobs report")
