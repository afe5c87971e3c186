"""Numbers over a data set, from records made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.inference.chain import Chain
from bioblobs.interpretation.summary import dataset_summary
from bioblobs.models.bioblobs import BioBlobs
from traces import blob, chain

CAP = 5


@pytest.fixture
def model() -> BioBlobs:
    config = ModelConfig(node_h_dim=(8, 2), cluster_size_max=CAP, codebook_size=4)
    return build_model(config, 2, with_codebook=True)


def record(
    sizes: list[int],
    importance: list[float],
    codes: list[int],
    contributions: Sequence[float | None] | None = None,
) -> Chain:
    parts = contributions or [None] * len(sizes)
    blobs = [
        blob(slot, slot + 1, share, residues=list(range(size)), code=code, contribution=part)
        for slot, (size, share, code, part) in enumerate(zip(sizes, importance, codes, parts, strict=True))
    ]
    return chain(blobs, length=20)


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


def test_proteins_that_no_blob_argues_for_are_counted(model: BioBlobs) -> None:
    for_it = record([4, 4, 4], [0.75, 0.25, 0], [0, 1, 1], [3.0, 1.0, -2.0])
    against = record([4, 4], [0, 0], [0, 1], [-1.0, 0.0])
    found = dataset_summary([for_it, against], model)["importance"]
    assert found["unsupported"] == 1
    assert found["share_against"] == pytest.approx(2 / 5)
    assert found["mean_of_top_blob"] == pytest.approx(0.75 / 2)
    # exp of the entropy of shares 3/4 and 1/4, and nothing from the other protein
    assert found["effective_blobs"] == pytest.approx((4 / 3**0.75) / 2, abs=1e-5)


def test_attention_weights_argue_for_no_class(model: BioBlobs) -> None:
    found = dataset_summary([record([4, 4], [0.5, 0.5], [0, 1])], model)["importance"]
    assert (found["unsupported"], found["share_against"]) == (0, None)
