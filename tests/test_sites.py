"""Attention and feed-forward outputs go the same way as the residual stream: trained, measured, indexed and shown."""

import json

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import load_file

from music_interpret.explorer.api import Explorer
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.server import make_app
from music_interpret.runs.run import open_run

SITES = ("mlp_out.1", "attn_out.0")
OPTIONS = ("--d_sae", 64, "--k", 8, "--epochs", 4, "--batch_size", 64)


@pytest.fixture
def trained(many_songs, command):
    where = ("--series_name", "s", "--experiment_name", "e")
    for stage, words in (("extract", ()), ("preprocess", ()), ("train", (*where, *OPTIONS))):
        outcome = command(stage, "sod", "ape", "--layers", 3, "--sites", *SITES, *words)
        assert outcome.code == 0, (stage, outcome)
    return many_songs


def test_they_are_trained_measured_indexed_and_shown(trained, command):
    for site in SITES:
        name = f"s/e/{site}"
        for stage, words in (("evaluate", ()), ("index", ()), ("label", ("--no-controls",)), ("features", ())):
            outcome = command(stage, name, *words)
            assert outcome.code == 0, (stage, outcome)
        run = open_run(name)
        assert run.site.name == site and run.settings.site.layer is None
        rows = run.evaluation["rows"]
        assert rows["sae"]["quality"]["fvu"] < rows["untrained"]["quality"]["fvu"] < 1
        assert rows["clean"]["losses"]["kl"]["total"] == 0 < rows["mean_ablation"]["losses"]["kl"]["total"]
        assert run.effects.values.shape == (64, sum(run.effects.sizes))
        cfg = json.loads((run.folder / "sae/cfg.json").read_text())
        assert cfg["metadata"]["site"] == site and cfg["metadata"]["layer"] is None
    with TestClient(make_app(Explorer(Explored.open("s/e/mlp_out.1"))), base_url="http://127.0.0.1:8137") as client:
        assert client.get("/api/run").json()["site"] == "site mlp_out.1"
        assert client.get("/api/feature/3").json()["d_sae"] == 64
    outcome = command("report", "s/e/mlp_out.1", "--latents", "best:2", "--no-sound")
    assert outcome.code == 0, outcome
    assert "holds several sites; name one of" in command("index", "s/e").refused()


def test_sites_trained_together_are_those_trained_alone(trained, command):
    """And a layer by its number is the same site by its name."""
    where = ("--series_name", "alone", "--experiment_name", "e")
    assert command("train", "sod", "ape", "--sites", "mlp_out.1", *where, *OPTIONS).code == 0
    assert command("train", "sod", "ape", "--sites", "resid_post.1", *where, *OPTIONS).code == 0
    for folder in ("mlp_out.1", "layer_003"):
        one, other = (
            load_file(trained / f"reports/{series}/e/{folder}/sae/sae_weights.safetensors") for series in ("s", "alone")
        )
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_site_of_another_width_than_the_model(many_songs, command):
    where = ("--series_name", "s", "--experiment_name", "wide")
    for stage, words in (("extract", ()), ("preprocess", ()), ("train", (*where, *OPTIONS))):
        assert command(stage, "sod", "ape", "--sites", "blocks.1.up", *words).code == 0
    assert command("index", "s/wide").code == 0 and command("evaluate", "s/wide", "--no-controls").code == 0
    run = open_run("s/wide")
    assert run.sae.d_in == 256 and run.effects is None
    with TestClient(make_app(Explorer(Explored.open("s/wide"))), base_url="http://127.0.0.1:8137") as client:
        assert client.get(f"/api/feature/{int(np.argmax(run.index.statistics.density))}").json()["effects"] == []


def test_an_autoencoder_of_a_site_is_imported(trained, command):
    where = ("--dataset_name", "sod", "--data_repr", "ape", "--series_name", "i", "--experiment_name", "e")
    folder = trained / "reports/s/e/mlp_out.1/sae"
    assert command("import", folder, *where, "--site", "mlp_out.1").code == 0
    assert open_run("i/e").site.name == "mlp_out.1"
    assert "name two sites; expected one" in command("import", folder, *where, "--site", "a", "--layer", 1).refused()
    assert "no layer or site is named" in command("import", folder, *where).refused()
