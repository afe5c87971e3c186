"""Contributions of blobs in records, files, scripts and views, for every head; files of older versions."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch
from test_model import protein

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.prediction.card_text import CODES, as_markdown
from bioblobs.prediction.limits import MOST, unread_note
from bioblobs.prediction.model import Model
from bioblobs.prediction.result import Result
from bioblobs.prediction.saved import ADDED, NEW_IN_3_1, PREDICTIONS, read_predictions
from bioblobs.prediction.view import view_html
from bioblobs.report.palette import COLOURS, REST, signed_colour
from damage import KINDS, damage
from structure_files import DATA, chain_of, structure_of, write
from tiny_model import CLASSES, tiny_checkpoint

HEADS: dict[str, dict[str, Any]] = {
    "additive": {},
    "additive, several classes": {"multilabel": True},
    "additive, context, no codebook": {"blob_view": "context", "with_codebook": False},
    "attention": {"head": "blobs", "blob_view": "context"},
    "attention, residues, alone": {"head": "full"},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A real chain, and a file of two chains."""
    chains = [chain_of(protein(38, "A", -4)), chain_of(protein(25, "b", 7, 1))]
    made = write(structure_of(*chains), tmp_path_factory.mktemp("files") / "two.cif")
    return [DATA / "break.pdb", made]


@pytest.fixture(scope="module", params=HEADS)
def model(
    request: pytest.FixtureRequest, files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Model:
    path = tmp_path_factory.mktemp("model") / "model.ckpt"
    model = bioblobs.load(tiny_checkpoint(path, **HEADS[request.param]))
    if adds(model):
        _balance(model, files)
    return model


def _balance(model: Model, files: list[Path]) -> None:
    """Make blobs argue for and against: an untrained model says nearly the same of all of them."""
    chains = model.predict(*files)
    parts = [list((blob.contributions or {}).values()) for chain in chains for blob in chain.blobs]
    last = model.network.readout.evidence[-1]  # type: ignore[union-attr,index]
    with torch.no_grad():
        last.bias.sub_(torch.tensor(parts).mean(0))  # type: ignore[union-attr,operator]


@pytest.fixture(scope="module")
def result(model: Model, files: list[Path]) -> Result:
    return model.predict(*files)


@pytest.fixture(scope="module")
def folder(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("saved") / "out")


def adds(model: Model) -> bool:
    return model.explanation["head"] == "additive"


def test_logits_are_the_base_and_the_contributions_of_the_blobs(model: Model, result: Result) -> None:
    for chain in result:
        values = np.array([chain.logits[label] for label in CLASSES])
        assert chain.explained == CLASSES[values.argmax()]
        chance = 1 / (1 + np.exp(-values)) if model.multilabel else np.exp(values) / np.exp(values).sum()
        assert list(chain.probabilities.values()) == pytest.approx(chance, abs=1e-5)
        if not model.multilabel:
            assert values.sum() == pytest.approx(0, abs=1e-5)
        if adds(model):
            assert len(chain.blobs) > 1
            for label in CLASSES:
                parts = [blob.contributions[label] for blob in chain.blobs]  # type: ignore[index]
                total = model.explanation["base"][label] + sum(parts)
                assert chain.logits[label] == pytest.approx(total, abs=1e-5)
        else:
            assert model.explanation["base"] is None
            assert {blob.contributions for blob in chain.blobs} == {None}
            assert {blob.contribution for blob in chain.blobs} == {None}


def test_importance_is_the_positive_share_of_the_contributions(model: Model, result: Result) -> None:
    for chain in result:
        shares = [blob.importance for blob in chain.blobs]
        if adds(model):
            parts = np.array([blob.contribution for blob in chain.blobs], float)
            assert parts.tolist() == sorted(parts, reverse=True)
            for blob in chain.blobs:
                assert blob.contribution == blob.contributions[chain.explained]  # type: ignore[index]
            positive = parts.clip(0)
            assert shares == pytest.approx(positive / (positive.sum() or 1), abs=1e-5)
        else:
            assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert shares == sorted(shares, reverse=True)


def test_some_blobs_of_these_chains_argue_against_their_class(model: Model, result: Result) -> None:
    """Otherwise the tests here would not see a negative contribution."""
    parts = [blob.contribution or 0 for chain in result for blob in chain.blobs]
    assert (min(parts) < 0 < max(parts)) == adds(model)


def test_files_follow_the_schema_and_read_back_the_same(model: Model, result: Result, folder: Path) -> None:
    content = json.loads((folder / "predictions.json").read_text())
    jsonschema.Draft202012Validator(PREDICTIONS.schema()).validate(content)
    assert {name: content["model"][name] for name in ("head", "blob_view", "base")} == model.explanation
    saved = bioblobs.read_predictions(folder / "predictions.json")
    assert saved.chains.index.tolist() == [chain.id for chain in result]
    for chain in result:
        row = saved.chains.loc[chain.id]
        assert row["explained"] == chain.explained
        assert [row[f"logit_{label}"] for label in CLASSES] == list(chain.logits.values())
        blobs = saved.blobs.loc[chain.id]
        assert blobs.index.tolist() == [blob.rank for blob in chain.blobs]
        for blob in chain.blobs:
            found = [blobs.loc[blob.rank, f"c_{label}"] for label in CLASSES]
            wanted = [np.nan if blob.contributions is None else blob.contributions[c] for c in CLASSES]
            np.testing.assert_array_equal(found, wanted)


def test_tables_hold_the_contribution_to_every_class(model: Model, result: Result, folder: Path) -> None:
    table = pd.read_csv(folder / "blobs.csv", dtype={"chain": str})
    first = table.columns.get_loc("importance")
    per_class = [f"c_{label}" for label in CLASSES]
    assert list(table.columns[first : first + 6]) == [
        "importance", "contribution", "contributes_to", *per_class,
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        table[["contribution", *per_class]],
        result.blobs_frame()[["contribution", *per_class]].astype(float),
    )
    explained = pd.read_csv(folder / "predictions.csv").set_index("id")["explained"]
    assert explained.to_dict() == {chain.id: chain.explained for chain in result}
    if adds(model):
        assert (table["contributes_to"] == table["id"].map(explained)).all()
        named = [row[f"c_{row['contributes_to']}"] for _, row in table.iterrows()]
        assert table["contribution"].tolist() == named
    else:
        assert table[["contribution", "contributes_to", *per_class]].isna().all(axis=None)


def colours_of(path: Path) -> dict[str, str]:
    """{name of a selection: its colour} of a script, comments left out."""
    text = path.read_text()
    if path.suffix == ".pml":
        return {name: f"#{hex}" for hex, name in re.findall(r"^color 0x(\w{6}), (blob_\w+)$", text, re.M)}
    return dict(re.findall(r"^color (blob_\w+) (#\w{6})$", text, re.M))


@pytest.mark.parametrize("suffix", ["pml", "cxc"])
def test_scripts_colour_blobs_by_signed_contribution(
    model: Model, result: Result, folder: Path, suffix: str
) -> None:
    for structure in result.structures:
        path = folder / "structures" / f"{structure.name}.{suffix}"
        names = ["blob_"] if len(structure.chains) == 1 else ["blob_A_", "blob_b_"]
        wanted = {}
        for stem, chain in zip(names, structure.chains, strict=True):
            largest = max(abs(blob.contribution or 0) for blob in chain.blobs)
            for blob in chain.blobs:
                by_number = COLOURS[blob.rank - 1]
                signed = signed_colour(blob.contribution or 0, largest)
                wanted[f"{stem}{blob.rank}"] = signed if adds(model) else by_number
        assert colours_of(path) == wanted
        comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
        legends = [line for line in comments if "argues for" in line]
        assert len(legends) == (len(structure.chains) if adds(model) else 0)
        palette = [line for line in comments if line.startswith("# One colour per blob instead: color ")]
        assert len(palette) == (len(wanted) if adds(model) else 0)
        assert ";" not in path.read_text()


def test_a_class_name_cannot_break_a_script(tmp_path: Path) -> None:
    names = ["helix; delete all\nquit", "b;", "c;"]
    model = bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt", class_names=names))
    model.predict(DATA / "break.pdb").save(tmp_path / "out")
    for suffix in ("pml", "cxc"):
        text = (tmp_path / "out" / "structures" / f"break.{suffix}").read_text()
        assert ";" not in text
        assert not re.search(r"^quit", text, re.M)


def test_the_view_has_the_colours_of_the_scripts_and_a_legend(
    model: Model, result: Result, folder: Path
) -> None:
    for structure in result.structures:
        shown = view_html(structure)
        drawn = re.findall(r"&quot;colour&quot;: &quot;(#\w{6})&quot;", shown)
        assert drawn == list(colours_of(folder / "structures" / f"{structure.name}.pml").values())
        assert REST in shown
        assert shown.count("argues for") == (len(structure.chains) if adds(model) else 0)


def test_the_card_names_the_head_and_speaks_of_attention_only_where_it_is(model: Model) -> None:
    text = as_markdown(model.card, "m")
    architecture = model.card["architecture"]
    assert f"- head: `{architecture['head']}`" in text
    assert f"- view of blobs: `{architecture['blob_view']}`" in text
    assert "metrics/faithfulness.json" in text
    assert "metrics/interpretability.json" not in text
    assert ("ttention" in text) == (not adds(model))
    assert ("exact parts of that sum" in text) == adds(model)
    most = architecture["max_clusters"] * architecture["cluster_size_max"]
    assert (f"of a chain of more than {most} residues the rest decides nothing" in text) == adds(model)
    coded = {"with_codebook": True, "architecture": architecture | {"codebook_size": 8}}
    for read, said in (
        ("quantised", "blobs of one code give the same evidence"),
        ("raw", "differs within a code"),
    ):
        own = coded | {"architecture": coded["architecture"] | {"blob_input": read}}
        assert f"- codes: 8. {CODES[read]}" in as_markdown(model.card | own, "m") and said in CODES[read]


def test_the_table_has_what_the_sum_starts_from(model: Model, result: Result) -> None:
    """So that the sum can be checked from the two tables alone."""
    chains = result.to_frame().set_index("id")
    assert ((chains["in_blobs"] > 0) & (chains["in_blobs"] <= 1)).all()
    sums = result.blobs_frame().groupby("id")["contribution"].sum()
    if adds(model):
        np.testing.assert_allclose(chains["base"] + sums[chains.index], chains["logit"], atol=1e-5)
    else:
        assert chains["base"].isna().all()


def test_a_note_says_how_much_of_a_chain_decides_nothing(result: Result) -> None:
    for one in result:
        kept = [blob for blob in one.blobs if blob.rank == 1]
        share = sum(blob.size for blob in kept) / one.length
        assert share < MOST, "one blob of a chain is not most of it"
        cut = dataclasses.replace(one, blobs=kept)
        assert unread_note(cut) == [f"{1 - share:.0%} of its residues are in no blob and decide nothing"]
        whole = dataclasses.replace(kept[0], residues=list(range(one.length)))
        assert unread_note(dataclasses.replace(one, blobs=[whole])) == []


def older(path: Path, target: Path, version: str) -> Path:
    """The same predictions as version 1.0, 2.0 or 3.0 had them."""
    content = json.loads(path.read_text())
    content["schema_version"] = version
    del content["sha256"]
    content["model"] = {key: value for key, value in content["model"].items() if key not in NEW_IN_3_1}
    if version == "3.0":
        target.write_text(json.dumps(content))
        return target
    chains = [chain for structure in content["structures"] for chain in structure["chains"]]
    blobs = [blob for chain in chains for blob in chain["blobs"]]
    for blob in blobs:
        del blob["slot"]
        blob["blob"] = blob.pop("rank")
        blob["author"] = [label.split("/")[1] for label in blob["author"]]
    entries = []
    if version == "1.0":
        entries = [
            (content["model"], "model"),
            *((c, "chain") for c in chains),
            *((b, "blob") for b in blobs),
        ]
    for entry, keys in entries:
        for key in ADDED[keys]:
            del entry[key]
    target.write_text(json.dumps(content))
    return target


def test_predictions_of_version_1_are_read(folder: Path, tmp_path: Path) -> None:
    now = read_predictions(folder / "predictions.json")
    then = read_predictions(older(folder / "predictions.json", tmp_path / "old.json", "1.0"))
    assert then.content["model"]["head"] is None
    assert then.content["structures"][0]["chains"][0]["explained"] is None
    assert then.content["structures"][0]["chains"][0]["blobs"][0]["contributions"] is None
    assert list(then.blobs.columns) == list(now.blobs.columns)
    assert list(then.chains.columns) == list(now.chains.columns)
    new = ["slot", "contribution", *(f"c_{label}" for label in CLASSES)]
    assert then.blobs[new].isna().all(axis=None)
    pd.testing.assert_frame_equal(then.blobs.drop(columns=new), now.blobs.drop(columns=new))
    assert then.chains[["explained", *(f"logit_{label}" for label in CLASSES)]].isna().all(axis=None)


def test_predictions_of_version_2_are_read_but_for_slots(folder: Path, tmp_path: Path) -> None:
    now = read_predictions(folder / "predictions.json")
    then = read_predictions(older(folder / "predictions.json", tmp_path / "old.json", "2.0"))
    assert then.blobs["slot"].isna().all()
    pd.testing.assert_frame_equal(then.blobs.drop(columns="slot"), now.blobs.drop(columns="slot"))
    pd.testing.assert_frame_equal(then.chains, now.chains)
    assert then.content["structures"][0]["chains"][0]["blobs"][0]["author"][0].startswith("O/")


def test_predictions_of_version_3_0_are_read_but_for_the_temperature(folder: Path, tmp_path: Path) -> None:
    now = read_predictions(folder / "predictions.json")
    then = read_predictions(older(folder / "predictions.json", tmp_path / "old.json", "3.0"))
    assert then.content["model"]["temperature"] is None and then.content["model"]["blob_input"] is None
    pd.testing.assert_frame_equal(then.blobs, now.blobs)
    pd.testing.assert_frame_equal(then.chains, now.chains)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            {"schema_version": "0.9"},
            r"predictions file version 0\.9, this reader knows 1\.0, 2\.0, 3\.0 and 3\.1; run bioblobs",
        ),
        ({"schema_version": "1.0"}, r"\$(\.model)?: Additional properties"),  # the keys of later versions
        ({"schema_version": None}, "it is no predictions file of BioBlobs"),
        ({"structures": None}, r"\$\.structures"),
    ],
)
def test_other_predictions_are_refused_in_one_line(
    folder: Path, tmp_path: Path, spoil: dict[str, Any], message: str
) -> None:
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(json.loads((folder / "predictions.json").read_text()) | spoil))
    with pytest.raises(BioBlobsError, match=message) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_predictions_are_refused_in_one_line(folder: Path, tmp_path: Path, kind: str) -> None:
    whole = read_predictions(folder / "predictions.json").content
    path = Path(shutil.copy(folder / "predictions.json", tmp_path))
    damage(path, kind)
    try:
        assert read_predictions(path).content == whole
    except BioBlobsError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert kind == "cut by one"  # the last line's end


def test_every_changed_digit_of_predictions_is_found(folder: Path, tmp_path: Path) -> None:
    """A digit that is another by one bit is still JSON, and fits the schema."""
    before = (folder / "predictions.json").read_bytes()
    path = tmp_path / "predictions.json"
    for place in [at for at, byte in enumerate(before) if chr(byte).isdigit()][::97]:
        path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        with pytest.raises(BioBlobsError):
            read_predictions(path)


def test_predictions_without_a_digest_are_read_and_edited_ones_refused(folder: Path, tmp_path: Path) -> None:
    content, path = json.loads((folder / "predictions.json").read_text()), tmp_path / "edited.json"
    path.write_text(json.dumps(content, indent=2, sort_keys=True))  # the same content
    assert read_predictions(path).content["structures"] == content["structures"]
    content["structures"][0]["name"] = "another"
    path.write_text(json.dumps(content))
    with pytest.raises(BioBlobsError, match=r"damaged or edited.*remove the key sha256"):
        read_predictions(path)
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert read_predictions(path).content["structures"][0]["name"] == "another"
