"""Every kind of bad input gets one line, exit code 2, and leaves the home as it was."""

import errno
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tree

from music_interpret.activations.store import open_set
from music_interpret.files import read_json, write_json

TRAIN_ONE = ("train", "sod", "ape", "--series_name", "s", "--experiment_name", "e", "--layers", 1)
EXTRACT = ("extract", "sod", "ape", "--layers", 1)
SONG = "data/base/sod/notes/bach-bwv353.npy"
CHECKPOINT = "models/sod/ape/checkpoints/best_model.pt"


class Payload:
    """Code that a pickle would run on loading."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def save_song(home, notes):
    np.save(home / SONG, notes)


def notes_with(home, row, column, value):
    notes = np.load(home / SONG)
    notes[row, column] = value
    save_song(home, notes)


def only_unknown_instruments(home):
    notes = np.load(home / SONG)
    notes[:, 4] = 120
    save_song(home, notes)


def change_args(home, **changes):
    path = home / "models/sod/ape/train-args.json"
    write_json(path, read_json(path) | changes)


def name_twice(home):
    path = home / "data/base/sod/names.txt"
    path.write_text(path.read_text() + "bach-bwv353\n")


CASES = {
    "unknown dataset": (lambda h: None, ("extract", "lmd", "ape", "--layers", 1), "unknown dataset 'lmd' in .*: sod"),
    "dataset without notes": (
        lambda h: shutil.rmtree(h / "data/base/sod/notes"),
        EXTRACT,
        "unknown dataset .*there are: none",
    ),
    "unknown repr": (
        lambda h: None,
        ("extract", "sod", "xpe", "--layers", 1),
        "unknown data_repr 'xpe' in .*: ape, npe, rpe",
    ),
    "no model of the dataset": (
        lambda h: shutil.rmtree(h / "models/sod"),
        EXTRACT,
        "unknown dataset 'sod' in .*models",
    ),
    "missing checkpoint": (lambda h: (h / CHECKPOINT).unlink(), EXTRACT, "missing checkpoint .*best_model.pt"),
    "corrupt checkpoint": (lambda h: (h / CHECKPOINT).write_bytes(b"x" * 99), EXTRACT, "not a readable checkpoint"),
    "truncated checkpoint": (
        lambda h: (h / CHECKPOINT).write_bytes((h / CHECKPOINT).read_bytes()[:9999]),
        EXTRACT,
        "not a readable checkpoint",
    ),
    "checkpoint of something else": (
        lambda h: torch.save([1, 2], h / CHECKPOINT),
        EXTRACT,
        "not a state dict of tensors",
    ),
    "no train-args": (
        lambda h: (h / "models/sod/ape/train-args.json").unlink(),
        EXTRACT,
        "missing file .*train-args.json",
    ),
    "broken train-args": (
        lambda h: (h / "models/sod/ape/train-args.json").write_text("{'dim': 64}"),
        EXTRACT,
        "train-args.json is not valid JSON",
    ),
    "train-args of another model": (lambda h: change_args(h, dim=128), EXTRACT, "does not match train-args.json"),
    "encoding of another resolution": (
        lambda h: (
            shutil.copy(h / "data/base/sod/notes/encoding.json", h / "x")
            and write_json(
                h / "data/base/sod/notes/encoding.json",
                __import__("music_interpret.tokens.mmt_tables", fromlist=["x"]).mmt_encoding(24),
            )
        ),
        EXTRACT,
        "does not match train-args.json and the encoding of the notes",
    ),
    "no encoding": (
        lambda h: (h / "data/base/sod/notes/encoding.json").unlink(),
        EXTRACT,
        "missing file .*encoding.json",
    ),
    "broken encoding": (
        lambda h: (h / "data/base/sod/notes/encoding.json").write_text("{}"),
        EXTRACT,
        "encoding.json: resolution is None; expected the time steps per beat",
    ),
    "layer out of range": (
        lambda h: None,
        ("extract", "sod", "ape", "--layers", 1, 4),
        "layer 4 is out of range; expected 0 to 3",
    ),
    "no layer": (
        lambda h: None,
        ("extract", "sod", "ape"),
        "no layer or site is named; expected a layer such as 5, or a site such as mlp_out.2",
    ),
    "unknown option": (lambda h: None, (*EXTRACT, "--dtpye", "float16"), "unrecognized arguments: --dtpye"),
    "notes of a wrong shape": (
        lambda h: save_song(h, np.zeros((9, 4), int)),
        EXTRACT,
        r"bach-bwv353.npy have shape \(9, 4\)",
    ),
    "notes of a wrong type": (
        lambda h: save_song(h, np.zeros((9, 5))),
        EXTRACT,
        "have dtype float64; expected an integer",
    ),
    "notes of a wrong value": (lambda h: notes_with(h, 7, 2, 200), EXTRACT, "row 7: pitch is 200; expected 0 to 127"),
    "notes off the grid": (lambda h: notes_with(h, 3, 1, 12), EXTRACT, "row 3: position is 12; expected 0 to 11"),
    "empty song": (lambda h: save_song(h, np.zeros((0, 5), int)), EXTRACT, "song .*bach-bwv353.npy is empty"),
    "song that is empty for the model": (only_unknown_instruments, EXTRACT, "bach-bwv353 is empty for this model"),
    "notes that are no array": (lambda h: (h / SONG).write_text("notes"), EXTRACT, "not a readable note file"),
    "missing song": (lambda h: (h / SONG).unlink(), EXTRACT, "missing note file .*bach-bwv353.npy"),
    "song listed twice": (name_twice, EXTRACT, "bach-bwv353 is listed twice"),
    "song outside of the notes": (
        lambda h: (h / "data/base/sod/names.txt").write_text("../../../secret\n"),
        EXTRACT,
        "which is outside the notes folder",
    ),
    "no activations": (
        lambda h: None,
        ("preprocess", "sod", "ape", "--layers", 1),
        "no activations in .*; run first: python3 -m",
    ),
    "no activations to train on": (
        lambda h: None,
        TRAIN_ONE,
        "no activations in",
    ),
    "alpha where there is none": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "topk", "--alpha", 1),
        "--alpha has no meaning for topk; expected --k",
    ),
    "k where there is none": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "relu", "--k", 8),
        "--k has no meaning for relu; expected --alpha",
    ),
    "more active latents than there are": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "topk", "--d_sae", 64, "--k", 65),
        "--k is 65; expected at most d_sae, 64",
    ),
    "half a latent on each token": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "topk", "--k", 2.5),
        "--k is 2.5; expected a whole number for topk",
    ),
    "two k of one name": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "batchtopk", "--k", 8, 8.0000001),
        "--k names a value twice: 8 8",
    ),
    "the same k twice": (
        lambda h: None,
        (*TRAIN_ONE, "--k", 8, 8),
        "--k names a value twice: 8 8",
    ),
    "prefixes of another architecture": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "topk", "--prefixes", 8, 2048),
        "--prefixes has no meaning for topk; expected matryoshka",
    ),
    "prefixes that do not reach the end": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "matryoshka", "--prefixes", 8, 64),
        "--prefixes ends with 64; expected d_sae, 2048",
    ),
    "prefixes that fall": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "matryoshka", "--prefixes", 64, 8),
        "expected rising numbers",
    ),
    "free decoder of another architecture": (
        lambda h: None,
        (*TRAIN_ONE, "--architecture", "gated", "--decoder_norm", "free"),
        "--decoder_norm free has no meaning for gated; expected relu",
    ),
    "unknown run to index": (
        lambda h: None,
        ("index", "nobody/nothing"),
        "unknown run 'nobody/nothing' in .*there are: none",
    ),
    "unknown run to read": (lambda h: None, ("features", "nobody/nothing"), "unknown run 'nobody/nothing'"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_line_and_nothing_is_written(home, command, case):
    spoil, words, message = CASES[case]
    spoil(home)
    before = tree(home)
    line = command(*words).refused()
    assert re.search(message, line), line
    assert tree(home) == before


def test_a_checkpoint_that_carries_code_is_refused_and_not_run(home, command):
    marker = home / "the code ran"
    state = torch.load(home / CHECKPOINT, weights_only=True)
    torch.save({**state, "extra": Payload(marker)}, home / CHECKPOINT)
    message = command(*EXTRACT).refused()
    assert "it carries more than tensors, which could be code, and was not run" in message
    assert not marker.exists()
    torch.load(home / CHECKPOINT, weights_only=False)  # the trap is a real one
    assert marker.exists()


@pytest.fixture
def prepared(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 3).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 3).code == 0
    return many_songs


TRAIN = ("train", "sod", "ape", "--series_name", "s", "--experiment_name", "e", "--layers", 3)
QUICK = ("--d_sae", 32, "--epochs", 1, "--batch_size", 64)


def test_a_truncated_shard_is_refused_by_every_stage(prepared, command):
    assert command(*TRAIN, *QUICK).code == 0
    shard = prepared / "data/activations/sod_ape_residual/layer_003/raw/shard_0000.npy"
    shard.write_bytes(shard.read_bytes()[:-100])
    before = tree(prepared)
    for words in (
        ("extract", "sod", "ape", "--layers", 3),
        ("preprocess", "sod", "ape", "--layers", 3),
        (*TRAIN[:5], "--experiment_name", "f", "--layers", 3),
        ("index", "s/e"),
    ):
        assert "shard_0000.npy is truncated or damaged" in command(*words).refused()
    assert tree(prepared) == before
    assert command("extract", "sod", "ape", "--layers", 3, "--overwrite").code == 0


@pytest.mark.parametrize(("split", "dtype"), [("train", "float16"), ("valid", "float32"), ("test", "float16")])
def test_nan_in_a_stored_shard_is_named_by_every_stage_that_reads_it(many_songs, command, split, dtype):
    """As another program may leave it; the checksums are not there, as in stores of version 0.1.0."""
    assert command("extract", "sod", "ape", "--layers", 3, "--dtype", dtype).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 3).code == 0
    assert command(*TRAIN, *QUICK).code == 0
    activations = open_set(many_songs / "data/activations/sod_ape_residual")
    songs = activations.songs
    song = int(np.flatnonzero(songs.splits == split)[-1])
    meta = activations.folder / "layer_003/layer.json"
    write_json(meta, {key: value for key, value in read_json(meta).items() if key != "checksums"})
    shard = np.load(activations.folder / "layer_003/raw/shard_0000.npy", mmap_mode="r+")
    shard[songs.first_token[song] + 7, 5] = -np.inf if split == "test" else np.nan
    shard.flush()
    before = tree(many_songs)
    reading = {"train": ("preprocess", "train", "index"), "valid": ("preprocess", "index")}
    reading["test"] = ("preprocess", "evaluate", "index")
    words = {
        "preprocess": ("preprocess", "sod", "ape", "--layers", 3),
        "train": (*TRAIN[:5], "--experiment_name", "f", "--layers", 3, *QUICK),
        "evaluate": ("evaluate", "s/e"),
        "index": ("index", "s/e"),
    }
    named = f"NaN or infinity in {activations.folder / 'layer_003'} at token 7 of song {songs.names[song]} (token row"
    for stage in reading[split]:
        assert named in command(*words[stage]).refused(), stage
    assert tree(many_songs) == before
    without = ("--token_baseline", "none", "--overwrite")
    assert named in command(*words["train"], *without).refused()
    assert not (many_songs / "reports/s/f/layer_003/held_out.json").exists()
    assert command("extract", "sod", "ape", "--layers", 3, "--dtype", dtype, "--overwrite").code == 0
    assert command("preprocess", "sod", "ape", "--layers", 3).code == 0


def test_activations_of_another_model_are_not_written_into(prepared, command):
    shutil.rmtree(prepared / "models/sod/ape")
    shutil.copytree(prepared / "models/sod/npe", prepared / "models/sod/ape")
    before = tree(prepared)
    assert (
        "holds activations of another model; --overwrite replaces them"
        in command("extract", "sod", "ape", "--layers", 1).refused()
    )
    assert tree(prepared) == before


def test_activations_of_other_songs_are_not_written_into(prepared, command):
    names = prepared / "data/base/sod/test-names.txt"
    names.write_text("\n".join(names.read_text().split()[1:]) + "\n")
    assert "holds activations of other songs" in command("extract", "sod", "ape", "--layers", 1).refused()


def test_an_existing_run_is_not_written_over(prepared, command):
    assert command(*TRAIN, *QUICK).code == 0
    before = tree(prepared)
    assert "exists; --resume goes on with it" in command(*TRAIN, *QUICK).refused()
    assert tree(prepared) == before


def test_a_layer_without_statistics_is_refused(prepared, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    message = command(*TRAIN[:-1], 1).refused()
    assert "no normalisation in" in message
    assert "layer_001; run: python3 -m music_interpret.preprocess sod ape --layers 1" in message
    assert not (prepared / "reports").exists()


def test_a_full_disk_gets_one_line_and_leaves_what_was_there(prepared, command, monkeypatch):
    assert command(*TRAIN, *QUICK).code == 0
    assert command("index", "s/e").code == 0
    before = tree(prepared)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for words in (("preprocess", "sod", "ape", "--layers", 3, "--materialize"), ("index", "s/e")):
        assert "error: no space left on device: " + str(prepared) in command(*words).refused()
    assert tree(prepared) == before
    assert "no space left on device" in command(*TRAIN, *QUICK, "--overwrite").refused()
    assert not (prepared / "reports/s/e/layer_003/sae/cfg.json").exists()


def test_an_unfinished_run_is_not_indexed(prepared, command):
    assert command(*TRAIN, *QUICK).code == 0
    shutil.rmtree(prepared / "reports/s/e/layer_003/sae")
    assert "was not finished; go on with" in command("index", "s/e").refused()


def test_a_run_with_several_layers_needs_one_named(prepared, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 1).code == 0
    assert command(*TRAIN, 1, *QUICK).code == 0
    assert "holds several sites; name one of: " in command("index", "s/e").refused()
