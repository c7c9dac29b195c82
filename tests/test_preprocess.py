import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from music_interpret.activations.store import open_set
from music_interpret.files import read_json, write_json

LAYER = "data/activations/sod_ape_residual/layer_001"


def test_statistics_are_those_of_the_train_songs(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    result = command("preprocess", "sod", "ape", "--layers", 1)
    assert result.code == 0 and "zscore from" in result.out
    activations = open_set(many_songs / "data/activations/sod_ape_residual")
    rows = np.concatenate([activations.layer(1).read(*run) for run in activations.songs.spans("train")]).astype(float)
    numbers = json.loads((many_songs / LAYER / "normalization.json").read_text())
    arrays = load_file(many_songs / LAYER / "normalization.safetensors")
    assert numbers["n_tokens"] == len(rows) < activations.n_tokens
    np.testing.assert_allclose(arrays["mean"], rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(arrays["std"], rows.std(0), rtol=1e-10)
    np.testing.assert_allclose(numbers["mean_norm"], np.linalg.norm(rows, axis=1).mean())
    assert sorted(p.name for p in (many_songs / LAYER / "raw").iterdir()) == ["shard_0000.npy"]  # no second copy
    assert not (many_songs / LAYER / "processed").exists()


def test_materialize_writes_the_normalised_shards(home, command):
    assert command("extract", "sod", "ape", "--layers", 1, "--shard_tokens", 200).code == 0
    assert command("preprocess", "sod", "ape", "--layers", 1, "--materialize").code == 0
    shards = [np.load(home / LAYER / f"processed/shard_{i:04d}.npy") for i in range(2)]
    arrays = load_file(home / LAYER / "normalization.safetensors")
    raw = np.concatenate([np.load(home / LAYER / f"raw/shard_{i:04d}.npy") for i in range(2)]).astype(np.float32)
    assert [shard.shape for shard in shards] == [(200, 64), (108, 64)] and shards[0].dtype == np.float16
    expected = ((raw - arrays["shift"]) * arrays["scale"]).astype(np.float16)
    np.testing.assert_array_equal(np.concatenate(shards), expected)


def test_other_normalizations(home, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    for kind in ("scalar", "none"):
        assert command("preprocess", "sod", "ape", "--layers", 1, "--normalization", kind).code == 0
        assert json.loads((home / LAYER / "normalization.json").read_text())["normalization"] == kind
        assert not load_file(home / LAYER / "normalization.safetensors")["shift"].any()


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_in_another_order_are_noticed(many_songs, command, split):
    assert command("extract", "sod", "ape", "--layers", 1, "--shard_tokens", 1000).code == 0
    activations = open_set(many_songs / "data/activations/sod_ape_residual")
    start, stop = activations.songs.spans(split)[-1]
    number = (stop - 1) // 1000
    shard = np.load(many_songs / LAYER / f"raw/shard_{number:04d}.npy", mmap_mode="r+")
    rows = slice(max(start - number * 1000, 0), stop - number * 1000)
    shard[rows] = shard[rows][::-1].copy()
    shard.flush()
    refusal = command("preprocess", "sod", "ape", "--layers", 1).refused()
    assert f"shard {many_songs / LAYER}/raw/shard_{number:04d}.npy is not as it was extracted" in refusal
    assert not (many_songs / LAYER / "normalization.json").exists()
    assert command("extract", "sod", "ape", "--layers", 1, "--shard_tokens", 1000, "--overwrite").code == 0
    assert command("preprocess", "sod", "ape", "--layers", 1).code == 0


def test_a_layer_without_checksums_opens(home, command):
    """As version 0.1.0 wrote it; extraction takes it for finished and does not do it again."""
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    path = home / LAYER / "layer.json"
    meta = read_json(path)
    del meta["checksums"]
    write_json(path, meta)
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    assert read_json(path) == meta
    assert command("preprocess", "sod", "ape", "--layers", 1).code == 0


def test_no_train_songs(home, command):
    (home / "data/base/sod/names.txt").unlink()
    names = [path.stem for path in (home / "data/base/sod/notes").glob("*.npy")]
    (home / "data/base/sod/test-names.txt").write_text("\n".join(names))
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    assert "has no train songs" in command("preprocess", "sod", "ape", "--layers", 1).refused()
