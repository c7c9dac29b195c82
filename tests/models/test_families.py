"""A model family and its token scheme are two files: the whole path runs on them, and on a loader of one's own."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from music_interpret import tokens
from music_interpret.activations.store import open_set
from music_interpret.errors import InputError
from music_interpret.models import families
from music_interpret.models.families.find import Loader, family_names, load_model
from music_interpret.models.site import Site
from music_interpret.runs.run import open_run
from music_interpret.tokens.schemes import scheme_names

TOY = Path(__file__).parents[1] / "fixtures" / "toy"


@pytest.fixture
def toy(many_songs, monkeypatch):
    """A home with a model of a family that is not the package's: its two files are on the packages' paths."""
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(TOY / "families")])
    monkeypatch.setattr(tokens, "__path__", [*tokens.__path__, str(TOY / "tokens")])
    assert family_names() == ["mmt", "toy"] and scheme_names() == ["mmt", "toy_notes"]
    importlib.import_module("music_interpret.models.families.toy").write(many_songs / "models/sod/toy")
    yield many_songs
    for name in ("music_interpret.models.families.toy", "music_interpret.tokens.toy_notes"):
        sys.modules.pop(name, None)


def test_a_family_in_two_files_goes_all_the_way(toy, command):
    where = ("--series_name", "s", "--experiment_name", "e")
    options = ("--d_sae", 64, "--k", 8, "--epochs", 2, "--batch_size", 64)
    for stage, words in (
        ("extract", ("sod", "toy", "--layers", 3, "--sites", "mlp_out.0")),
        ("preprocess", ("sod", "toy", "--layers", 3, "--sites", "mlp_out.0")),
        ("train", ("sod", "toy", "--layers", 3, "--sites", "mlp_out.0", *where, *options)),
        ("evaluate", ("s/e/layer_003", "--no-controls")),
        ("evaluate", ("s/e/mlp_out.0", "--no-controls")),
        ("index", ("s/e/layer_003",)),
        ("label", ("s/e/layer_003", "--no-controls")),
        ("features", ("s/e/layer_003",)),
        ("export", ("s/e/layer_003", "--format", "neuronpedia")),
    ):
        outcome = command(stage, *words)
        assert outcome.code == 0, (stage, outcome)
    run = open_run("s/e/layer_003")
    activations = run.activations
    assert activations.scheme.name == "toy_notes" and activations.tokens.dtype == np.int32
    assert activations.tokens.max() > 2**15 and activations.manifest["token_dtype"] == "int32"
    assert activations.limits.max_length == 200 and run.sae.baseline.names == ("event",)
    leakage = {concept["name"]: concept["leakage"] for concept in run.labels.meta["concepts"]}
    assert leakage["duration"] == "given" and leakage["pitch"] == leakage["beat"] == "past"
    assert run.effects.fields == ("event",) and run.effects.sizes == (40_000,)
    assert run.evaluation["rows"]["clean"]["losses"]["loss"].keys() == {"total", "event"}
    for name in ("s/e/layer_003", "s/e/mlp_out.0"):
        rows = open_run(name).evaluation["rows"]
        assert rows["clean"]["losses"]["kl"]["total"] == 0 < rows["zero_ablation"]["losses"]["kl"]["total"]


def test_its_features_are_shown(toy, command):
    from music_interpret.explorer.api import Explorer
    from music_interpret.explorer.opened import Explored
    from music_interpret.explorer.server import make_app

    options = ("--d_sae", 64, "--k", 8, "--epochs", 2, "--batch_size", 64, "--series_name", "s")
    for stage in ("extract", "preprocess"):
        assert command(stage, "sod", "toy", "--layers", 1).code == 0
    assert command("train", "sod", "toy", "--layers", 1, *options, "--experiment_name", "e").code == 0
    assert command("index", "s/e").code == 0
    explored = Explored.open("s/e")
    with TestClient(make_app(Explorer(explored)), base_url="http://127.0.0.1:8137") as client:
        latent = int(np.argmax(explored.index.statistics.density))
        found = client.get(f"/api/feature/{latent}").json()
        assert found["live"] and [effect["field"] for effect in found["effects"]] == ["event"]
        excerpts = [excerpt for group in found["examples"] for excerpt in group["excerpts"]]
        assert excerpts and all(excerpt["text"] for excerpt in excerpts)
        on_notes = [excerpt for excerpt in excerpts if excerpt["note"] is not None]
        assert on_notes, "a token of a note lights up the note"
        song = client.get("/api/song/0").json()
        assert len(song["tokens"]) == len(explored.piece("0").tokens) and len(song["roll"]["notes"]["pitch"]) > 10


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 11), st.integers(0, 127), st.integers(1, 48)),
        min_size=1,
        max_size=30,
        unique=True,
    )
)
def test_a_note_of_three_tokens_is_aligned(rows):
    sys.path.insert(0, str(TOY / "tokens"))
    try:
        scheme = importlib.import_module("toy_notes").ToyNotes(12)
    finally:
        sys.path.remove(str(TOY / "tokens"))
    notes = np.array([(*row, 0) for row in sorted(rows)])
    notes[:, 0] -= notes[0, 0]
    notes[:, :2] -= [0, 0]
    onset = notes[:, 0] * 12 + notes[:, 1]
    moved = notes.copy()
    steps = np.concatenate([[0], np.cumsum(np.diff(onset).clip(0, 48))])
    moved[:, 0], moved[:, 1] = steps // 12, steps % 12
    encoded = scheme.encode(notes)
    aligned = scheme.aligned(np.concatenate([encoded, encoded]), np.array([0, len(encoded), 2 * len(encoded)]))
    np.testing.assert_array_equal(aligned.notes, np.concatenate([moved, moved]))
    for note, token in enumerate(aligned.completing):
        assert (aligned.note[token - 2 : token + 1] == note).all()


LOADER = """
from music_interpret.models.families import mmt


def load(folder, notes_folder):
    return mmt.load(folder, notes_folder)


def broken(folder, notes_folder):
    return 1 / 0


number = 3


def other(folder, notes_folder):
    return {}
"""


def test_a_loader_of_ones_own(home, command, monkeypatch):
    path = home / "my_model.py"
    path.write_text(LOADER)
    monkeypatch.chdir(home)
    assert command("extract", "sod", "ape", "--layers", 1, "--loader", "my_model.py:load").code == 0
    activations = open_set(home / "data/activations/sod_ape_residual")
    noted = activations.manifest["loader"]
    assert noted["file"] == "my_model.py" and noted["function"] == "load" and len(noted["sha256"]) == 64
    assert activations.scheme.name == "mmt"
    path.write_text(LOADER + "\n")
    with pytest.raises(InputError, match="extracted with the loader my_model.py, which is missing here, has changed"):
        _ = open_set(home / "data/activations/sod_ape_residual").scheme


@pytest.mark.parametrize("inside", ["", "data/activations/sod_ape_residual", "models/sod/ape"])
def test_a_noted_loader_elsewhere_is_not_run(home, command, monkeypatch, tmp_path_factory, inside):
    """A store that someone sends cannot name a file of this machine, or one that was sent along, to be run."""
    elsewhere = (home / inside if inside else tmp_path_factory.mktemp("elsewhere")) / "my_model.py"
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    elsewhere.write_text(LOADER + "\nraise SystemExit('it was run')\n")
    monkeypatch.chdir(home)
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    folder = home / "data/activations/sod_ape_residual"
    manifest = json.loads((folder / "manifest.json").read_text())
    note = Loader(elsewhere, "load").note()
    (folder / "manifest.json").write_text(json.dumps(manifest | {"loader": note}))
    with pytest.raises(InputError, match="is not below the working directory, outside data/, models/ and reports/"):
        _ = open_set(folder).scheme
    refused = command("extract", "sod", "ape", "--layers", 1, "--loader", f"{elsewhere}:load", "--overwrite").refused()
    assert "expected a file below the working directory" in refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("my_model.py", "expected a Python file and a function, as in my_model.py:load"),
        ("nowhere.py:load", "missing loader nowhere.py"),
        ("my_model.py:absent", "has no function absent; expected load(folder, notes_folder)"),
        ("my_model.py:number", "has no function number"),
        ("my_model.py:broken", "my_model.py, line 10 failed: ZeroDivisionError"),
        ("my_model.py:other", "gave dict; expected a music_interpret.models.loaded.LoadedModel"),
    ],
)
def test_a_wrong_loader_is_named(home, command, monkeypatch, words, message):
    (home / "my_model.py").write_text(LOADER)
    monkeypatch.chdir(home)
    assert message in command("extract", "sod", "ape", "--layers", 1, "--loader", words).refused()


def test_a_folder_that_no_family_knows_is_refused(home):
    (home / "models/sod/other").mkdir()
    with pytest.raises(InputError, match="holds no model of a known family; expected the files of one of: mmt"):
        load_model(home / "models/sod/other", home / "data/base/sod/notes")


def test_edits_and_records_at_sites(home):
    """What is put at a site is what later sites and the logits see; hooks are gone afterwards."""
    model = load_model(home / "models/sod/ape", home / "data/base/sod/notes")
    ids = torch.from_numpy(model.encode(np.array([[b, 0, 60, 12, 0] for b in range(9)])).astype(np.int64))[None]
    first, last = Site("mlp_out.0"), Site("resid_post.1")
    clean, before = model.module(ids), model.recorded(ids, [last])[last]
    with model.edited({first: torch.zeros_like}):
        after = model.recorded(ids, [last])[last]
        changed = model.module(ids)
    assert not torch.equal(before, after)
    for ours, theirs in zip(model.unembedding(after), changed, strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(model.module(ids), clean, strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(InputError, match="layer 4 is out of range; expected 0 to 3"):
        model.at(Site.of_layer(4))
    with pytest.raises(InputError, match="unknown site 'attn_out.9'; expected one of resid_pre.0, attn_out.0"):
        model.at(Site("attn_out.9"))
