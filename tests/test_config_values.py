"""What every stage's config takes and refuses: the same from Python and from the command line, in one line."""

import dataclasses
import importlib
import importlib.util
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret import config, train
from music_interpret.cli import STAGES
from music_interpret.errors import InputError
from music_interpret.paths import FOLDER_NAME

MODEL = {"dataset_name": "sod", "data_repr": "ape"}
EXPERIMENT = {"series_name": "s", "experiment_name": "e"}
RUN = {"run": "s/e"}
# What must be given; the rest has defaults.
NEEDED: dict[str, dict[str, Any]] = {
    "ingest": {"source": "scores", "dataset_name": "sod"},
    "extract": {**MODEL, "layers": (1,)},
    "preprocess": {**MODEL, "layers": (1,)},
    "train": {**MODEL, **EXPERIMENT, "layers": (1,)},
    "evaluate": RUN,
    "compare": {"runs": ("s/e", "s/f")},
    "index": RUN,
    "label": RUN,
    "features": RUN,
    "explore": RUN,
    "report": RUN,
    "export": {**RUN, "format": "saelens"},
    "import": {"path": "sae", **MODEL, **EXPERIMENT, "layer": 1},
    "demo": {},
}


def load_script() -> Any:
    path = Path(__file__).parents[1] / "scripts" / "train_base_model.py"
    spec = importlib.util.spec_from_file_location("train_base_model_configs", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_of(command: str) -> type:
    stage = STAGES[command]
    return getattr(importlib.import_module(f"music_interpret.{stage.module}"), stage.config)


EXAMPLES = {command: config_of(command)(**values) for command, values in NEEDED.items()}
EXAMPLES["train_base_model"] = load_script().BaseModelConfig(**MODEL)
FIELDS = [(name, field.name) for name, example in EXAMPLES.items() for field in dataclasses.fields(example)]


def words_of(made: Any, *more: str) -> list[str]:
    """The command line that gives a config, with more options."""
    named, placed = [], []
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        several = list(map(str, value)) if isinstance(value, tuple) else [str(value)]
        if field.metadata.get("positional"):
            placed += several
        elif isinstance(value, bool):
            named += [] if value == field.default else [f"--{field.name}" if value else f"--no-{field.name}"]
        elif isinstance(value, tuple):
            named += [f"--{field.name}", *several]
        elif value is not None:
            named.append(f"--{field.name}={value}")
    return [*named, *more, *(["--", *placed] if placed else [])]


def test_every_stage_is_here():
    assert set(NEEDED) == set(STAGES)
    assert all(isinstance(example, config.CheckedConfig) for example in EXAMPLES.values())


# Stage, field, a wrong value, the same on the command line (None: there it is another value, or cannot be said), and
# what was expected.
WHOLE = "a whole number below 2^63"
TEXT = "text (Unicode, not empty, without NUL)"
DEVICE = "auto, cpu, cuda, or a GPU by its number as in cuda:0"
WRONG = [
    ("train", "token_baseline", None, "None", "one of none, additive"),
    ("train", "architecture", "vae", "vae", "one of relu, gated, topk, batchtopk, jumprelu, matryoshka"),
    ("train", "architecture", ("topk",), None, "one of relu, gated, topk, batchtopk, jumprelu, matryoshka"),
    ("train", "precision", "fp8", "fp8", "one of float32, bfloat16"),
    ("train", "d_sae", 64.5, "64.5", WHOLE),
    ("train", "d_sae", 0, "0", "1 to 16777216"),
    ("train", "d_sae", 2**63 - 1, str(2**63 - 1), "1 to 16777216"),
    ("train", "d_sae", True, "True", WHOLE),
    ("train", "d_sae", 10**5000, None, WHOLE),
    ("train", "layers", 5, None, "a tuple of one value or more"),
    ("train", "layers", (), None, "a tuple of one value or more"),
    ("train", "layers", "57", None, "a tuple of one value or more"),
    ("train", "layers", (1, -1), "-1", "0 or more"),
    ("train", "layers", (1, None), "None", WHOLE),
    ("train", "epochs", "3", None, WHOLE),
    ("train", "epochs", float("nan"), "nan", WHOLE),
    ("train", "prefixes", (), None, "a tuple of one value or more"),
    ("train", "prefixes", (0, 2048), "0", "1 or more"),
    ("train", "k", (0,), "0", "a number above 0"),
    ("train", "k", 32, None, "a tuple of one value or more"),
    ("train", "alpha", (-1,), "-1", "0 or more"),
    ("train", "alpha", (float("nan"),), "nan", "a finite number (float32)"),
    ("train", "lr", 0, "0", "a number above 0"),
    ("train", "lr", 10**5000, None, "a finite number (float32)"),
    ("train", "lr_warmup", 2, "2", "0 to 1"),
    ("train", "lr_decay", -0.1, "-0.1", "0 to 1"),
    ("train", "sparsity_warmup", 1.01, "1.01", "0 to 1"),
    ("train", "aux_weight", float("inf"), "inf", "a finite number (float32)"),
    ("train", "clip_norm", -1.0, "-1", "0 or more"),
    ("train", "encoder_bias", 1e308, "1e308", "a finite number (float32)"),
    ("train", "encoder_bias", float("-inf"), "-inf", "a finite number (float32)"),
    ("train", "decoder_bias", None, None, "True or False"),
    ("train", "overwrite", "no", None, "True or False"),
    ("train", "resume", 1, None, "True or False"),
    ("train", "seed", -1, "-1", "0 or more"),
    ("train", "seed", 2**70, str(2**70), WHOLE),
    ("train", "series_name", "../s", "../s", FOLDER_NAME),
    ("train", "experiment_name", "e" * 256, "e" * 256, FOLDER_NAME),
    ("train", "device", "cuda:", "cuda:", DEVICE),
    ("compare", "runs", (), None, "a tuple of one value or more"),
    ("ingest", "dataset_name", "a/b", None, FOLDER_NAME),
    ("ingest", "resolution", 13, "13", "one of 12, 24"),
    ("ingest", "repeats", "twice", "twice", "one of written, played"),
    ("ingest", "jobs", 0, "0", "1 to 1024"),
    ("ingest", "min_notes", 0, "0", "1 or more"),
    ("ingest", "limit", 0, "0", "1 or more"),
    ("extract", "dtype", "float64", "float64", "one of float16, float32"),
    ("extract", "batch_tokens", 0, "0", "1 or more"),
    ("extract", "device", "gpu", "gpu", DEVICE),
    ("preprocess", "normalization", "typo", "typo", "one of zscore, scalar, none"),
    ("evaluate", "split", "dev", "dev", "one of train, valid, test"),
    ("evaluate", "against", "", "", TEXT),
    ("compare", "output", 7, None, TEXT),
    ("index", "batch_tokens", 0, "0", "1 or more"),
    ("label", "seed", -1, "-1", "0 or more"),
    ("label", "seed", 2**70, str(2**70), WHOLE),
    ("label", "concepts", "a\0b", None, TEXT),
    ("features", "top", 0, "0", "1 or more"),
    ("features", "context", -1, "-1", "0 or more"),
    ("features", "latent", -1, "-1", "0 or more"),
    ("explore", "port", 70000, "70000", "0 to 65535"),
    ("report", "examples", 51, "51", "1 to 50"),
    ("report", "latents", "all", "all", "best:50, named, or numbers with commas as in 3,112"),
    ("export", "format", "onnx", "onnx", "one of sae_lens, dictionary_learning, sparsify, saelens, neuronpedia"),
    ("import", "layer", -1, "-1", "0 or more"),
    ("demo", "features", 0, "0", "1 or more"),
    ("demo", "layer", 8, "8", "0 to 7"),
    ("demo", "songs", 0, "0", "1 or more"),
]


@pytest.mark.parametrize(
    ("stage", "field", "value", "words", "expected"), WRONG, ids=[f"{case[:2]} {case[3]}"[:50] for case in WRONG]
)
def test_a_wrong_value_is_refused_in_one_line(tmp_path, monkeypatch, command, stage, field, value, words, expected):
    with pytest.raises(InputError) as error:
        dataclasses.replace(EXAMPLES[stage], **{field: value})
    assert re.fullmatch(rf"(--)?{field} is .{{1,110}}; expected {re.escape(expected)}", str(error.value))
    if words is not None:
        monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
        line = command(stage, *words_of(EXAMPLES[stage], f"--{field}={words}")).refused()
        assert re.search(rf"--{field}( is |[-/\w]*: invalid )", line), line
        assert not list(tmp_path.iterdir())


class Words(str):
    """Text that str() makes something else of, as of an Enum's member."""

    def __str__(self) -> str:
        return "Words"


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


ODD = [
    *[None, True, False, object(), Unshowable(), dict, {}, {1}, b"topk", 1j, Decimal(1), 10**400, -(10**400)],
    *[np.int64(3), np.float32(0.5), np.float64("nan"), np.bool_(True), np.str_("topk"), np.array([1, 2]), np.array(1)],
    *[Path("a/b"), Path("relu"), Words("relu"), range(3), range(0), (), [], [[1]], (None,), "", "\0", "\ud800", "a\nb"],
]
# Values that some field takes, none of them a default.
PLAUSIBLE = [
    *[1, 3, 0.125, (1, 3), ["x"], "x", "cuda:1", "named", 24, True, False, "float32", "bfloat16", "valid", "scalar"],
    *["gated", "none", "free", "density", "sparsify", "trackio", "rotary", "played"],
]
ANYTHING = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(PLAUSIBLE),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.one_of(st.integers(), st.floats(), st.text()), max_size=3).map(tuple),
)


def assert_means_the_same_on_the_command_line(made: Any) -> None:
    assert config.parse(type(made), words_of(made), "stage") == made
    values = json.loads(json.dumps(config.as_dict(made), allow_nan=False))
    assert type(made)(**values) == made


@pytest.mark.parametrize("name", EXAMPLES)
@settings(max_examples=60)
@given(data=st.data())
def test_any_value_is_refused_or_means_the_same_on_the_command_line(name, data):
    example = EXAMPLES[name]
    fields = [field.name for field in dataclasses.fields(example)]
    changes = data.draw(st.dictionaries(st.sampled_from(fields), ANYTHING, min_size=1, max_size=3))
    try:
        made = dataclasses.replace(example, **changes)
    except InputError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert_means_the_same_on_the_command_line(made)


# What a field needs of others to take a value that is not its default.
TOGETHER = {
    "alpha": {"architecture": "jumprelu"},
    "decoder_norm": {"architecture": "relu"},
    "prefixes": {"architecture": "matryoshka", "d_sae": 3},
    "site": {"layer": None},
}


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_field_takes_a_value_that_is_not_its_default(name, field):
    example, taken = EXAMPLES[name], []
    for value in PLAUSIBLE:
        try:
            made = dataclasses.replace(example, **TOGETHER.get(field, {}) | {field: value})
        except InputError:
            continue
        if getattr(made, field) != getattr(example, field):
            taken.append(made)
            assert_means_the_same_on_the_command_line(made)
    assert taken


def test_values_are_made_plain():
    numbers = {"layers": [np.int64(1), 3.0], "d_sae": np.float64(64), "k": [np.float32(0.5), 2], "lr": 1}
    words = {"series_name": Path("s"), "experiment_name": np.str_("e"), "architecture": Words("batchtopk")}
    made = dataclasses.replace(EXAMPLES["train"], **numbers, **words)
    found = {name: getattr(made, name) for name in (*numbers, *words)}
    assert repr(found) == repr(
        {"layers": (1, 3), "d_sae": 64, "k": (0.5, 2.0), "lr": 1.0}
        | {"series_name": "s", "experiment_name": "e", "architecture": "batchtopk"}
    )


# From a training_args.json of version 0.1.0.
TRAINED_BY_0_1_0 = """
{"dataset_name": "sod", "data_repr": "ape", "series_name": "s", "experiment_name": "e", "architecture": "topk",
"token_baseline": "additive", "d_sae": 96, "k": 32.0, "alpha": null, "decoder_norm": "unit", "prefixes": null,
"bandwidth": 0.5, "lr": 0.003, "batch_size": 64, "epochs": 20, "lr_warmup": 0.05, "lr_decay": 0.2,
"sparsity_warmup": null, "clip_norm": 0.0, "aux_weight": 0.03125, "encoder_bias": -1.0, "encoder_scale": 1.0,
"decoder_bias": true, "precision": "float32", "seed": 0, "buffer_tokens": 4194304, "window_tokens": 50000,
"log_every": 50, "checkpoint_every": 1000, "device": "auto", "layer": 3}
"""


def test_a_training_of_version_0_1_0_is_configured_again():
    arguments = json.loads(TRAINED_BY_0_1_0)
    made = train.config_of(arguments, experiment_name="again")
    assert (made.layers, made.k, made.experiment_name) == ((3,), (32.0,), "again")
    found = config.as_dict(made) | {"layer": 3, "k": 32.0, "experiment_name": "e"}
    assert {name: found[name] for name in arguments} == arguments
