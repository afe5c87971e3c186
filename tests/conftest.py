"""Things that several tests need: synthetic chains, and a small prepared store of real ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from bioblobs.config.schema import DataConfig
from bioblobs.faithfulness.chains import Chains
from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.ops import build
from bioblobs.sources.preparation import prepare_store
from bioblobs.store.batches import collate, make_batch
from bioblobs.store.packed import Store

ROOT = Path(__file__).resolve().parents[1]

needs_compiler = pytest.mark.skipif(
    shutil.which("c++") is None or torch.backends.cpu.get_cpu_capability() not in build.OF_PROCESSOR,
    reason="nothing is compiled here",
)

torch.set_num_threads(1)  # tiny tensors: threads would only wait for one another

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


def random_chain(length: int, seed: int) -> np.ndarray:
    """(L, 4, 3) backbone of a compact random walk with ideal-like local geometry, in angstrom."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(length, 3))
    ca = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)
    along = np.diff(ca, axis=0, append=ca[-1:] + 1.0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, rng.normal(size=(length, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    n, c = ca - 1.46 * (0.9 * along + 0.43 * side), ca + 1.52 * (0.9 * along - 0.43 * side)
    return np.stack([n, ca, c, c + 1.23 * side], 1).astype(np.float32)


def batch_of(
    chains: list[np.ndarray],
    k: int = 8,
    labels: list[int] | None = None,
    seed: int = 0,
    edge_types: str | None = None,
) -> ProteinBatch:
    """A flat batch of backbones (L, 4, 3), residue types drawn at random from ``seed``.

    ``k`` is that of ``edge_types`` knn_k, unless these are given.
    """
    rng, edge_types = np.random.default_rng(seed), edge_types or f"knn_{k}"
    lists = [neighbour_lists(chain[:, 1], edge_types) for chain in chains]
    widest = max(part.shape[1] for part in lists)
    lists = [np.pad(part, ((0, 0), (0, widest - part.shape[1])), constant_values=PADDING) for part in lists]
    lengths = np.array([len(chain) for chain in chains])
    return make_batch(
        coordinates=np.concatenate(chains),
        residue_types=rng.integers(0, 20, lengths.sum()).astype(np.uint8),
        positions=np.concatenate([np.arange(length) for length in lengths]),
        neighbours=np.concatenate(lists),
        mutual=np.concatenate([mutual_edges(part) for part in lists]),
        lengths=lengths,
        labels=torch.tensor(labels if labels is not None else [0] * len(chains)),
        proteins=torch.arange(len(chains)),
        edge_types=edge_types,
    )


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """About 120 real chains of at most 100 residues, SCOP class, k = 8."""
    path = tmp_path_factory.mktemp("store") / "prepared"
    data = DataConfig(data_dir=str(ROOT / "data"), subset=120, max_length=100, edge_types="knn_8")
    prepare_store(data, path)
    return Store(path)


@pytest.fixture
def chains(sample_store: Store) -> Chains:
    """The test chains of that store."""
    return Chains(sample_store, sample_store.rows("test"))


@pytest.fixture
def real_batch(sample_store: Store) -> ProteinBatch:
    """Eight real chains."""
    return collate(sample_store, sample_store.rows("train")[:8])


@pytest.fixture
def compiled_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder of compiled functions, and nothing loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build._found.cache_clear()
    yield tmp_path / "bioblobs"
    build._found.cache_clear()


@pytest.fixture
def older_processor(compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are compiled for AVX2 alone."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {})


__all__ = ["PADDING", "ROOT", "batch_of", "needs_compiler", "random_chain"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Browser of the report's tests, once per file; other tests do not wait for its library."""
    from report.chromium import browser

    with browser() as running:
        yield running
