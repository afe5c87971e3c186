"""Numbers over a data set, from records made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bioblobs.interpretation.summary import dataset_summary
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.parameters.schema import ModelConfig
from bioblobs.training.build import build_model

CAP = 5


@pytest.fixture
def model() -> BioBlobs:
    config = ModelConfig(node_h_dim=(8, 2), cluster_size_max=CAP, codebook_size=4)
    return build_model(config, 2, with_codebook=True)


def record(sizes: list[int], importance: list[float], codes: list[int]) -> dict[str, Any]:
    blobs = [
        {"size": size, "importance": share, "code": code}
        for size, share, code in zip(sizes, importance, codes, strict=True)
    ]
    return {"length": 20, "blobs": blobs}


def test_saturated_sizes_are_called_out(model: BioBlobs) -> None:
    most = dataset_summary([record([CAP, CAP, 2], [0.5, 0.3, 0.2], [0, 1, 1])], model)["blobs"]
    few = dataset_summary([record([CAP, 3, 2], [0.5, 0.3, 0.2], [0, 1, 1])], model)["blobs"]
    assert most["saturated"] and most["share_at_cap"] == pytest.approx(2 / 3)
    assert not few["saturated"] and few["share_at_cap"] == pytest.approx(1 / 3)


def test_concentration_coverage_and_usage(model: BioBlobs) -> None:
    even = record([4, 4], [0.5, 0.5], [0, 1])
    single = record([5], [1.0], [1])
    found = dataset_summary([even, single], model)
    assert found["importance"]["effective_blobs"] == pytest.approx((2 + 1) / 2)
    assert found["importance"]["mean_of_top_blob"] == pytest.approx(0.75)
    assert found["blobs"]["mean_coverage"] == pytest.approx((8 / 20 + 5 / 20) / 2)
    assert found["codebook"]["codes_used"] == 2
    assert found["codebook"]["share_used"] == pytest.approx(0.5)
    # exp of the entropy of shares 1/3 and 2/3
    assert found["codebook"]["perplexity"] == pytest.approx(3 / 2 ** (2 / 3), abs=1e-5)
