"""One tree of parameters: all of it typed, checked by its full name, and read where it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from bioblobs import cli
from bioblobs.checkpoints.build import architecture, build_model
from bioblobs.config.groups import CODEBOOK, CODEBOOK_LOSS, NETWORK, Group, keys_of_part, shaping_values
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, DataConfig, ModelConfig, Stage0Config, Stage1Config, leaf_keys
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.search.__main__ import main as search
from bioblobs.training.losses import LossWeights
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
    trained = cli_values(Stage0CLI, ["fit", "--config", str(path)]).multistage.stage0.lr
    assert (read, trained) == (1e-4, 1e-4)
    assert isinstance(read, float)
    assert isinstance(trained, float)


REFUSED = {
    "unknown key": ("model.codebok_size", "512"),
    "unknown nested key": ("multistage.stage1.loss_ramp.epochs", "3"),
    "text for a number": ("train.batch_size", "many"),
    "fraction for a whole number": ("model.num_layers", "2.5"),
    "exponent for a whole number": ("data.subset", "6e1"),
    "point for a whole number": ("train.batch_size", "60.0"),
    "infinite rate": ("multistage.stage0.lr", "inf"),
    "infinite weight": ("multistage.stage1.lambda_ent", ".inf"),
    "rate that is no number": ("multistage.stage1.lr", "nan"),
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


def test_a_blank_value_is_null(tmp_path: Path) -> None:
    """DVC writes null so when `-S` changes any key of params.yaml."""
    path = tmp_path / "params.yaml"
    path.write_text("data:\n  table:\n  subset:\n  task_title:   # a comment\n")
    data = parse("", ["--config", str(path)])[0].data
    assert (data.table, data.subset, data.task_title) == (None, None, None)


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


def float_keys() -> list[str]:
    """Keys whose default is a float, or a tuple of them."""
    found = []
    for key in leaf_keys():
        value = at(Config(), key)
        if isinstance(value[0] if isinstance(value, tuple) else value, float):
            found.append(key)
    return found


@pytest.mark.parametrize("key", float_keys())
def test_every_float_is_finite(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("inf", "-inf", "nan"):
        several = key == "data.split_fractions"
        with pytest.raises(SystemExit):
            parse("", [f"--{key}={f'[{word}, 0.1, 0.1]' if several else word}"])
        assert key in capsys.readouterr().err


@pytest.mark.parametrize("text", ["6e1", "60.0"])
def test_a_whole_number_is_written_without_point_or_exponent(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC writes -S data.subset=6e1 into params.yaml as 60.0; both are refused, in the same words."""
    path = tmp_path / "params.yaml"
    path.write_text(f"data: {{subset: {text}}}\n")
    for words in (["--config", str(path)], [f"--data.subset={text}"]):
        with pytest.raises(SystemExit):
            parse("", words)
        said = "error: data.subset: expected a whole number from 1, without point or exponent; got "
        assert capsys.readouterr().err in (f"{said}{text}\n", f"{said}60.0\n")


@pytest.mark.parametrize(
    ("argument", "key"),
    [
        ("trainer.max_epochs=5", "multistage.stage0.epochs"),
        ("trainer.devices=2", "train.devices"),
        ("trainer.gradient_clip_val=0.5", "train.gradient_clip_val"),
        ("seed_everything=3", "train.seed"),
    ],
)
@pytest.mark.parametrize("where", ["file", "command line"])
def test_what_follows_from_a_key_is_not_set_twice(
    argument: str, key: str, where: str, tmp_path: Path
) -> None:
    name, _, value = argument.partition("=")
    words = [f"--{argument}"]
    if where == "file":
        group, _, last = name.rpartition(".")
        content: Any = {last: yaml.safe_load(value)}
        (tmp_path / "more.yaml").write_text(yaml.safe_dump({group: content} if group else content))
        words = ["--config", str(tmp_path / "more.yaml")]
    with pytest.raises(BioBlobsError, match=rf"^{name}: follows from {key}; set that key instead$"):
        Stage0CLI(["fit", *words])


ABBREVIATED: dict[str, tuple[Callable[[list[str]], object], list[str]]] = {
    "a key": (lambda words: parse("", words), ["--data.sub=6"]),
    "a group": (lambda words: parse("", words), ["--mod.head=full"]),
    "an option": (lambda words: parse("", words), ["--conf", str(ROOT / "params.yaml")]),
    "of a training": (lambda words: Stage0CLI(["fit", *words]), ["--conf", str(ROOT / "params.yaml")]),
    "a key of a training": (lambda words: Stage1CLI(["fit", *words]), ["--model.codebook_si=6"]),
    "of bioblobs": (lambda words: cli.main(["predict", "a.pdb", *words]), ["--mod=m.ckpt", "--out=o"]),
    "of the search": (search, ["--tri=3"]),
}


@pytest.mark.parametrize("case", ABBREVIATED)
def test_abbreviations_are_refused(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, words = ABBREVIATED[case]
    with pytest.raises(SystemExit) as stopped:
        command(words)
    assert stopped.value.code == 2
    key = words[0].removeprefix("--").partition("=")[0]
    assert key in capsys.readouterr().err or case == "of bioblobs"


def test_values_are_plain_numbers() -> None:
    """Range types would end up in optimizers and checkpoints, which are read with weights_only."""
    config, _ = parse("", ["--multistage.stage0.lr=1e-3", "--train.seed=4"])
    for key in leaf_keys():
        value = at(config, key)
        kinds = {type(part) for part in (value if isinstance(value, tuple) else (value,))}
        assert kinds <= {bool, int, float, str, type(None)}, key


# Facts of keys, on their fields


class Read(ModelConfig):
    """Model keys that record what is read."""

    seen: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> object:
        if name in ModelConfig.__dataclass_fields__:
            Read.seen.add(name)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("with_codebook", [False, True])
@pytest.mark.parametrize("make", [lambda *args: build_model(args[0], 3, args[1]), architecture])
def test_model_reads_just_the_keys_of_its_card(make: Callable[..., object], with_codebook: bool) -> None:
    """More: a checkpoint would not say what it is. Fewer: stage 0 would be trained again for nothing."""
    config = Read(node_h_dim=(8, 2), num_layers=1)
    Read.seen.clear()
    make(config, with_codebook)
    parts = (NETWORK, CODEBOOK) if with_codebook else (NETWORK,)
    assert Read.seen == set(keys_of_part(ModelConfig, *parts))


def test_cards_keep_the_order_of_their_keys() -> None:
    """Checkpoints made before are compared key by key; their bytes stay the same, too."""
    network = [
        *("node_in_dim", "node_h_dim", "edge_in_dim", "edge_h_dim", "num_layers", "drop_rate", "norm_first"),
        *("seq_in", "max_clusters", "cluster_size_max", "termination_threshold", "k_hop", "pooling", "head"),
        *("blob_view", "cut_h_dim", "cut_layers"),
    ]
    codebook = ["size", "distance", "decay", "eps", "revive_below"]
    names = [*network, "blob_input", *(f"codebook_{name}" for name in codebook)]
    assert list(architecture(ModelConfig(), True)) == names
    assert keys_of_part(ModelConfig, CODEBOOK_LOSS) == ("codebook_beta", "psc_temp")


def test_places_and_views_shape_no_result() -> None:
    shapeless = set(leaf_keys()) - set(leaf_keys(only_shaping=True))
    assert shapeless == {
        *("data.data_dir", "data.task_title", "data.workers", "train.num_workers", "train.logger"),
        *("train.use_wandb", "train.wandb_project", "train.checkpoint_minutes", "train.recompute"),
    }
    assert set(DataConfig(embeddings="made.h5").identity()) == {
        key.removeprefix("data.") for key in leaf_keys(only_shaping=True) if key.startswith("data.")
    }
    assert DataConfig().identity()["split_fractions"] == [0.8, 0.1, 0.1]
    assert "multistage.stage1.loss_ramp.enabled" in shaping_values(Config().multistage)


@pytest.mark.parametrize("stage", [0, 1])
def test_every_loss_weight_of_a_stage_reaches_the_loss(stage: int) -> None:
    """A new one needs its key, its field of LossWeights and its use; nothing carries it by name."""
    config = Config(model=ModelConfig(node_h_dim=(8, 2), num_layers=1, codebook_size=4, codebook_beta=0.7))
    plan: Group = (config.multistage.stage0, config.multistage.stage1)[stage]
    names = [name for name in vars(plan) if name.startswith("lambda_")]
    for place, name in enumerate(names):
        setattr(plan, name, 2.0 + place)
    weights = BlobModule(config, stage, 3).weights
    for place, name in enumerate(names):
        assert getattr(weights, name.removeprefix("lambda_")) == 2.0 + place
    assert weights.beta == (0.7 if stage else LossWeights().beta)


def test_the_module_follows_its_stage(tmp_path: Path) -> None:
    config, _ = parse("", ["--multistage.stage0.epochs=4", "--multistage.stage1.epochs=9", "--train.seed=7"])
    first, second = (BlobModule(config, stage, 3) for stage in (0, 1))
    assert isinstance(first.plan, Stage0Config) and isinstance(second.plan, Stage1Config)
    assert (first.plan.epochs, first.first_epoch, first.seed, first.vq_share) == (4, 0, 7, 1.0)
    assert (second.plan.epochs, second.first_epoch, second.seed) == (9, 4, 7)
    assert first.model.codebook is None and second.model.codebook is not None
