"""One temperature for all logits: fitted where it should be, changing confidence and nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.evaluation.on_test_set import measure_test_set
from bioblobs.evaluation.score_tables import CALIBRATION_BINS, calibration
from bioblobs.evaluation.temperature import calibration_error, class_logits, fit_temperature
from bioblobs.inference.predict import class_probabilities
from bioblobs.store.packed import Store


def drawn(temperature: float, several: bool, chains: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from the probabilities of these logits divided by ``temperature``."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(chains, 4))
    scaled = logits / temperature
    if several:
        return logits, rng.random(logits.shape) < 1 / (1 + np.exp(-scaled))
    return logits, (scaled + rng.gumbel(size=logits.shape)).argmax(1)


def softmax(logits: np.ndarray) -> np.ndarray:
    chance = np.exp(logits - logits.max(1, keepdims=True))
    return chance / chance.sum(1, keepdims=True)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature: float, several: bool) -> None:
    assert fit_temperature(*drawn(temperature, several)) == pytest.approx(temperature, rel=0.05)


def test_scaling_lowers_the_error_of_an_overconfident_model() -> None:
    logits, truth = drawn(2.5, False)
    before = calibration_error(truth, softmax(logits))
    after = calibration_error(truth, softmax(logits / fit_temperature(logits, truth)))
    assert before > 0.1 and after < 0.02


def test_chains_of_an_unseen_class_do_not_count_for_the_temperature() -> None:
    logits, truth = drawn(2.0, False, 500)
    more = np.concatenate([logits, logits[:100] * 50]), np.concatenate([truth, np.full(100, -1)])
    assert fit_temperature(*more) == fit_temperature(logits, truth)
    assert fit_temperature(logits, np.full(len(logits), -1)) == 1.0
    assert fit_temperature(np.empty((0, 4)), np.empty(0, int)) == 1.0


@pytest.mark.parametrize("several", [False, True])
def test_the_error_is_the_mean_gap_of_the_bins(several: bool) -> None:
    logits, truth = drawn(1.5, several, 300)
    chance = 1 / (1 + np.exp(-logits)) if several else softmax(logits)
    confidence = chance.ravel() if several else chance.max(1)
    right = truth.ravel() if several else chance.argmax(1) == truth
    expected = 0.0
    for low in np.arange(CALIBRATION_BINS) / CALIBRATION_BINS:
        inside = (confidence > low) & (confidence <= low + 1 / CALIBRATION_BINS)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    assert calibration_error(truth, chance) == pytest.approx(expected)


def test_the_error_and_the_curve_have_the_same_bins(sample_store: Store) -> None:
    """One chain per bin edge: the weighted gaps of the curve's points are the error."""
    confidence = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    chance = np.zeros((6, len(sample_store.classes)))
    chance[:, 0], chance[:, 1] = confidence, 1 - confidence
    truth = np.zeros(6, int)
    curve = calibration(sample_store, truth, chance)
    assert len(curve) == 6
    assert calibration_error(truth, chance) == pytest.approx((1 - confidence).mean())


def test_logits_are_those_behind_the_probabilities(sample_store: Store) -> None:
    config = ModelConfig(node_h_dim=(8, 2), edge_h_dim=(4, 1), num_layers=1)
    model, rows = build_model(config, len(sample_store.classes), False), sample_store.rows("test")
    logits = class_logits(model, sample_store, rows, "test")
    np.testing.assert_allclose(softmax(logits), class_probabilities(model, sample_store, rows), rtol=1e-12)
    assert class_logits(model, sample_store, rows[:0], "none").shape == (0, len(sample_store.classes))


def test_the_temperature_is_that_of_the_validation_chains(sample_store: Store) -> None:
    """Other test labels leave it as it is; other validation labels do not."""
    config = ModelConfig(
        node_h_dim=(8, 2), edge_h_dim=(4, 1), num_layers=1, max_clusters=4, cluster_size_max=6
    )
    torch.manual_seed(0)
    models = {
        name: build_model(config, len(sample_store.classes), name == "stage1")
        for name in ("stage0", "stage1")
    }
    for model in models.values():
        torch.nn.init.normal_(model.eval().readout.bias)

    def measured(split: str | None) -> tuple[float, float]:
        store = copy.copy(sample_store)
        if split is not None:
            store.labels = np.array(store.labels)
            store.labels[store.rows(split)] = 0
        scores = measure_test_set(models, store, ["majority"], None, 2, 0).scores
        return scores["stage1_scaled"]["temperature"]["value"], scores["stage1"]["accuracy"]["value"]

    (temperature, accuracy), (same, other), (moved, _) = measured(None), measured("test"), measured("val")
    assert other != accuracy and same == temperature
    assert moved != temperature
