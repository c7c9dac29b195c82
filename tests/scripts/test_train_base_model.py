"""Training a base model: it learns, it goes on exactly where it was killed, and what it leaves loads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import train_base_model as script
from base_model.config import BaseModelConfig
from base_model.songs import TrainingSongs, cropped, shifted
from base_model.training import Training

from music_interpret import config
from music_interpret.errors import InputError
from music_interpret.models.families.mmt import load as load_mmt
from music_interpret.models.mmt import next_token_losses
from music_interpret.models.state_dict import read_state_dict
from music_interpret.tokens.mmt import FIELDS, MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

ROOT = Path(__file__).parents[2]
TINY = ["--dim", "32", "--blocks", "1", "--heads", "1", "--max_seq_len", "32", "--max_beat", "16"]
TINY += ["--batch_tokens", "128", "--device", "cpu", "--warmup_steps", "2"]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Three songs: a scale and a two-part piece to train on, another scale to validate on."""
    notes = tmp_path / "data" / "base" / "toy" / "notes"
    notes.mkdir(parents=True)
    (notes / "encoding.json").write_text(json.dumps(mmt_encoding()))
    beats = np.arange(40)
    scale = np.stack([beats, 0 * beats, 60 + beats % 12, 0 * beats + 12, 0 * beats], 1)
    upper = scale + [0, 0, 12, 0, 0]
    np.save(notes / "scale.npy", scale)
    np.save(notes / "parts.npy", np.unique(np.concatenate([scale, upper]), axis=0))
    np.save(notes / "other.npy", scale[:20] + [0, 0, 5, 0, 0])
    (tmp_path / "data" / "base" / "toy" / "valid-names.txt").write_text("other\n")
    (tmp_path / "data" / "base" / "toy" / "names.txt").write_text("scale\nparts\nother\n")
    monkeypatch.setenv("MUSIC_INTERPRET_HOME", str(tmp_path))
    return tmp_path


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "training" / "metrics.jsonl").read_text().splitlines()]


def test_overfits_and_leaves_a_model_that_loads(toy):
    words = ["toy", "ape", *TINY, "--steps", "60", "--valid_every", "20", "--lr", "0.01", "--dropout", "0", "--half"]
    assert script.main(words) == 0
    folder = toy / "models" / "toy" / "ape"
    lines = metrics(folder)
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[-1]["loss/train"] < 0.5 * lines[0]["loss/train"]
    assert lines[-1]["loss/valid"] < 0.75 * lines[0]["loss/valid"]
    assert lines[-1]["loss/valid"] == pytest.approx(sum(lines[-1][f"valid/{name}"] for name in FIELDS))
    assert not (folder / "training" / "state.safetensors").exists()

    state = read_state_dict(folder / "checkpoints" / "best_model.pt", "a checkpoint")
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    model = load_mmt(folder, toy / "data" / "base" / "toy" / "notes")
    notes = np.load(toy / "data" / "base" / "toy" / "notes" / "other.npy")
    codes = torch.from_numpy(model.encode(notes).astype(np.int64))[None]
    with torch.no_grad():
        losses = next_token_losses(model.module(codes[:, :-1]), codes)
    best = min(line["loss/valid"] for line in lines)
    assert float(losses.sum()) == pytest.approx(best, rel=0.01)  # half precision


KILLED_AT_STEP_7 = """
import os, signal, sys
import train_base_model
from base_model.training import Training
step = Training.step
def killed(self):
    if self.progress.step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
Training.step = killed
train_base_model.main(sys.argv[1:])
"""


def test_resumed_after_a_kill_gives_the_same_weights(toy):
    options = [*TINY, "--steps", "10", "--valid_every", "3"]
    assert script.main(["toy", "whole", *options]) == 0
    words = ["toy", "killed", *options]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"}
    died = subprocess.run([sys.executable, "-c", KILLED_AT_STEP_7, *words], env=environment, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert script.main([*words, "--resume"]) == 0

    whole, killed = (toy / "models" / "toy" / name for name in ("whole", "killed"))
    expected = read_state_dict(whole / "checkpoints" / "best_model.pt", "a checkpoint")
    state = read_state_dict(killed / "checkpoints" / "best_model.pt", "a checkpoint")
    assert list(expected) == list(state)
    assert all(torch.equal(expected[name], state[name]) for name in expected)
    timed = ("seconds",)
    for a, b in zip(metrics(whole), metrics(killed), strict=True):
        assert {k: v for k, v in a.items() if k not in timed} == {k: v for k, v in b.items() if k not in timed}


def test_ctrl_c_saves(toy, monkeypatch, capsys):
    words = ["toy", "ape", *TINY, "--steps", "4", "--valid_every", "4"]
    step = Training.step

    def interrupted(self):
        loss = step(self)
        if self.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return loss

    monkeypatch.setattr(Training, "step", interrupted)
    assert script.main(words) == 130
    assert "saved step 2" in capsys.readouterr().err
    monkeypatch.setattr(Training, "step", step)
    assert script.main([*words, "--resume"]) == 0
    assert [line["step"] for line in metrics(toy / "models" / "toy" / "ape")] == [4]


def test_bad_input_is_told_in_one_line(toy, capsys):
    words = ["toy", "ape", *TINY, "--steps", "1"]
    assert script.main(words) == 0
    capsys.readouterr()
    for changed, told in [
        (words, "--overwrite trains again"),
        ([*words, "--seed", "1", "--resume"], "begun with --seed 0"),
        (["toy", "other", "--resume"], "no training to resume"),
        (["nothing", "ape"], "unknown dataset 'nothing'"),
        (["toy", "ape", "--dropout", "2"], "--dropout is 2.0; expected 0 to 1"),
        (["toy", "a/b"], "data_repr is 'a/b'; expected a folder name"),
    ]:
        assert script.main(changed) == 2
        error = capsys.readouterr().err.rpartition("\r")[2]  # after a progress bar that was wiped away
        assert told in error and error.count("\n") == 1 and error.startswith("error: ")
    (toy / "data" / "base" / "toy" / "valid-names.txt").unlink()
    (toy / "data" / "base" / "toy" / "train-names.txt").write_text("scale\nparts\nother\n")
    assert script.main(["toy", "other", *TINY]) == 2
    assert "no valid songs" in capsys.readouterr().err
    assert not (toy / "models" / "toy" / "other").exists()


def test_augmentation_keeps_what_it_should():
    rng = np.random.default_rng(0)
    beats = np.arange(100)
    notes = np.stack([beats, 0 * beats, 20 + beats, 0 * beats + 12, 0 * beats], 1)
    shifts = {int(shifted(notes, rng)[0, 2]) - 20 for _ in range(300)}
    assert shifts == set(range(-5, 7))
    top = notes + [0, 0, 5, 0, 0]  # up to 124: only three semitones are left
    assert {int(shifted(top, rng)[0, 2]) - 25 for _ in range(300)} == set(range(-5, 4))
    for _ in range(100):
        window = cropped(notes, 30, 40, rng)
        assert window[0, 0] == 0 and len(window) >= 30
        assert (np.diff(window[:, 0]) == 1).all() and (np.diff(window[:, 2]) == 1).all()


def test_a_steps_batch_depends_on_seed_and_step_alone(toy):
    settings = BaseModelConfig(dataset_name="toy", data_repr="ape", batch_tokens=512, max_seq_len=64)
    notes = [np.load(path) for path in sorted((toy / "data" / "base" / "toy" / "notes").glob("*.npy"))]
    first, second = (TrainingSongs(settings, MMTScheme.from_json(mmt_encoding(), "mmt"), notes) for _ in range(2))
    first.batch(0)
    assert torch.equal(first.batch(5).codes, second.batch(5).codes)
    for step in range(20):
        batch = first.batch(step)
        assert batch.codes.shape[:2] == batch.mask.shape and batch.mask.numel() <= 512
        assert bool((batch.codes[~batch.mask] == 0).all()) and bool((batch.codes[..., 0] <= 4).all())


def test_schedule():
    settings = BaseModelConfig(dataset_name="toy", data_repr="ape", lr=1.0, warmup_steps=10)
    assert settings.lr_at(0, 0.0) == pytest.approx(0.1)
    assert settings.lr_at(10, 0.0) == pytest.approx(1.0)
    assert settings.lr_at(100, 0.5) == pytest.approx(0.525)
    assert settings.lr_at(100, 1.0) == pytest.approx(0.05)


def test_refuses_a_damaged_state(toy):
    words = ["toy", "ape", *TINY, "--steps", "1"]
    folder = toy / "models" / "toy" / "ape"
    assert script.main(words) == 0
    arguments = json.loads((folder / "training" / "arguments.json").read_text())
    (folder / "training" / "arguments.json").write_text(json.dumps(arguments | {"finished": False}))
    (folder / "training" / "state.safetensors").write_bytes(b"nothing")
    settings = config.parse(BaseModelConfig, [*words, "--resume"], "test")
    with pytest.raises(InputError, match="state.safetensors is damaged .*--overwrite starts again"):
        script.train_base_model(settings)
