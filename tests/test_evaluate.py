import json
import re
import shutil

import numpy as np
import pytest
import torch
from conftest import tree

from music_interpret.activations.store import open_set
from music_interpret.files import read_json, write_json
from music_interpret.models.mmt import next_token_losses
from music_interpret.runs.run import Run
from music_interpret.sae.autoencoder import SparseAutoencoder

FIELDS = {"total", "type", "beat", "position", "pitch", "duration", "instrument"}
SMALL = ("--token_baseline", "none", "--d_sae", 96, "--k", 6, "--epochs", 20, "--batch_size", 64)


def train(command, experiment="e", *words, layer=1):
    names = ("--series_name", "s", "--experiment_name", experiment, "--layers", layer)
    result = command("train", "sod", "ape", *names, *SMALL, *words)
    assert result.code == 0, result


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the first test leaves what it made, for the others to begin with."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def run(many_songs, command, kept):
    """A trained run on layer 1; layer 3 is prepared too."""
    made = ("data/activations", "reports")
    if any(kept.iterdir()):
        for folder in made:
            shutil.copytree(kept / folder, many_songs / folder)
    else:
        for stage in ("extract", "preprocess"):
            assert command(stage, "sod", "ape", "--layers", 1, 3).code == 0
        train(command)
        for folder in made:
            shutil.copytree(many_songs / folder, kept / folder)
    return many_songs / "reports/s/e/layer_001"


def evaluated(run, command, *words):
    result = command("evaluate", run, *words)
    assert result.code == 0, result
    return json.loads((run / "evaluation.json").read_text()), result.out


def test_a_run_is_measured_beside_its_controls(run, command, many_songs):
    content, out = evaluated(run, command)
    rows = content["rows"]
    assert list(rows) == ["clean", "sae", "pca", "random", "untrained", "mean_ablation", "zero_ablation"]
    assert rows["clean"]["quality"] is None and rows["clean"]["losses"]["recovered_mean"]["total"] == 1
    for name, row in rows.items():
        for part in ("loss", "over_clean", "kl", "recovered_mean", "recovered_zero"):
            assert set(row["losses"][part]) == FIELDS
        fields = [row["losses"]["loss"][field] for field in FIELDS - {"total"}]
        assert sum(fields) == pytest.approx(row["losses"]["loss"]["total"])
        if name != "clean":
            assert row["quality"]["n_tokens"] == rows["sae"]["quality"]["n_tokens"]
    k = round(rows["sae"]["quality"]["l0"])
    assert rows["pca"]["quality"]["l0"] == rows["random"]["quality"]["l0"] == k
    assert rows["pca"]["quality"]["fvu"] < rows["random"]["quality"]["fvu"] < 1
    assert rows["mean_ablation"]["quality"]["fvu"] == pytest.approx(1, abs=0.05)
    assert rows["mean_ablation"]["quality"]["dead"] is None
    assert content["split"] == "test" and content["layer"] == 1 and content["d_sae"] == 96
    assert sum(content["decoder_cosines"]["nearest_histogram"]) == 96
    assert f"{rows['sae']['losses']['over_clean']['total']:+.3f}" in out and "mean ablation" in out


def test_the_numbers_are_those_of_the_saved_autoencoder(run, command, many_songs):
    """In raw activation space, by the definitions, on all of the split."""
    content, _ = evaluated(run, command, "--no-controls", "--split", "valid")
    assert list(content["rows"]) == ["clean", "sae", "mean_ablation", "zero_ablation"]
    activations = open_set(many_songs / "data/activations/sod_ape_residual")
    layer = activations.layer(1)
    x = np.concatenate([layer.read(*ends) for ends in activations.songs.spans("valid")]).astype(np.float32)
    autoencoder = SparseAutoencoder.load(run)
    z = autoencoder.encode(torch.from_numpy(x))
    error = (autoencoder.decode(z).double().numpy() - x) ** 2
    quality = content["rows"]["sae"]["quality"]
    x = x.astype(np.float64)
    assert quality["n_tokens"] == len(x)
    assert quality["fvu"] == pytest.approx(error.sum() / ((x - x.mean(0)) ** 2).sum(), rel=1e-4)
    assert quality["l0"] == pytest.approx(float((z > 0).sum()) / len(x))
    assert quality["dead"] == pytest.approx(float(((z > 0).sum(0) == 0).double().mean()))


def test_the_losses_are_those_of_the_splits_songs(run, command):
    content, _ = evaluated(run, command, "--no-controls", "--split", "valid")
    subject = Run(run)
    module, songs = subject.model.module, subject.activations.songs
    losses, n_tokens = torch.zeros(6), 0
    for song in np.flatnonzero(songs.splits == "valid"):
        first, n = songs.first_token[song], songs.n_tokens[song]
        tokens = torch.from_numpy(np.asarray(subject.activations.tokens[first : first + n], np.int64))[None]
        losses += next_token_losses(module(tokens[:, :-1]), tokens) * (n - 1)
        n_tokens += n - 1
    assert content["rows"]["clean"]["losses"]["loss"]["total"] == pytest.approx(float(losses.sum()) / n_tokens)


def test_a_better_autoencoder_costs_less(run, command):
    few, _ = evaluated(run, command, "--no-controls")
    train(command, "many", "--k", 40)
    many, _ = evaluated(run.parents[1] / "many/layer_001", command, "--no-controls")
    assert many["rows"]["sae"]["quality"]["fvu"] < few["rows"]["sae"]["quality"]["fvu"]
    kl = [content["rows"]["sae"]["losses"]["kl"]["total"] for content in (many, few)]
    assert kl[0] < kl[1]


def test_a_context_autoencoder_is_measured_with_and_without_its_baseline(run, command):
    train(command, "context", "--token_baseline", "additive")
    content, out = evaluated(run.parents[1] / "context/layer_001", command)
    rows = content["rows"]
    assert content["token_baseline"] and rows["token_baseline"]["quality"]["l0"] == 0
    assert rows["sae"]["quality"]["fvu"] < rows["token_baseline"]["quality"]["fvu"]
    assert rows["sae"]["quality"]["fvu"] < rows["sae"]["quality"]["remainder_fvu"] < 1
    assert set(content["recovered_baseline"]) == FIELDS
    assert "of what the token baseline leaves: FVU" in out


def test_two_runs_are_compared_direction_by_direction(run, command):
    content, _ = evaluated(run, command, "--no-controls", "--against", "s/e")
    against = content["against"]
    assert against["all_latents"]["mcc"] == pytest.approx(1) and against["living"]["mmcs"] == pytest.approx(1)
    assert against["all_latents"]["n_pairs"] == 96 and against["random"]["mcc"] < 0.7
    train(command, "seed1", "--seed", 1)
    content, out = evaluated(run, command, "--no-controls", "--against", "s/seed1")
    assert content["against"]["all_latents"]["mcc"] < 0.99 and "against" in out
    train(command, "other-layer", layer=3)
    assert evaluated(run, command, "--no-controls", "--against", "s/other-layer")[0]["against"]["living"]["n_pairs"] > 0


def test_the_same_on_the_reinitialised_model(run, command, many_songs):
    content, out = evaluated(run, command, "--no-controls", "--reinitialised")
    row = content["rows"]["reinitialised"]
    assert "re-initialised model" in out and row["losses"]["loss"]["total"] > 5
    other = run.parents[1] / "e-reinitialised/layer_001"
    ours, theirs = (read_json(folder / "training_args.json") for folder in (run, other))
    changed = {key for key, value in ours["arguments"].items() if theirs["arguments"][key] != value}
    assert changed == {"data_repr", "experiment_name"}
    assert ours["activations"]["model_sha256"] != theirs["activations"]["model_sha256"]
    before = tree(many_songs / "models") | tree(other)
    again, _ = evaluated(run, command, "--no-controls", "--reinitialised")
    assert again["rows"]["reinitialised"] == row
    assert tree(many_songs / "models") | tree(other) == before
    songs = many_songs / "data/activations/sod_ape-reinitialised_residual/songs.csv"
    songs.write_text(songs.read_text().replace(",valid", ",train"))
    assert "was made from songs with other names or splits" in command("evaluate", run, "--reinitialised").refused()


def drop_split(home):
    songs = home / "data/activations/sod_ape_residual/songs.csv"
    songs.write_text(songs.read_text().replace(",test", ",train"))


def another_model(home):
    shutil.rmtree(home / "models/sod/ape")
    shutil.copytree(home / "models/sod/npe", home / "models/sod/ape")


def unfinished(home):
    (home / "reports/s/e/layer_001/sae/cfg.json").unlink()


def other_width(home):
    shapes = {"W_enc": (60, 8), "b_enc": (8,), "W_dec": (8, 60), "b_dec": (60,)}
    shutil.copytree(home / "reports/s/e", home / "reports/s/wide")
    narrow = SparseAutoencoder("standard", {name: torch.zeros(shape) for name, shape in shapes.items()})
    narrow.save(home / "reports/s/wide/layer_001/sae")


@pytest.mark.parametrize(
    ("damage", "words", "message"),
    [
        (None, ("s/none",), "unknown run 's/none'"),
        (unfinished, ("s/e",), "was not finished"),
        (another_model, ("s/e",), "holds another model than run .* was trained on"),
        (drop_split, ("s/e",), "songs with other names or splits .* run .* was trained on what is gone"),
        (None, ("s/e", "--against", "s/none"), "unknown run 's/none'"),
        (other_width, ("s/e", "--against", "s/wide"), "are 64 and 60 wide; expected two runs of the same width"),
        (None, ("s/e", "--batch_tokens", 0), "--batch_tokens is 0"),
        (None, ("s/e", "--split", "all"), "invalid choice"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_bad_input(run, command, many_songs, damage, words, message):
    if damage:
        damage(many_songs)
    before = tree(many_songs)
    refusal = command("evaluate", *words).refused()
    assert re.search(message, refusal), refusal
    assert tree(many_songs) == before


def test_a_split_without_songs_is_refused(run, command, many_songs):
    """The run knows these splits, but there are no test songs among them."""
    drop_split(many_songs)
    assert command("preprocess", "sod", "ape", "--layers", 1).code == 0
    train(command, "no-test")
    refusal = command("evaluate", "s/no-test").refused()
    assert "has no test songs" in refusal


def test_an_evaluation_changes_nothing_else(run, command):
    before = tree(run)
    evaluated(run, command, "--no-controls")
    after = tree(run)
    assert after.keys() - before.keys() == {"evaluation.json"}
    assert {name: after[name] for name in before} == before
    write_json(run / "evaluation.json", {})
    evaluated(run, command, "--no-controls")
    assert tree(run) == after
