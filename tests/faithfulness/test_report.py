"""The report: metrics, table and curves say the same of the same chains, for both heads."""

from __future__ import annotations

import json

import pytest
from stub import made_model

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.measurements import measure
from bioblobs.faithfulness.printed import judged, summary
from bioblobs.faithfulness.verdict import checks
from bioblobs.store.packed import Store


@pytest.mark.parametrize(
    ("head", "blob_view", "codebook"),
    [
        ("additive", "alone", True),
        ("additive", "context", False),
        ("full", "context", True),
        ("blobs", "alone", False),
    ],
)
def test_numbers_agree_with_one_another(
    sample_store: Store, head: str, blob_view: str, codebook: bool
) -> None:
    chains = Chains(sample_store, sample_store.rows("val")[:6])
    model, untrained = (
        made_model(sample_store, codebook, seed, head=head, blob_view=blob_view) for seed in (1, 2)
    )
    made = measure(model, untrained, chains, steps=2, repeats=2, seed=0)
    m, table = json.loads(json.dumps(made.metrics, allow_nan=False)), made.proteins
    assert len(table) == m["proteins"] == 6
    for mode, better in (("deletion", -1), ("insertion", 1)):
        for name, area in m[mode].items():
            assert area["value"] == pytest.approx(table[f"{mode}_{name}"].mean(), abs=1e-5)
            if name != "importance":
                gain = better * (m[mode]["importance"]["value"] - area["value"])
                assert m[f"{mode}_gain"][name]["value"] == pytest.approx(gain, abs=3e-5)
    probability = table["probability"].mean()
    assert (made.plots["deletion"].iloc[0, 1:] - probability).abs().max() < 1e-6
    assert (made.plots["insertion"].iloc[-1, 1:] - probability).abs().max() < 1e-6
    assert made.plots["noise"]["sigma"].tolist() == [0, 0.1, 0.25, 0.5]
    assert m["top_blob"]["more_than_random_patch"]["value"] == pytest.approx(
        (table["fall_top_blob"] - table["fall_random_patch"]).mean(), abs=1e-5
    )
    assert m["masking"]["fall_top_blob"]["value"] == pytest.approx(
        table["masking_fall_top_blob"].mean(), abs=1e-5
    )
    assert list(m["untrained"])[-2:] == ["partitioner", "encoder"]
    assert ("blob_encoder" in m["untrained"]) == (blob_view == "alone")
    error = m["sum"]["largest_error"]
    assert error is None if head != "additive" else 0 < error < 1e-5
    made_of = {each["name"]: each["holds"] for each in checks(m, None)}
    assert made_of["sum exact"] == (head == "additive")
    assert made_of["seeds agree"] is None and list(made_of.values()).count(None) == 1
    assert any(line.startswith("noise 0.25") for line in summary(made, None))
    assert judged(checks(m, None))[-1].startswith("verdict: ")
