"""Partners in another run are the latents that correlate most."""

import shutil

import numpy as np
import pytest

from music_interpret.errors import InputError
from music_interpret.explorer import comparison
from music_interpret.explorer.comparison import comparable_run, comparable_runs, compared, described, partners
from music_interpret.explorer.opened import Explored
from music_interpret.features import neighbours
from music_interpret.runs.run import open_run


def dense(index):
    found = np.zeros((index.d_sae, index.activations.n_tokens))
    for latent in range(index.d_sae):
        tokens, values = index.latent(latent)
        found[latent, tokens] = values
    return found


@pytest.mark.parametrize("block", [1024, 7])
def test_partners_correlate_most(labelled, monkeypatch, block):
    monkeypatch.setattr(comparison, "BLOCK", block)
    one, other = open_run("s/e").index, open_run("s/f").index
    first, second = dense(one), dense(other)
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(np.corrcoef(first, second)[: one.d_sae, one.d_sae :], nan=-1)
    partner, score = partners(one, other)
    fires = first.std(axis=1) > 0
    np.testing.assert_allclose(score[fires], expected.max(axis=1)[fires], atol=1e-4)
    rows = np.flatnonzero(fires)
    np.testing.assert_allclose(expected[rows, partner[rows]], expected.max(axis=1)[rows], atol=1e-4)
    assert (partner[~fires] == -1).all()


def test_a_run_is_its_own_best_partner(labelled):
    index = open_run("s/e").index
    partner, score = partners(index, index)
    live = np.flatnonzero(partner >= 0)
    np.testing.assert_allclose(score[live], 1, atol=1e-4)
    assert (partner[live] == live).mean() > 0.95  # latents may fire alike


def test_a_sample_of_songs(labelled, monkeypatch):
    monkeypatch.setattr(neighbours, "SAMPLED_TOKENS", 500)
    _, score = partners(open_run("s/e").index, open_run("s/f").index)
    assert np.isfinite(score).all() and score.max() <= 1 + 1e-5


def test_runs_of_other_songs_are_not_offered(labelled, command):
    explored = Explored.open("s/e")
    assert [run.parent.name for run in comparable_runs(explored)] == ["f"]
    path = labelled / "reports/s/f/layer_001/features/index.json"
    path.write_text(path.read_text().replace('"codes_sha256": "', '"codes_sha256": "0'))
    assert comparable_runs(explored) == []
    path.write_text("{")
    assert comparable_runs(explored) == []
    other = Explored.open("s/e")
    other.index.activations.manifest["codes_sha256"] = "another"
    with pytest.raises(InputError, match="different songs"):
        compared(explored, other)


def test_the_id_of_a_run_names_the_same_run_whatever_others_there_are(labelled):
    explored = Explored.open("s/e")
    reports = labelled / "reports/s"
    before = described(comparable_runs(explored)[0])
    for name in ("a", "z", "50% off? #2"):
        shutil.copytree(reports / "f", reports / name)
    found = comparable_runs(explored)
    assert [run.parent.name for run in found] == ["50% off? #2", "a", "f", "z"]
    assert comparable_run(explored, before["id"]) == reports / "f" / "layer_001"
    assert [comparable_run(explored, described(run)["id"]) for run in found] == found
    shutil.rmtree(reports / "f")
    for name in (before["id"], "1", "", "s/e/layer_001", "s/../s/a/layer_001", str(reports / "a" / "layer_001")):
        with pytest.raises(InputError, match="there is no indexed run .* of the same songs"):
            comparable_run(explored, name)
