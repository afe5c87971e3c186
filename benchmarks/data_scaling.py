"""Scaling of preparing and opening a store with the number of chains: speed, peak memory, size.

    PYTHONPATH=src python benchmarks/data_scaling.py [--scales 1 10 30] [--folder /a/disk] [--workers 2]

The corpus is 1,000 chains of the embedded sample (drawn at random, so of its lengths), and at 10x and 30x
rigidly moved copies of them with 0.05 angstrom of noise. Every figure is taken in a fresh process. Writes
benchmarks/results/data_scaling.json and docs/pictures/data_scaling.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from bioblobs.config.schema import DataConfig
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources import parallel
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.sample import SampleSource
from bioblobs.store.packed import Store

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "data_scaling.json"
PICTURE = ROOT / "docs" / "pictures" / "data_scaling.png"
CHAINS = 1_000
EDGE_TYPES = "knn_30"
NOISE = 0.05
"""Angstrom."""
BATCH_SIZE, MAX_RESIDUES = 64, 6_000
POLL = 0.05
"""Seconds between two looks at the memory of a run."""


class Corpus:
    """``copies`` of 1,000 parsed chains: a source as any other, of five classes."""

    split_name = "simulated"

    def __init__(self, copies: int) -> None:
        source = SampleSource(DataConfig(data_dir=str(ROOT / "data")))
        lengths = source.table()["length"]
        rows = np.sort(np.random.default_rng(0).permutation(len(lengths))[:CHAINS])
        parsed = [protein for item in source.items(rows.tolist()) for protein in source.read(item)]
        self.chains = [protein for protein in parsed if isinstance(protein, Protein)]
        self.copies = copies

    def table(self) -> pd.DataFrame:
        """See bioblobs.sources.source.Source."""
        count = self.copies * len(self.chains)
        places = np.arange(count)
        return pd.DataFrame(
            {
                "id": [f"chain{place}" for place in places],
                "length": [len(chain) for chain in self.chains] * self.copies,
                "labels": [(str(place % 5),) for place in places],
                "split": np.array(["train"] * 8 + ["val", "test"])[places % 10],
            }
        )

    def items(self, rows: Sequence[int]) -> Iterator[tuple[int, Protein]]:
        """See bioblobs.sources.source.Source."""
        for row in rows:
            yield row, self.chains[row % len(self.chains)]

    @staticmethod
    def read(item: tuple[int, Protein]) -> list[Protein | ProteinError]:
        """See bioblobs.sources.source.Source."""
        row, chain = item
        rng = np.random.default_rng(row)
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        moved = chain.coordinates @ rotation + rng.normal(scale=NOISE, size=chain.coordinates.shape)
        return [dataclasses.replace(chain, coordinates=moved.astype(np.float32))]

    def class_names(self) -> dict[str, str]:
        """See bioblobs.sources.source.Source."""
        return {}

    def left_out(self) -> dict[str, int]:
        """See bioblobs.sources.source.Source."""
        return {}


def data_keys(workers: int) -> DataConfig:
    """The keys of every run."""
    return DataConfig(edge_types=EDGE_TYPES, workers=workers, data_dir=str(ROOT / "data"))


def prepare(copies: int, folder: Path, workers: int) -> dict[str, Any]:
    """Write the store from parsed chains."""
    parallel.POOL_PAYS_FROM = 0.0  # the same processes at every scale
    corpus = Corpus(copies)
    start = time.perf_counter()
    prepare_store(data_keys(workers), folder, source=corpus)
    seconds = time.perf_counter() - start
    store = Store(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "chains": len(store),
        "residues": int(store.offsets[-1]),
        "seconds": seconds,
        "chains_per_second": len(store) / seconds,
        "store_bytes": size,
    }


def anonymous_memory() -> int:
    """Bytes that are this process's own: pages of mapped files are the system's to drop."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def first_batch(copies: int, folder: Path, workers: int) -> dict[str, Any]:
    """Open the store with nothing of it in memory, take one training batch, then the epoch's others."""
    import torch

    from bioblobs.training.datamodule import ProteinDataModule

    torch.set_num_threads(1)
    for path in folder.glob("*.npy"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    keys = vars(data_keys(workers))
    start = time.perf_counter()
    module = ProteinDataModule(str(folder), BATCH_SIZE, MAX_RESIDUES, 0, 0, **keys)
    opened = time.perf_counter()
    batches = iter(module.train_dataloader())
    next(batches)
    first = time.perf_counter()
    before = anonymous_memory()
    residues, highest = 0, before
    for batch in batches:
        residues += len(batch.batch)
        highest = max(highest, anonymous_memory())
    return {
        "open_seconds": opened - start,
        "first_batch_seconds": first - start,
        "epoch_residues_per_second": residues / (time.perf_counter() - first),
        "epoch_memory_bytes": highest - before,
    }


MEASURES = {"prepare": prepare, "first_batch": first_batch}


def measured(what: str, copies: int, folder: Path, workers: int) -> dict[str, Any]:
    """Run one measure in a fresh process; adds the highest resident memory of it and its children."""
    words = [__file__, "--measure", what, "--scales", str(copies), "--folder", str(folder)]
    command = [sys.executable, *words, "--workers", str(workers)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process, highest = psutil.Process(run.pid), 0
    while run.poll() is None:
        highest = max(highest, resident(process))
        time.sleep(POLL)
    output = run.communicate()[0]
    if run.returncode:
        sys.exit(f"error: {' '.join(command)} failed")
    return {**json.loads(output.splitlines()[-1]), f"{what}_peak_rss_bytes": highest}


def resident(process: psutil.Process) -> int:
    """Bytes resident in a process and its children; what they share counts in each."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.NoSuchProcess:  # has just ended
        pass
    return total


def draw(rows: list[dict[str, Any]]) -> None:
    """Speed, memory and time to the first batch against the number of chains."""
    from benchmarks.pictures import draw as draw_picture

    values = [
        {
            "chains": row["chains"],
            "speed": row["chains_per_second"],
            "memory": row["prepare_peak_rss_bytes"] / 2**20,
            "first": row["first_batch_seconds"],
        }
        for row in rows
    ]
    titles = {
        "speed": "chains prepared a second",
        "memory": "peak resident memory, all processes (MiB)",
        "first": "opening to first batch (s)",
    }
    x = {"field": "chains", "type": "quantitative", "title": "chains", "scale": {"type": "log"}}
    panels = [
        {
            "mark": {"type": "line", "point": True},
            "width": 220,
            "height": 180,
            "encoding": {
                "x": x,
                "y": {"field": name, "type": "quantitative", "title": title, "scale": {"zero": True}},
            },
        }
        for name, title in titles.items()
    ]
    draw_picture({"data": {"values": values}, "hconcat": panels}, PICTURE)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 30], help="times 1,000 chains")
    parser.add_argument("--workers", type=int, default=2, help="data.workers")
    parser.add_argument("--folder", type=Path, default=None, help="where stores are written")
    parser.add_argument("--measure", choices=MEASURES, help="one figure, in this process (internal)")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(MEASURES[args.measure](args.scales[0], args.folder, args.workers)))
        return
    rows = []
    for scale in args.scales:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            store = Path(folder) / "store"
            row: dict[str, Any] = {"scale": scale}
            for what in MEASURES:
                row |= measured(what, scale, store, args.workers)
        rows.append(row)
        print(json.dumps(row), flush=True)
    from benchmarks.machine import record  # here: it imports torch, which no measurement should wait for

    RESULT.parent.mkdir(parents=True, exist_ok=True)
    about = {"edge_types": EDGE_TYPES, "workers": args.workers, "machine": record()}
    RESULT.write_text(json.dumps({**about, "runs": rows}, indent=1) + "\n")
    draw(rows)


if __name__ == "__main__":
    main()
