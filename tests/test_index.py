import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from music_interpret.activations.store import open_set
from music_interpret.runs.run import open_run
from music_interpret.sae.autoencoder import SparseAutoencoder

LIBRARY_TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture
def run(many_songs, command):
    """A trained run on layer 3, indexed."""
    for stage, words in (
        ("extract", ()),
        ("preprocess", ()),
        ("train", ("--series_name", "s", "--experiment_name", "e", "--d_sae", 128, "--epochs", 30, "--batch_size", 64)),
    ):
        assert command(stage, "sod", "ape", "--layers", 3, *words).code == 0
    assert command("index", "s/e", "--batch_tokens", 500).code == 0
    return many_songs / "reports/s/e/layer_003"


def test_the_index_is_what_the_autoencoder_computes(run, many_songs):
    index = open_run("s/e").index
    activations = open_set(many_songs / "data/activations/sod_ape_residual")
    rows = activations.layer(3).read(0, activations.n_tokens)
    z = SparseAutoencoder.load(run / "sae").encode(torch.tensor(rows), torch.tensor(activations.tokens)).numpy()
    assert index.d_sae == 128 and index.meta["n_tokens"] == activations.n_tokens
    dense = np.zeros_like(z)
    for latent in range(128):
        token_rows, values = index.latent(latent)
        dense[token_rows, latent] = values
    np.testing.assert_allclose(dense, z, **LIBRARY_TOLERANCE)
    np.testing.assert_allclose(index.statistics.density, (z > 0).mean(0), atol=2 / len(z))


def test_a_run_can_be_named_in_several_ways(run, many_songs, monkeypatch):
    for name in ("s/e", "s/e/layer_003", "reports/s/e", str(run), str(run.parent)):
        assert open_run(name).index.folder == run / "features"


def test_features_lists_latents_with_their_top_tokens(run, command):
    result = command("features", "s/e", "--sort", "density", "--limit", 5)
    rows = result.out.splitlines()
    assert "of 128 latents fire; by density:" in rows[0] and len(rows) == 2 + 5
    densities = [float(row.split()[1].rstrip("%")) for row in rows[2:]]
    assert densities == sorted(densities, reverse=True)


def test_features_shows_top_tokens_in_context(run, command):
    index = open_run("s/e").index
    latent = int(np.argmax(index.statistics.max))
    tokens, values = index.top(latent, 3)
    result = command("features", "s/e", "--latent", latent, "--top", 3, "--context", 2)
    assert result.code == 0
    songs, scheme = index.activations.songs, index.activations.scheme
    blocks = result.out.split("\n\n")[1:]
    assert len(blocks) == 3
    for rank, (token, value, block) in enumerate(zip(tokens, values, blocks, strict=True), start=1):
        song = songs.song_of(token)
        head, *lines = block.strip().split("\n")
        assert head.startswith(f"#{rank}  activation {value:.3f}  {songs.names[song]} (")
        assert f"token {token - songs.first_token[song]} of {songs.n_tokens[song]}" in head
        marked = [line for line in lines if line.startswith(">>> ")]
        assert marked == [">>> " + scheme.line(np.asarray(index.activations.tokens[token]))]
        assert 3 <= len(lines) <= 5


def test_a_dead_latent_says_so(run, command, many_songs):
    offsets = np.load(run / "features/offsets.npy")
    np.save(run / "features/offsets.npy", np.append(offsets, offsets[-1]))
    assert "it is dead" in command("features", "s/e", "--latent", 128).out


def test_features_does_not_wait_for_torch(run, many_songs):
    code = "import sys; from music_interpret import cli; cli.run('features', ['s/e'], '')"
    code += "; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_an_index_of_another_models_activations_is_refused(run, many_songs, command):
    shutil.rmtree(many_songs / "data/activations/sod_ape_residual")
    shutil.rmtree(many_songs / "models/sod/ape")
    shutil.copytree(many_songs / "models/sod/npe", many_songs / "models/sod/ape")
    assert command("extract", "sod", "ape", "--layers", 3).code == 0
    for words in (("index", "s/e"), ("features", "s/e")):
        assert "was made from another model (model_sha256 differs); run " in command(*words).refused()


def test_index_says_what_made_it(run):
    meta = json.loads((run / "features/index.json").read_text())
    assert meta["layer"] == 3 and meta["d_sae"] == 128 and len(meta["sae_sha256"]) == 64
