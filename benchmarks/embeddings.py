"""Compare mean embeddings with composition by logistic regression, on chains of the sample.

    python -m benchmarks.embeddings FILE.h5 [--max-length 300]

Strength of regularisation is chosen on validation chains; the test set is read once per row. Writes
benchmarks/results/embeddings.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.machine import record
from bioblobs.config.schema import DataConfig
from bioblobs.io import write_json
from bioblobs.proteins.alphabet import composition
from bioblobs.proteins.record import Protein
from bioblobs.sources.embeddings import Embeddings
from bioblobs.sources.sample import SampleSource
from bioblobs.sources.selection import encode_labels, select, training_classes
from bioblobs.sources.tasks import task_of

TASKS: dict[str, dict[str, Any]] = {
    "EC class": {"dataset_name": "enzymecommission"},
    "SCOP superfamily": {"dataset_name": "scop", "scop_level": "superfamily"},
    "Pfam family": {"dataset_name": "proteinfamily"},
}
SPLITS: dict[str, dict[str, Any]] = {
    "random": {"split": "random"},
    "sequence 0.3": {"split": "sequence", "split_similarity_threshold": 0.3},
    "structure 0.7": {"split": "structure", "split_similarity_threshold": 0.7},
}
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
RESULT = Path(__file__).parent / "results" / "embeddings.json"


def compare(made: Embeddings, longest: int, data_dir: str = "data") -> list[dict[str, Any]]:
    """Score both features on every task and split."""
    rows: list[dict[str, Any]] = []
    features: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
    for task_name, keys in TASKS.items():
        for split_name, split in SPLITS.items():
            data = DataConfig(**keys, **split, data_dir=data_dir, max_length=longest)
            source, task = SampleSource(data), task_of(data)
            table = source.table()
            table = select(table[table["id"].isin(made.names)], task, data).table
            missing = table[~table["id"].isin(features)]
            places = source.table().index[source.table()["id"].isin(missing["id"])].tolist()
            for item in source.items(places):
                chain = made.given(source.read(item)[0])
                if isinstance(chain, Protein) and chain.embeddings is not None:
                    features[chain.id] = (
                        chain.embeddings.astype(np.float32).mean(0),
                        composition(chain.residue_types),
                    )
            table = table[table["id"].isin(features)].reset_index(drop=True)
            labels = encode_labels(table, training_classes(table), task)
            parts = {name: (table["split"] == name).to_numpy() for name in ("train", "val", "test")}
            for number, feature in enumerate(("mean embedding", "composition")):
                values = np.stack([features[name][number] for name in table["id"]])
                found = _score(values, labels, parts)
                counts = {name: int(part.sum()) for name, part in parts.items()}
                rows.append({"task": task_name, "split": split_name, "features": feature, **counts, **found})
                print(rows[-1], flush=True)
    return rows


def _score(
    values: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], parts: dict[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    """Choose by validation, test once; chains of classes that training never saw count as wrong."""
    fits = {}
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        fits[strength] = model.fit(values[parts["train"]], labels[parts["train"]])
    on_val = {
        c: float((m.predict(values[parts["val"]]) == labels[parts["val"]]).mean()) for c, m in fits.items()
    }
    best = max(on_val, key=lambda c: (on_val[c], -c))
    right = fits[best].predict(values[parts["test"]]) == labels[parts["test"]]
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {
        "strength": best,
        "validation_accuracy": on_val[best],
        "test_accuracy": {"value": float(right.mean()), "low": interval.low, "high": interval.high},
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", help="embeddings of the sample")
    parser.add_argument("--max-length", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    made = Embeddings(options.file)
    with h5py.File(options.file) as file:
        source = str(file.attrs.get("source", "unknown"))
    about = {"source": source, "chains": len(made.names), "max_length": options.max_length}
    command = f"python -m benchmarks.embeddings FILE.h5 --max-length {options.max_length}"
    rows = compare(made, options.max_length)
    write_json(options.out, {"command": command, **about, "machine": record(), "rows": rows})


if __name__ == "__main__":
    main()
