"""What version 0.1.0 wrote still opens, a store and two runs with all that was made of them, and can be worked on.

`version_0_1_0.tar.xz` was made by that version on the golden model and 40 songs: layer 3 extracted and preprocessed;
`s/e` (TopK with a token baseline) indexed, labelled and evaluated, `s/plain` (BatchTopK without one) indexed.
"""

import shutil
import tarfile

import numpy as np
import pytest
from conftest import GOLDEN, tree

from music_interpret.activations.store import open_set
from music_interpret.models.site import Site
from music_interpret.runs.run import open_run
from music_interpret.train import config_of

ARCHIVE = GOLDEN.parent / "version_0_1_0.tar.xz"


@pytest.fixture
def old_home(tmp_path, monkeypatch):
    root = tmp_path / "old"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    shutil.copytree(GOLDEN / "models", root / "models")
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(root))
    return root


def test_a_run_opens_with_all_that_was_made_of_it(old_home):
    run = open_run("s/e")
    settings = run.settings
    assert (settings.site, settings.architecture, settings.token_baseline) == (Site.of_layer(3), "topk", "additive")
    assert settings.d_sae == run.index.d_sae == run.sae.d_sae == 24 and settings.seed == 0
    assert run.sae.baseline.names == ("type", "beat", "position", "pitch", "duration", "instrument")
    assert run.activations.scheme.name == "mmt" and run.activations.limits == (96, 64)
    assert run.labels.meta["format"] == 1 and len(run.names) == (run.index.statistics.density > 0).sum()
    assert run.evaluation["rows"]["sae"]["quality"]["l0"] > 0
    assert run.model.d_model == 64 and run.effects.values.shape[0] == 24
    assert open_run("s/plain").sae.baseline is None


def test_its_numbers_are_what_is_computed_now(old_home):
    """The rows of the store, the firings of the index and the figures of the evaluation, computed again."""
    run = open_run("s/e")
    songs, tokens = run.activations.songs, run.activations.tokens
    first, n = int(songs.first_token[5]), int(songs.n_tokens[5])
    import torch

    ids = torch.from_numpy(np.asarray(tokens[first : first + n], np.int64))
    rows = run.model.recorded(ids[None], [run.site])[run.site][0]
    stored = run.activations.site(run.site).read(first, first + n).astype(np.float32)
    np.testing.assert_allclose(rows.numpy(), stored, atol=2e-3, rtol=1e-3)
    z = run.sae.encode(torch.from_numpy(stored), ids).numpy()
    dense = np.zeros_like(z)
    for latent in range(24):
        where, values = run.index.latent(latent)
        here = (where >= first) & (where < first + n)
        dense[where[here] - first, latent] = values[here]
    np.testing.assert_allclose(dense, z, atol=1e-4, rtol=1e-4)


def test_further_stages_go_on_from_it(old_home, command):
    before = tree(old_home / "data/activations/sod_ape_residual")
    assert command("extract", "sod", "ape", "--layers", 3).code == 0
    assert tree(old_home / "data/activations/sod_ape_residual") == before, "what is finished is not done again"
    for stage, words in (
        ("extract", ("sod", "ape", "--layers", 1, "--sites", "mlp_out.1")),
        ("preprocess", ("sod", "ape", "--layers", 1, "--sites", "mlp_out.1")),
        ("features", ("s/e",)),
        ("label", ("s/plain", "--no-controls")),
        ("evaluate", ("s/e", "--no-controls", "--against", "s/plain")),
        ("compare", ("s/e",)),
        ("index", ("s/e",)),
    ):
        outcome = command(stage, *words)
        assert outcome.code == 0, (stage, outcome)
    extracted = open_set(old_home / "data/activations/sod_ape_residual").extracted_sites()
    assert [site.name for site in extracted] == ["resid_post.0", "mlp_out.1", "resid_post.1"]


def test_it_can_be_trained_again(old_home):
    config = config_of(open_run("s/e").settings.arguments, experiment_name="again")
    assert (config.layers, config.k, config.d_sae, config.epochs) == ((3,), (6.0,), 24, 10)


def test_it_is_explored(old_home):
    from music_interpret.explorer.api import Explorer
    from music_interpret.explorer.opened import Explored

    explorer = Explorer(Explored.open("s/e"))
    latent = int(np.argmax(explorer.explored.index.statistics.density))
    assert b'"live":true' in explorer.feature(latent) and b'"s/e/layer_003"' in explorer.run()


def test_its_names_are_todays_and_are_found(old_home, command):
    run = open_run("s/e")
    from music_interpret.features.labels import read_rows
    from music_interpret.tokens.concepts import library

    known = {c.value_name(v) for c in library(run.activations.scheme) for v in range(c.n_values)}
    rows = read_rows(run.labels)
    assert not {name for name in rows["name"] if "#" in name}
    flats = {name for name in rows["name"] if "♭" in name}
    assert flats and {name.removeprefix("next token: ") for name in flats} <= known
    pitch_class = next(concept for concept in run.labels.meta["concepts"] if concept["name"] == "pitch class")
    assert pitch_class["values"][10] == "B♭" and not any("#" in str(name["columns"]) for name in run.labels.names)
    wanted = next(name for name in sorted(flats) if name.startswith("pitch class: "))
    ascii_name = wanted.replace("♭", " flat")
    outcome = command("features", "s/e", "--concept", ascii_name)
    assert outcome.code == 0 and wanted in outcome.out
