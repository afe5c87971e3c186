"""Every command line of the guide runs (tests/data/guide.md is a copy of it), shortened."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from runs import TINY, ok, run
from working_tree import copy_of_the_tree

GUIDE = (ROOT / "tests" / "data" / "guide.md").read_text()


def guide_commands() -> list[tuple[dict[str, str], list[str]]]:
    """(exported variables, words) of each command in the guide's bash blocks."""
    commands = []
    for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL):
        variables: dict[str, str] = {}
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["export"]:
                name, _, value = words[1].partition("=")
                variables = {name: value}
            elif words:
                commands.append((variables, words))
    return commands


COMMANDS = guide_commands()


def test_the_guide_still_has_its_commands() -> None:
    assert len(COMMANDS) == 16
    assert {words[0] for _, words in COMMANDS} == {"python", "./test_partoken_multistage.sh"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(tmp_path_factory.mktemp("guide"))


@pytest.mark.parametrize(
    ("variables", "words"), COMMANDS, ids=[" ".join(words[1:])[:60] or words[0] for _, words in COMMANDS]
)
def test_command_of_the_guide_runs(variables: dict[str, str], words: list[str], tree: Path) -> None:
    before = set(tree.glob("outputs/partoken-multistage/*/multistage_*"))
    shortened = [f"{key}={value}" for key, value in TINY.items()]
    ok(run([*words, *shortened], tree, **variables))
    (folder,) = set(tree.glob("outputs/partoken-multistage/*/multistage_*")) - before
    asked = dict(word.split("=", 1) for word in words if "=" in word)
    assert folder.parent.name == asked.get("data.dataset_name", "scop")
    resolved = yaml.safe_load((folder / "stage_0" / "config.yaml").read_text())
    for key, value in asked.items():
        if key not in TINY:  # what the example asks for is what was run
            found = resolved
            for part in key.split("."):
                found = found[part]
            assert found == yaml.safe_load(value), key
    assert_output_structure(folder)


def assert_output_structure(folder: Path) -> None:
    """The tree that the guide's "Output Structure" draws."""
    for stage in (0, 1):
        names = {path.name for path in (folder / f"stage_{stage}").iterdir()}
        best = [
            n for n in names if re.fullmatch(rf"best-stage{stage}-epoch=\d+-val_\w+=\d\.\d{{3}}\.ckpt", n)
        ]
        assert len(best) == 1, names
        assert {"last.ckpt", f"stage_{stage}_final.ckpt"} <= names
    for name in (
        "interpretability/test_interpretability.json",
        "final_multistage_model.ckpt",
        "checkpoint_summary.json",
    ):
        assert (folder / name).stat().st_size > 0
