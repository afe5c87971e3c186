"""One tree of parameters: all of it typed, checked by its full name, and read where it should be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning import Trainer

from bioblobs.checkpoints.build import ARCHITECTURE_KEYS, CODEBOOK_KEYS, architecture, build_model
from bioblobs.config.parsing import parse
from bioblobs.config.reads import recorded_reads
from bioblobs.config.schema import (
    Config,
    DataConfig,
    LossRampConfig,
    ModelConfig,
    MultistageConfig,
    Stage1Config,
    leaf_keys,
)
from bioblobs.errors import one_line_errors
from bioblobs.training.cli import LINKS, SEED_TARGETS, STAGE_LINKS
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.module import BlobModule
from bioblobs.training.stage import Stage0CLI, Stage1CLI
from conftest import ROOT

# Lightning's CLI calls a function that jsonargparse is about to rename.
pytestmark = pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")

# The guide's keys: its configuration section, its command lines and its troubleshooting.
GUIDE = {
    "data": "dataset_name split split_similarity_threshold data_dir",
    "model": "node_in_dim node_h_dim edge_in_dim edge_h_dim num_layers drop_rate "
    "max_clusters cluster_size_max termination_threshold codebook_size codebook_beta codebook_decay",
    "multistage.stage0": "epochs lr bypass_codebook",
    "multistage.stage1": "epochs lr kmeans_init kmeans_batches",
    "multistage.stage1.loss_ramp": "enabled ramp_epochs",
    "train": "batch_size use_wandb wandb_project",
}

FILES = [ROOT / "params.yaml", *sorted((ROOT / "params").glob("*.yaml"))]


class Parsed(Exception):
    """Raised in place of the work, once a command line is understood."""


def cli_values(stage: type[Stage0CLI] | type[Stage1CLI], args: list[str]) -> Any:
    """What a training command line is understood as, before anything is made of it."""
    values: list[Any] = []

    class Probe(stage):  # type: ignore[valid-type, misc]
        def before_instantiate_classes(self) -> None:
            values.append(self._fit("config"))
            raise Parsed

    with pytest.raises(Parsed):
        Probe(args)
    return values[0]


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config


def same(value: Any, written: Any) -> bool:
    """YAML's lists are tuples here, and PyYAML reads 1e-4 as text."""
    if isinstance(value, tuple | list):
        return list(value) == list(written)
    if isinstance(value, float):
        return value == float(written)
    return value == written and isinstance(value, bool) == isinstance(written, bool)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_key_of_a_params_file_is_read_as_it_is_written(path: Path) -> None:
    written = dict(leaves(yaml.safe_load(path.read_text())))
    assert set(written) <= set(leaf_keys())
    config, _ = parse("", ["--config", str(path)])
    for key, value in written.items():
        assert same(at(config, key), value), f"{key}: {value!r} is read as {at(config, key)!r}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("stage", [Stage0CLI, Stage1CLI])
def test_training_reads_the_same_values_as_every_other_stage(path: Path, stage: type[Stage0CLI]) -> None:
    config, _ = parse("", ["--config", str(path)])
    values = cli_values(stage, ["fit", "--config", str(path)])
    for key in leaf_keys():
        assert same(at(config, key), at(values, key)), key


def test_file_and_command_line_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("model: {codebook_size: 1024, node_h_dim: [8, 2]}\nmultistage: {stage1: {lr: 1e-4}}\n")
    from_file, _ = parse("", ["--config", str(path)])
    from_line, _ = parse(
        "", ["--model.codebook_size=1024", "--model.node_h_dim=[8, 2]", "--multistage.stage1.lr", "1e-4"]
    )
    assert from_file == from_line
    assert from_file.model.codebook_size == 1024


def test_later_arguments_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("train: {seed: 3, batch_size: 7}\n")
    config, _ = parse("", ["--config", str(path), "--train.seed", "5"])
    assert (config.train.seed, config.train.batch_size) == (5, 7)


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001", "1E-4"])
def test_number_in_scientific_notation_is_a_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"multistage: {{stage0: {{lr: {text}}}}}\n")
    read = parse("", ["--config", str(path)])[0].multistage.stage0.lr
    trained = cli_values(Stage0CLI, ["fit", "--config", str(path)]).model.lr
    assert (read, trained) == (1e-4, 1e-4)
    assert isinstance(read, float)
    assert isinstance(trained, float)


REFUSED = {
    "unknown key": ("model.codebok_size", "512"),
    "unknown nested key": ("multistage.stage1.loss_ramp.epochs", "3"),
    "text for a number": ("train.batch_size", "many"),
    "fraction for a whole number": ("model.num_layers", "2.5"),
    "text for a flag": ("train.use_wandb", "perhaps"),
    "one number for two": ("model.node_h_dim", "100"),
    "k_hop 0": ("model.k_hop", "0"),
    "node_in_dim of other features": ("model.node_in_dim", "[5, 3]"),
    "odd edge scalars": ("model.edge_in_dim", "[31, 1]"),
    "width that heads do not divide": ("model.node_h_dim", "[30, 4]"),
    "everything dropped": ("model.drop_rate", "1.0"),
    "everything smoothed": ("train.label_smoothing", "1.0"),
    "decay above one": ("model.tau_decay", "1.5"),
    "negative rate": ("multistage.stage0.lr", "-0.1"),
    "codebook frozen from the start": ("multistage.stage1.freeze_epochs", "1000"),
    "codebook in stage 0": ("multistage.stage0.bypass_codebook", "false"),
    "no number of neighbours": ("data.edge_types", "knn_x"),
    "no neighbours": ("data.edge_types", "knn_0"),
    "unknown split": ("data.split", "fish"),
    "unknown task": ("data.dataset_name", "fish"),
    "negative seed": ("data.seed", "-1"),
    "unknown head": ("model.head", "fish"),
    "unknown view": ("model.blob_view", "fish"),
    "an encoder of no layers": ("model.cut_layers", "0"),
    "unknown weights": ("train.class_weights", "fish"),
}
BESIDE = {"width that heads do not divide": ["--model.head=full"]}
"""Other arguments that make a parameter impossible."""
COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "parse": lambda args: parse("", args),
    "stage 0": lambda args: Stage0CLI(["fit", *args]),
    "stage 1": lambda args: Stage1CLI(["fit", *args]),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("where", ["file", "command line"])
@pytest.mark.parametrize("fault", REFUSED)
def test_impossible_parameter_is_one_line_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str, where: str, command: str
) -> None:
    key, value = REFUSED[fault]
    # There is no prepared data: a wrong key stops the run before anything else is looked at.
    args = [f"--paths.prepared={tmp_path / 'none'}", f"--paths.output={tmp_path / 'out'}"]
    args += BESIDE.get(fault, [])
    if where == "command line":
        args.append(f"--{key}={value}")
    else:
        tree: Any = yaml.safe_load(value)
        for name in reversed(key.split(".")):
            tree = {name: tree}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
        args += ["--config", str(tmp_path / "params.yaml")]
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        COMMANDS[command](args)
    code = stopped.value.code
    assert code, "the command stops as if all were well"
    said = (f"{code}\n" if isinstance(code, str) else "") + capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("INFO: ")]
    assert len(lines) == 1, said
    assert key in lines[0]
    assert not (tmp_path / "out").exists()


def test_freezing_may_start_after_the_first_epoch() -> None:
    config, _ = parse("", ["--multistage.stage1.epochs=3", "--multistage.stage1.freeze_epochs=2"])
    assert config.multistage.stage1.freeze_epochs == 2
    with pytest.raises(SystemExit), one_line_errors():
        parse("", ["--multistage.stage1.epochs=3", "--multistage.stage1.freeze_epochs=3"])


@pytest.mark.parametrize("text", ["knn_1", "knn_30", "eps_8", "eps_7.5"])
def test_edge_types_that_are_possible(text: str) -> None:
    assert parse("", [f"--data.edge_types={text}"])[0].data.edge_types == text


def test_keys_of_the_guide_are_there() -> None:
    wanted = {f"{group}.{name}" for group, names in GUIDE.items() for name in names.split()}
    assert wanted <= set(leaf_keys())


def test_each_key_is_listed_once_and_has_a_value() -> None:
    keys = leaf_keys()
    assert len(keys) == len(set(keys))
    for key in keys:
        at(Config(), key)


def test_reads_are_recorded_by_full_name_and_only_inside_the_block() -> None:
    config = Config()
    assert config.train.seed == 0
    with recorded_reads() as reads:
        _ = config.multistage.stage1.loss_ramp.enabled
        _ = config.multistage.stage1.lr
        _ = config.data.split
    _ = config.model.k_hop
    assert reads == {"multistage.stage1.loss_ramp.enabled", "multistage.stage1.lr", "data.split"}


def test_checking_a_group_is_no_read_of_it() -> None:
    with recorded_reads() as reads:
        Config()
        ModelConfig(node_h_dim=(8, 1))
        MultistageConfig(stage1=Stage1Config(epochs=3, freeze_epochs=1, loss_ramp=LossRampConfig()))
        parse("", ["--model.k_hop=3"])
    assert reads == set()


def test_reads_are_recorded_again_after_a_failed_check() -> None:
    config = DataConfig()
    with recorded_reads() as reads:
        with pytest.raises(Exception, match="freeze_epochs"):
            Stage1Config(epochs=1, freeze_epochs=1)
        _ = config.subset
    assert reads == {"data.subset"}


@pytest.mark.parametrize("with_codebook", [False, True])
@pytest.mark.parametrize("make", [lambda *args: build_model(args[0], 3, args[1]), architecture])
def test_model_reads_just_the_keys_of_its_card(make: Callable[..., object], with_codebook: bool) -> None:
    """More: a checkpoint would not say what it is. Fewer: stage 0 would be trained again for nothing."""
    config = ModelConfig(node_h_dim=(8, 2), num_layers=1)
    with recorded_reads() as reads:
        make(config, with_codebook)
    keys = ARCHITECTURE_KEYS + (CODEBOOK_KEYS if with_codebook else ())
    assert reads == {f"model.{key}" for key in keys}


def accepts(target: str) -> bool:
    """Whether the class behind ``data``, ``model`` or ``trainer`` takes this argument."""
    kind = {"data": ProteinDataModule, "model": BlobModule, "trainer": Trainer}
    group, _, name = target.partition(".")
    return not name or name in inspect.signature(kind[group].__init__).parameters


def test_links_name_existing_keys_and_arguments() -> None:
    sources = [*LINKS, *STAGE_LINKS[0], *STAGE_LINKS[1]]
    assert [key for key in sources if key not in leaf_keys() and not key.startswith("paths.")] == []
    targets = [*LINKS.values(), *SEED_TARGETS]
    targets += [target for links in STAGE_LINKS for group in links.values() for target in group]
    assert [target for target in targets if not accepts(target)] == []


def test_no_argument_is_set_by_two_links() -> None:
    for links in STAGE_LINKS:
        targets = [*LINKS.values(), *SEED_TARGETS, *(target for group in links.values() for target in group)]
        assert len(targets) == len(set(targets))


def test_links_carry_the_value(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "train: {seed: 7, batch_size: 3}\n"
        "multistage: {stage0: {epochs: 4}, stage1: {epochs: 9, lambda_vq: 2.5}}\n"
    )
    first = cli_values(Stage0CLI, ["fit", "--config", str(path)])
    second = cli_values(Stage1CLI, ["fit", "--config", str(path)])
    assert (first.trainer.max_epochs, first.model.epochs, first.model.seed, first.data.batch_size) == (
        4,
        4,
        7,
        3,
    )
    assert (second.trainer.max_epochs, second.model.first_epoch, second.model.lambda_vq) == (9, 4, 2.5)
