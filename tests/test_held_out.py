"""Nothing is learned from held-out songs: one split at a time is spoiled, and what moves is what may move.

Spoiling the train songs is the control: it moves everything that is learned, so that the tests can fail.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from conftest import make_home, make_many_songs
from safetensors.numpy import load_file

from music_interpret import cli, files
from music_interpret.activations.store import open_set, shard_path
from music_interpret.features import probing, rules
from music_interpret.features.control_firings import control_encoders
from music_interpret.features.firings import Firings
from music_interpret.features.index import Chunk
from music_interpret.features.labelling import Corpus, label_latents
from music_interpret.label import LabelConfig, open_corpus
from music_interpret.runs.run import Run, open_run
from music_interpret.tokens.mmt import FIELDS

STORE = "data/activations/sod_ape_residual"
SMALL = ("--d_sae", 32, "--k", 4, "--batch_size", 64, "--epochs", 3)
RUNS = {
    "additive": ("--architecture", "topk", "--token_baseline", "additive"),
    "plain": ("--architecture", "batchtopk", "--token_baseline", "none"),
}
SPOILED = 1e6
PROBES = {"probe directions", "probe thresholds"}


@contextlib.contextmanager
def at(root: Path) -> Iterator[None]:
    """Let a folder be the root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSIC_INTERPRET_HOME", str(root))
        yield


def stage(root: Path, name: str, *words: object) -> None:
    with at(root):
        assert cli.run(name, [str(word) for word in words], f"music-interpret {name}") == 0


def opened(root: Path) -> Run:
    """The run with a token baseline, with its parts opened while the folder is the root."""
    with at(root):
        run = open_run("s/additive")
        _ = run.rows, run.sae
        return run


def moved(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Names of what differs in any bit."""
    assert one.keys() == other.keys()
    return {name for name in one if one[name] != other[name]}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty songs with the activations of layer 3, in a type that 1e6 has room in."""
    root = make_many_songs(make_home(tmp_path_factory.mktemp("extracted") / "home"))
    stage(root, "extract", "sod", "ape", "--layers", 3, "--dtype", "float32")
    return root


@pytest.fixture
def copied(extracted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(extracted, tmp_path / "copied")


def spoil_activations(root: Path, split: Any) -> None:
    """Put noise in place of a split's rows."""
    layer = root / STORE / "layer_003"
    rows, generator = np.load(shard_path(layer, 0)), np.random.default_rng(0)
    for start, stop in open_set(root / STORE).songs.spans(split):
        rows[start:stop] = SPOILED * generator.standard_normal(rows[start:stop].shape)
    np.save(shard_path(layer, 0), rows)
    # What is noted of each shard, such as a checksum, is left out, as version 0.1.0 left it out.
    meta = files.read_json(layer / "layer.json")
    files.write_json(layer / "layer.json", {k: v for k, v in meta.items() if not isinstance(v, list | dict)})


def learned_from_activations(root: Path) -> dict[str, Any]:
    """Train, and return all that was fitted, from statistics to controls."""
    stage(root, "preprocess", "sod", "ape", "--layers", 3)
    layer, found = root / STORE / "layer_003", {}
    arrays = {"statistics": load_file(layer / "normalization.safetensors")}
    found["mean norm"] = files.read_json(layer / "normalization.json")["mean_norm"]
    for name, words in RUNS.items():
        run = ("sod", "ape", "--layers", 3, "--series_name", "s", "--experiment_name", name)
        stage(root, "train", *run, *SMALL, *words)
        arrays[name] = load_file(root / f"reports/s/{name}/layer_003/sae/sae_weights.safetensors")
    found |= {f"{what} {key}": array.tobytes() for what, part in arrays.items() for key, array in part.items()}
    # PCA and the untrained autoencoder as they are evaluated, on songs that are spoiled only where all is.
    stage(root, "evaluate", "s/additive", "--split", "train")
    rows = files.read_json(root / "reports/s/additive/layer_003/evaluation.json")["rows"]
    found |= {f"evaluated {name}": rows[name] for name in ("pca", "untrained", "mean_ablation")}
    # The same, and the raw neurons, as they are labelled, on activations that are never spoiled.
    x, codes = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)), torch.zeros(50, 6, dtype=torch.int64)
    run = opened(root)
    for name, encode, _ in control_encoders(run.rows, run.sae, l0=4.0, seed=run.settings.seed):
        found[f"labelled {name}"] = encode(x, codes).numpy().tobytes()
    return found


@pytest.fixture(scope="module")
def clean(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home with two runs and nothing spoiled, and what was learned."""
    root = shutil.copytree(extracted, tmp_path_factory.mktemp("clean") / "home")
    return root, learned_from_activations(root)


def held_out(root: Path, split: str) -> Any:
    return json.loads((root / "reports/s/additive/layer_003/held_out.json").read_text())[split]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_held_out_activations_move_nothing_that_is_learned(copied, clean, split):
    spoil_activations(copied, split)
    assert moved(clean[1], learned_from_activations(copied)) == set()
    assert held_out(copied, split) != held_out(clean[0], split)  # they were read, to be measured on


def test_train_activations_move_all_that_is_learned(copied, clean):
    spoil_activations(copied, "train")
    assert moved(clean[1], learned_from_activations(copied)) == set(clean[1])


class Labelling(NamedTuple):
    """What latents are labelled from."""

    values: np.ndarray
    """Latents at all tokens, (n_tokens, n_latents), the last of which never fires."""
    corpus: Corpus
    """The songs."""


@pytest.fixture(scope="module")
def labelling(clean: tuple[Path, dict[str, Any]]) -> Labelling:
    root = clean[0]
    stage(root, "index", "s/additive")
    with at(root):
        index = opened(root).index
    values = np.zeros((index.activations.n_tokens, index.d_sae + 1), np.float32)
    for latent in range(index.d_sae):
        tokens, found = index.latent(latent)
        values[tokens, latent] = found
    return Labelling(values, corpus_at(root))


def corpus_at(root: Path) -> Corpus:
    with at(root):
        return open_corpus(opened(root), LabelConfig(run="s/additive"))


def spoil_firings(labelling: Labelling, split: str) -> np.ndarray:
    """Values with those at a split's tokens drawn again, and a latent that fires only there, always."""
    values, generator = labelling.values.copy(), np.random.default_rng(0)
    for start, stop in labelling.corpus.spans[split]:
        shape = values[start:stop].shape
        values[start:stop] = SPOILED * (generator.random(shape) < 0.2) * generator.exponential(size=shape)
        values[start:stop, -1] = SPOILED
    return values


def spoil_tokens(root: Path, split: Any) -> None:
    """Give all notes of a split's songs one pitch that no other song has."""
    codes = np.load(root / STORE / "codes.npy")
    for start, stop in open_set(root / STORE).songs.spans(split):
        pitches = codes[start:stop, FIELDS.index("pitch")]
        pitches[pitches > 0] = 120
    np.save(root / STORE / "codes.npy", codes)


def learned_from_labels(values: np.ndarray, corpus: Corpus) -> dict[str, Any]:
    """Label, and return all that is decided before test songs report, as it came from where it is computed."""
    caught: dict[str, list[Any]] = {"searched": [], "discriminants": [], "best_threshold": []}

    def catching(module: Any, name: str) -> Callable[..., Any]:
        function = getattr(module, name)

        def wrapped(*args: Any) -> Any:
            caught[name].append(function(*args))
            return caught[name][-1]

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((rules, "searched"), (probing, "discriminants"), (probing, "best_threshold")):
            patch.setattr(module, name, catching(module, name))
        firings = Firings.of_chunks([Chunk.of(0, values)], values.shape[1])
        scored = label_latents(firings, corpus, what="held out").scored
    return {
        "columns": [corpus.columns.name(column) for column in range(len(corpus.columns))],
        "thresholds": scored.thresholds.tolist(),
        "levels": scored.level.tolist(),
        "fit MCC": scored.fit_mcc.tolist(),
        "candidates": [rules.candidates_of(scored, latent).tolist() for latent in range(values.shape[1])],
        "rules": caught["searched"],
        "probe directions": [[part.tolist() for part in parts] for parts in caught["discriminants"]],
        "probe thresholds": caught["best_threshold"],
    }


@pytest.fixture(scope="module")
def learned(labelling: Labelling) -> dict[str, Any]:
    found = learned_from_labels(*labelling)
    assert all(found.values())
    return found


@pytest.mark.parametrize(
    ("split", "may_move"),
    [
        ("test", set()),
        ("valid", {"thresholds", "levels", "fit MCC", "candidates", "rules", "probe thresholds"}),
        ("train", {"fit MCC", "candidates", "rules", *PROBES}),
    ],
)
def test_firings_move_what_is_chosen_on_their_split(labelling, learned, split, may_move):
    again = learned_from_labels(spoil_firings(labelling, split), labelling.corpus)
    assert moved(learned, again) == may_move


@pytest.mark.parametrize(("split", "move"), [("test", False), ("train", True)])
def test_the_tokens_of_test_songs_move_neither_columns_nor_rules(labelling, learned, clean, tmp_path, split, move):
    root = shutil.copytree(clean[0], tmp_path / "spoiled")
    spoil_tokens(root, split)
    again = learned_from_labels(labelling.values, corpus_at(root))
    # Columns are probed if they are frequent on test songs, so which probes there are depends on their tokens.
    changed = moved(learned, again) - PROBES
    assert changed == ({"columns", "levels", "fit MCC", "candidates", "rules"} if move else set())
