"""k-means finds what is there, and the report on a codebook counts what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.codebook import Codebook
from bioblobs.stages import init_codebook
from bioblobs.store.packed import Store
from bioblobs.training.codebook_init import blob_embeddings, kmeans_codes, random_codes, usage
from conftest import ROOT, batch_of, random_chain
from tiny_model import tiny_checkpoint

SIZES = [40, 10, 25, 5, 20]


@pytest.fixture
def clouds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five clouds 20 apart and 0.1 wide in 8 dimensions, shuffled: points, cloud of each, true centres."""
    rng = np.random.default_rng(0)
    centres = 20 * np.eye(8)[: len(SIZES)]
    cloud = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    points = (centres[cloud] + 0.1 * rng.normal(size=(len(cloud), 8))).astype(np.float32)
    return points, cloud, centres


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_separate_clouds_are_found(clouds: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int) -> None:
    points, cloud, true_centres = clouds
    centres, counts, inertia = kmeans_codes(points, len(SIZES), seed)
    assert centres.dtype == np.float32
    distance = cdist(points, centres)
    nearest = distance.argmin(1)
    assert adjusted_rand_score(cloud, nearest) == 1
    assert sorted(counts.tolist()) == sorted(SIZES)
    assert counts.tolist() == np.bincount(nearest, minlength=len(SIZES)).tolist()
    assert cdist(true_centres, centres).min(1).max() < 0.3
    # each centre is the mean of its own: counts and EMA sums (count x centre) go together
    for code in range(len(SIZES)):
        np.testing.assert_allclose(centres[code], points[nearest == code].mean(0), atol=1e-4)
    assert inertia == pytest.approx((distance.min(1) ** 2).sum(), rel=1e-3)
    oracle = KMeans(len(SIZES), n_init=20, random_state=99).fit(points)
    assert inertia <= oracle.inertia_ * (1 + 1e-4)


def test_same_seed_same_codes(clouds: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points = clouds[0]
    first, second = (kmeans_codes(points, 12, 3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("distinct", [1, 3, 5])
def test_fewer_different_blobs_than_codes(distinct: int) -> None:
    rng = np.random.default_rng(1)
    different = rng.normal(size=(distinct, 4)).astype(np.float32)
    points = different[np.arange(20) % distinct]
    centres, counts, inertia = kmeans_codes(points, 9, 0)
    assert centres.shape == (9, 4)
    assert np.isfinite(centres).all()
    assert counts.sum() == 20
    assert (counts > 0).sum() == distinct
    assert cdist(different, centres[counts > 0]).min(1).max() < 1e-6  # each has its code
    assert cdist(centres[counts == 0], different).min(1).max() < 1e-6  # spare codes are blobs, not zeros
    assert inertia == pytest.approx(0, abs=1e-6)


def test_random_codes_are_different_blobs() -> None:
    points = np.arange(30, dtype=np.float32).reshape(30, 1)
    codes = random_codes(points, 30, 0)
    assert sorted(codes.ravel()) == points.ravel().tolist()  # enough blobs: none is taken twice
    few = random_codes(points, 8, 0)
    assert len(np.unique(few)) == 8
    np.testing.assert_array_equal(random_codes(points, 8, 0), few)
    assert random_codes(points, 8, 1).tolist() != few.tolist()
    assert np.isin(random_codes(points[:3], 8, 0), points[:3]).all()  # fewer blobs than codes


@pytest.mark.parametrize(
    ("sizes", "perplexity"), [([5, 5, 5, 5], 4.0), ([20, 0, 0, 0], 1.0), ([8, 8, 0, 0], 2.0)]
)
def test_perplexity_is_the_effective_number_of_codes(sizes: list[int], perplexity: float) -> None:
    codebook = Codebook(4, 4)
    codebook.fill(10 * torch.eye(4), torch.ones(4))
    blobs = (10 * np.eye(4, dtype=np.float32))[np.repeat(np.arange(4), sizes)]
    report = usage(codebook, blobs)
    assert report["perplexity"] == pytest.approx(perplexity, abs=1e-3)
    assert report["codes_used"] == sum(size > 0 for size in sizes)
    assert report["quantisation_error"] == pytest.approx(0, abs=1e-6)


def test_perplexity_of_uneven_usage() -> None:
    codebook = Codebook(2, 2)
    codebook.fill(torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.ones(2))
    share = np.array([0.75, 0.25])
    report = usage(codebook, np.repeat(np.array([[0, 0], [9, 9]], np.float32), [3, 1], axis=0))
    assert report["perplexity"] == pytest.approx(np.exp(-(share * np.log(share)).sum()), abs=1e-3)


def test_quantisation_error_is_the_mean_squared_distance_a_channel() -> None:
    codebook = Codebook(1, 2)
    codebook.fill(torch.zeros(1, 2), torch.ones(1))
    report = usage(codebook, np.array([[3, 1], [1, 1]], np.float32))
    assert report["quantisation_error"] == pytest.approx((10 / 2 + 2 / 2) / 2)


def test_reporting_moves_no_code(clouds: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    codebook = Codebook(6, 8).train()
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    usage(codebook, clouds[0])
    for name, value in codebook.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_kmeans_fits_better_than_random_codes(clouds: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points = clouds[0]
    reports = []
    for codes in (random_codes(points, 5, 0), kmeans_codes(points, 5, 0)[0]):
        codebook = Codebook(5, 8)
        codebook.fill(torch.from_numpy(codes), torch.ones(5))
        reports.append(usage(codebook, points))
    assert reports[1]["quantisation_error"] < reports[0]["quantisation_error"]
    assert reports[1]["codes_used"] == 5


def test_only_real_blobs_are_clustered() -> None:
    model = build_model(ModelConfig(node_h_dim=(8, 2), edge_h_dim=(8, 1), num_layers=1), 2, False).eval()
    with torch.inference_mode():
        prediction = model(batch_of([random_chain(3, 0), random_chain(40, 1)]))
    blobs = blob_embeddings(prediction)
    mask = prediction.blobs.mask
    assert not mask.all()  # the short protein leaves slots empty
    assert len(blobs) == int(mask.sum())
    np.testing.assert_array_equal(blobs[: int(mask[0].sum())], prediction.blobs.embedding[0][mask[0]].numpy())


def test_the_stage_clusters_blobs_of_training_chains_alone(
    sample_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def predictions(model: BioBlobs, store: Store, rows: np.ndarray, title: str) -> Iterator[Any]:
        seen.extend(rows)
        return original(model, store, rows, title)

    original = init_codebook.predictions
    monkeypatch.setattr(init_codebook, "predictions", predictions)
    checkpoint = tmp_path / "output" / "stage_0" / "stage_0_final.ckpt"
    tiny_checkpoint(checkpoint, with_codebook=False, classes=list(sample_store.classes))
    tiny = {"node_h_dim": "[8,2]", "edge_h_dim": "[4,1]", "num_layers": 1, "codebook_size": 16}
    tiny |= {"max_clusters": 4, "cluster_size_max": 6}
    places = {"prepared": sample_store.path, **{name: tmp_path / name for name in ("output", "metrics")}}
    words = [f"--paths.{name}={place}" for name, place in places.items()]
    words += [f"--model.{key}={value}" for key, value in tiny.items()]
    words += ["--data.subset=120", "--data.max_length=100", "--data.edge_types=knn_8"]
    init_codebook.main([*words, f"--data.data_dir={ROOT / 'data'}"])
    assert seen and set(seen) == set(sample_store.rows("train"))
