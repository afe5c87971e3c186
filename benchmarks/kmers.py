"""Validation accuracy of the 3-mer regression by C, the inverse of its regularisation's strength.

    python -m benchmarks.kmers

Is one value fair to tasks of few classes and of many? On the default run's data, and those of the presets
with one label per chain; no test chain. Writes benchmarks/results/kmers.json (ten minutes).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import record
from bioblobs.config.parsing import parse
from bioblobs.evaluation import untrained_baselines
from bioblobs.io import write_json
from bioblobs.sources.preparation import prepare_store
from bioblobs.splits import SPLITS
from bioblobs.store.packed import Store

CONFIGS = (
    "params.yaml",
    *(f"params/{task}.yaml" for task in ("enzymecommission", "superfamily", "proteinfamily")),
)
VALUES = (3.0, untrained_baselines.STRENGTH, 300.0)
RESULT = Path(__file__).parent / "results" / "kmers.json"


def accuracies(config: str, folder: Path) -> dict[str, Any]:
    """Prepare the data of a file of parameters, and score each value on its validation chains."""
    data = parse("", ["--config", config])[0].data
    prepare_store(data, folder, SPLITS)
    store = Store(folder)
    rows = store.rows("val")
    labels = np.asarray(store.labels[rows])
    found = {}
    for c in VALUES:
        untrained_baselines.STRENGTH = c
        guessed = untrained_baselines.kmer_regression(store, rows, 0).argmax(1)
        found[f"{c:g}"] = round(float((guessed == labels).mean()), 4)
    about = {"config": config, "split": store.meta["split_column"], "classes": len(store.classes)}
    return {**about, "validation_chains": len(rows), "accuracy": found}


def main() -> None:
    """Command line."""
    rows = []
    for config in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(accuracies(config, Path(folder) / "store"))
        print(json.dumps(rows[-1]), flush=True)
    write_json(RESULT, {"command": "python -m benchmarks.kmers", "machine": record(), "rows": rows})


if __name__ == "__main__":
    main()
