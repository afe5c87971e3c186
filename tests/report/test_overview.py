"""What the report says follows from the numbers, flattering or not."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioblobs.interpretation.stage_results import codebook_map
from bioblobs.report.believed import believed
from bioblobs.report.chart import removal_curves
from bioblobs.report.code_pages import page_code
from bioblobs.report.confusion import SHOWN, class_counts, confusion
from bioblobs.report.plain import facts
from bioblobs.report.proteins import outcome
from bioblobs.report.score_rows import headline, score_tables
from bioblobs.report.shown import shown_rows
from report.pages import CHECKS, code, interval
from traces import chain


@pytest.mark.parametrize(
    ("kind", "holds", "title"),
    [
        ("green", [True] * 5, "Yes: all 5 checks hold"),
        ("amber", [True, None, False, True, False], "In part: 2 of 5 checks hold"),
        ("amber", [True, None, False, None, False], "In part: 1 of 5 checks holds"),
        ("red", [False, None, False, None, False], "No: none of 5 checks holds"),
    ],
)
def test_the_verdict_counts_the_checks_and_each_keeps_its_figure(
    kind: str, holds: list[bool | None], title: str
) -> None:
    checks = [check | {"holds": held} for check, held in zip(CHECKS, holds, strict=True)]
    found = believed(checks, kind)
    assert (found["kind"], found["title"]) == (kind, title)
    words = {True: "✓ holds", False: "✗ does not hold", None: "– not measured"}
    assert [each["words"] for each in found["checks"]] == [words[held] for held in holds]
    assert [each["figure"] for each in found["checks"]] == [check["figure"] for check in CHECKS]


@pytest.mark.parametrize(
    ("ours", "theirs", "said", "kind"),
    [(0.9, 0.6, "above", "green"), (0.6, 0.605, "overlap", "amber"), (0.5, 0.9, "below", "red")],
)
def test_the_headline_compares_with_the_better_baseline(
    ours: float, theirs: float, said: str, kind: str
) -> None:
    scores = {
        "stage1": {"accuracy": interval(ours)},
        "majority": {"accuracy": interval(0.1)},
        "composition": {"accuracy": interval(theirs)},
    }
    found = headline(scores)
    assert said in found["verdict"]
    assert found["kind"] == kind
    assert f"{theirs:.3f}" in found["baseline"]


def test_an_undefined_score_has_no_place_on_the_axis() -> None:
    [table] = score_tables({"stage1": {"auroc": interval(None)}, "majority": {"auroc": interval(0.5)}})
    assert [row["place"] is None for row in table["rows"]] == [True, False]


labels = st.integers(0, SHOWN + 5)


@given(st.lists(st.tuples(st.none() | labels, labels), min_size=1))
def test_every_protein_is_in_one_cell_of_the_confusion_matrix(pairs: list[tuple[int | None, int]]) -> None:
    records = [chain([], true=[] if t is None else [f"c{t}"], predicted=[f"c{p}"]) for t, p in pairs]
    found = confusion(records, {f"c{number}": f"class {number}" for number in range(SHOWN + 6)})
    assert sum(cell["count"] for row in found["rows"] for cell in row["cells"]) == len(pairs)
    for row in found["rows"]:
        assert sum(cell["share"] for cell in row["cells"]) == pytest.approx(1)
        for cell in row["cells"]:
            if row["key"].startswith("c") and cell["key"].startswith("c"):
                pair = (int(row["key"][1:]), int(cell["key"][1:]))
                assert cell["count"] == pairs.count(pair)


def test_several_classes_are_counted_one_by_one() -> None:
    records = [chain([], true=["a", "b"], predicted=["b"]), chain([], true=["b"], predicted=["a"])]
    assert class_counts(records, {"a": "A", "b": "B"}) == [
        {"key": "b", "title": "B", "true": 2, "predicted": 1, "both": 1},
        {"key": "a", "title": "A", "true": 1, "predicted": 1, "both": 0},
    ]


@pytest.mark.parametrize(
    ("true", "predicted", "said"),
    [
        (["a"], ["a"], "right"),
        (["a"], ["b"], "wrong"),
        (["a", "b"], ["b"], "partly"),
        ([], ["a"], "wrong"),
        ([], [], "wrong"),
    ],
)
def test_a_prediction_is_judged_by_its_classes(true: list[str], predicted: list[str], said: str) -> None:
    record = chain([], true=true, predicted=predicted)
    assert outcome(record, labelled=True) == said
    assert outcome(record, labelled=False) == "unknown"


def test_a_large_test_set_is_shown_by_a_random_part() -> None:
    assert shown_rows(5, 5, 0).tolist() == [0, 1, 2, 3, 4]
    part = shown_rows(1000, 100, 3)
    assert len(set(part.tolist())) == 100
    assert (np.diff(part) > 0).all()
    assert part.tolist() == shown_rows(1000, 100, 3).tolist() != shown_rows(1000, 100, 4).tolist()
    drawn = np.bincount(np.concatenate([shown_rows(40, 10, seed) for seed in range(400)]), minlength=40)
    assert drawn.min() > 60  # of 100 expected each: no place is preferred
    assert drawn.max() < 140


def test_the_map_keeps_distances_of_a_plane_and_says_what_it_explains() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(30, 2)) * [3, 1]
    inside = flat @ np.linalg.qr(rng.normal(size=(10, 2)))[0].T  # a plane in ten dimensions
    found = codebook_map(inside.astype(np.float32), "l2")
    assert sum(found["explained"]) == pytest.approx(1, abs=1e-3)
    points = np.array(found["points"])
    ours, theirs = (np.linalg.norm(p[:, None] - p, axis=-1) for p in (points, flat))
    np.testing.assert_allclose(ours * theirs.max() / ours.max(), theirs, atol=0.01)
    scaled = inside * rng.uniform(1, 5, (30, 1))
    a, b = (codebook_map(v.astype(np.float32), "cos")["points"] for v in (inside, scaled))
    np.testing.assert_allclose(a, b, atol=2e-3)  # a cosine codebook knows no lengths


@pytest.mark.parametrize("vectors", [np.ones((4, 3)), np.ones((1, 3)), np.zeros((2, 1))])
def test_a_degenerate_codebook_is_drawn_at_one_place(vectors: np.ndarray) -> None:
    found = codebook_map(vectors.astype(np.float32), "l2")
    assert np.isfinite(found["points"]).all()
    assert np.isfinite(found["explained"]).all()
    assert len(found["points"]) == len(vectors)


def test_fields_of_a_later_schema_stay_readable() -> None:
    shown = page_code(code(3, rmsd={"median": 1.5, "members": [{"protein": "x"}]}, logo_svg="<svg onload=x>"))
    assert shown["facts"] == [["rmsd · median", "1.500"], ["rmsd · members", "1 entries"]]
    assert zlib.decompress(base64.b64decode(shown["logo"])) == b"<svg onload=x>"
    assert "logo_svg" not in shown


def test_what_the_page_draws_is_not_listed_as_text_too() -> None:
    windows = {"mean_rmsd": 1.5, "overlay": [{"rotation": [[1]]}]}
    shown = page_code(code(3, logo="codes/3.svg", motif={"first": -7}, superposition={"windows": windows}))
    assert shown["facts"] == [["superposition · windows · mean rmsd", "1.500"]]


def test_nested_results_become_rows_of_text() -> None:
    values = {
        "a": {"area_x": interval(0.5), "n": 1200},
        "b": None,
        "c": interval(None),
        "d": 1e-7,
        "e": [1, 2],
    }
    assert facts(values) == [
        ["a · area x", "0.500 (0.490 to 0.510)"],
        ["a · n", "1,200"],
        ["b", "undefined"],
        ["c", "undefined"],
        ["d", "1e-07"],
        ["e", "1, 2"],
    ]


def test_curves_are_drawn_in_their_frame_and_unknown_columns_left_out() -> None:
    table = pd.DataFrame(
        {"removed": [0.0, 0.5, 1.0], "importance": [1.0, 0.25, 0.0], "other": [0.0, 0.0, 0.0]}
    )
    [deletion, insertion] = removal_curves(table, table.rename(columns={"removed": "kept"}))
    [line] = deletion["lines"]
    assert line["title"] == "blob importance"
    points = [tuple(map(float, pair.split(","))) for pair in line["points"].split()]
    left, top, right, bottom = deletion["frame"]
    assert points == [
        (left, top),
        ((left + right) / 2, top + 0.75 * (bottom - top)),
        (right, bottom),
    ]
    assert (deletion["remark"], insertion["remark"]) == ("lower is better", "higher is better")
