import errno
import json
import os
import time
import zlib

import numpy as np
import pytest
import torch
from conftest import GOLDEN, spawn, tree

from music_interpret import files
from music_interpret.activation_extraction import ExtractionConfig, extract
from music_interpret.activations.song_batches import plan_batches
from music_interpret.activations.store import open_set
from music_interpret.models.site import Site
from music_interpret.music.dataset import SPLITS
from music_interpret.music.duplicate_groups import write_duplicates
from music_interpret.music.duplicates import find_duplicates

STORE = "data/activations/sod_{}_residual"


def rows_of(home, data_repr, layer):
    activations = open_set(home / STORE.format(data_repr))
    return activations, activations.layer(layer).read(0, activations.n_tokens)


@pytest.mark.parametrize("data_repr", ["ape", "rpe", "npe"])
def test_every_token_of_every_song_is_the_original_implementations(home, command, data_repr):
    assert command("extract", "sod", data_repr, "--layers", 0, 1, 2, 3, "--dtype", "float32").code == 0
    golden = np.load(GOLDEN / f"golden_sod_{data_repr}.npz")
    for layer in range(4):
        activations, rows = rows_of(home, data_repr, layer)
        assert rows.dtype == np.float32
        for row, name in enumerate(golden["names"]):
            song = activations.songs.names.index(name)
            first, length = activations.songs.first_token[song], activations.songs.n_tokens[song]
            real = min(length, 95)  # the golden file leaves the last position out
            expected = golden[f"resid_{layer:03d}"][row, :real]
            np.testing.assert_allclose(rows[first : first + real], expected, atol=1e-4, rtol=0)
            np.testing.assert_array_equal(activations.tokens[first : first + length], golden["codes"][row, :length])


def test_float16_is_the_default_and_rounds_float32(home):
    extract(ExtractionConfig(dataset_name="sod", data_repr="ape", layers=(2,)))
    half = rows_of(home, "ape", 2)[1].copy()
    extract(ExtractionConfig(dataset_name="sod", data_repr="ape", layers=(2,), dtype="float32", overwrite=True))
    np.testing.assert_array_equal(half, rows_of(home, "ape", 2)[1].astype(np.float16))


def test_batching_and_sharding_do_not_change_values(home):
    for batch_tokens, shard_tokens in ((1, 1000), (300, 7), (100_000, 96)):
        config = ExtractionConfig(
            dataset_name="sod",
            data_repr="ape",
            layers=(3,),
            dtype="float32",
            batch_tokens=batch_tokens,
            shard_tokens=shard_tokens,
            overwrite=True,
        )
        extract(config)
        rows = rows_of(home, "ape", 3)[1]
        if batch_tokens == 1:
            alone = rows.copy()
        np.testing.assert_allclose(rows, alone, atol=1e-5, rtol=1e-5)


def test_several_sites_in_one_pass_add_up(home, command):
    """What attention and feed-forward layers add, extracted by name, leads from one layer's rows to the next's."""
    sites = ("resid_pre.0", "attn_out.0", "mlp_out.0", "attn_out.1", "mlp_out.1", "blocks.2.norm")
    words = ("--layers", 0, 1, 2, 3, "--sites", *sites, "--dtype", "float32")
    outcome = command("extract", "sod", "ape", *words)
    assert "site resid_pre.0, site attn_out.0, layer 0, site mlp_out.0, layer 1" in outcome.out, outcome
    activations = open_set(home / STORE.format("ape"))
    rows = {name: activations.site(Site(name)).read(0, activations.n_tokens) for name in sites}
    before = rows["resid_pre.0"]
    for layer, name in enumerate(("attn_out.0", "mlp_out.0", "attn_out.1", "mlp_out.1")):
        assert np.abs(rows[name]).mean() > 0
        np.testing.assert_array_equal(before + rows[name], rows_of(home, "ape", layer)[1])
        before = rows_of(home, "ape", layer)[1]
    normed = rows["blocks.2.norm"]
    assert normed.shape == before.shape and not np.array_equal(normed, rows_of(home, "ape", 1)[1])
    assert [site.name for site in activations.extracted_sites()][:3] == ["resid_pre.0", "attn_out.0", "resid_mid.0"]


def test_a_module_of_another_width_is_a_site(home, command):
    assert command("extract", "sod", "ape", "--sites", "blocks.1.up").code == 0
    assert open_set(home / STORE.format("ape")).site(Site("blocks.1.up")).width == 256


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no layer or site is named; expected a layer such as 5, or a site such as mlp_out.2"),
        (("--sites", "mlp_out.7"), "unknown site 'mlp_out.7'; expected one of resid_pre.0, attn_out.0"),
        (("--sites", "blocks.1.sideways"), "unknown site 'blocks.1.sideways'; expected one of"),
        (("--sites", "../x"), "site '../x' is no name; expected one such as resid_post.2"),
        (("--sites", "embeddings"), "site embeddings cannot be recorded"),
    ],
)
def test_a_wrong_site_is_named(home, command, words, message):
    assert message in command("extract", "sod", "ape", *words).refused()
    assert not (home / STORE.format("ape")).exists()


def test_batches_hold_each_song_once_within_the_budget():
    lengths = np.random.default_rng(0).integers(10, 500, 300)
    batches = plan_batches(lengths, 2000)
    assert sorted(np.concatenate([b.songs for b in batches])) == list(range(300))
    assert all(len(b.songs) * b.length <= 2000 and lengths[b.songs].max() == b.length for b in batches)
    assert sum(len(b.songs) * b.length for b in batches) < 1.05 * lengths.sum()  # little padding
    assert len(plan_batches(np.array([5000, 10]), 2000)) == 2  # a song above the budget goes alone


def test_layers_can_be_added_and_are_not_redone(many_songs, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    path = many_songs / STORE.format("ape") / "layer_001/raw/shard_0000.npy"
    before = path.stat().st_mtime_ns
    assert command("extract", "sod", "ape", "--layers", 1, 3, 3).code == 0
    assert path.stat().st_mtime_ns == before
    assert open_set(many_songs / STORE.format("ape")).extracted_sites() == [
        Site.of_layer(1),
        Site.of_layer(3),
    ]


def test_killed_anywhere_it_ends_with_the_same_bytes(many_songs, command):
    words = ("sod", "ape", "--layers", 0, 3, "--batch_tokens", 100)
    folder = many_songs / STORE.format("ape")
    assert command("extract", *words).code == 0
    undisturbed = tree(folder)
    kills = 0
    for _ in range(3):
        command("extract", *words, "--overwrite", "--shard_tokens", 50)  # another layout, to be replaced
        process = spawn(many_songs, "activation_extraction", *words, "--overwrite")
        progress = folder / "layer_003" / "progress"
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if (folder / "layer_000/layer.json").exists() and progress.exists() and progress.stat().st_size > kills:
                break
        process.kill()
        process.communicate()
        marks = progress.read_bytes().count(1) if progress.exists() else 0
        kills += 1 if marks else 0
        done = {p: p.read_bytes() for p in folder.glob("layer_*/progress")}
        result = command("extract", *words)
        assert result.code == 0, result
        assert tree(folder) == undisturbed
        if done and marks:
            n_tokens = open_set(folder).n_tokens
            assert f"0.00/{n_tokens}" not in result.err  # the bar starts where the killed run was
    assert kills


def test_what_has_been_done_is_not_done_again(many_songs, command, monkeypatch):
    from music_interpret import activation_extraction

    words = ("sod", "ape", "--layers", 1, "--batch_tokens", 100)
    calls = []
    original = activation_extraction.padded_tokens

    def counting(activations, batch):
        calls.append(batch)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return original(activations, batch)

    monkeypatch.setattr(activation_extraction, "padded_tokens", counting)
    stopped = command("extract", *words)
    assert stopped.code == 130 and "run the same command again to go on" in stopped.err
    assert command("extract", *words).code == 0
    assert len(calls) == 11 + 40 - 10


def test_a_run_begun_otherwise_is_refused(home, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    assert (
        "was made with dtype 'float16'; use the same"
        in command("extract", "sod", "ape", "--layers", 1, "--dtype", "float32").refused()
    )
    assert "another --shard_tokens" in command("extract", "sod", "ape", "--layers", 1, "--shard_tokens", 9).refused()


def test_overflow_stops_with_the_songs_name_and_leaves_nothing(home, command):
    path = home / "models/sod/ape/checkpoints/best_model.pt"
    state = torch.load(path, weights_only=True)
    state["decoder.net.attn_layers.layers.1.1.net.3.bias"] += 1e6
    torch.save(state, path)
    message = command("extract", "sod", "ape", "--layers", 1).refused()
    assert "overflow of float16 in layer 1 of song bach-bwv78.7; try --dtype float32" in message
    assert not (home / STORE.format("ape") / "layer_001").exists()
    assert command("extract", "sod", "ape", "--layers", 1, "--dtype", "float32").code == 0


def test_nan_stops_with_the_songs_name(home, command):
    path = home / "models/sod/ape/checkpoints/best_model.pt"
    state = torch.load(path, weights_only=True)
    state["decoder.net.token_emb.3.emb.weight"][:] = float("nan")
    torch.save(state, path)
    message = command("extract", "sod", "ape", "--layers", 1, "--dtype", "float32").refused()
    assert "NaN or infinity in layer 1 of song bach-bwv78.7" in message


def test_no_space_left_is_told_before_the_work_and_leaves_nothing(home, command, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    message = command("extract", "sod", "ape", "--layers", 1).refused()
    assert "No space left on device for 308 tokens" in message
    assert not (home / STORE.format("ape") / "layer_001").exists()


def test_two_processes_do_not_write_one_store(home, command):
    folder = home / STORE.format("ape")
    with files.locked(folder, "activations"):
        assert "another process is working" in command("extract", "sod", "ape", "--layers", 1).refused()


def test_manifest_says_what_made_it(home, command):
    assert command("extract", "sod", "ape", "--layers", 1).code == 0
    folder = home / STORE.format("ape")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model_sha256"] == files.sha256(home / "models/sod/ape/checkpoints/best_model.pt")
    assert (manifest["n_tokens"], manifest["n_songs"], manifest["d_model"], manifest["n_layers"]) == (308, 4, 64, 4)
    layer = json.loads((folder / "layer_001/layer.json").read_text())
    shard = np.load(folder / "layer_001/raw/shard_0000.npy")
    assert layer["checksums"] == [f"crc32:{zlib.crc32(shard.tobytes()):08x}"]
    assert layer["finished"] and layer["dtype"] == "float16" and layer["precision"] == "float32"


def test_lists_that_separate_near_duplicates_get_a_warning(many_songs, command):
    """Of each golden song there are ten transpositions, on all three lists."""
    folder = many_songs / "data/base/sod"
    first = command("extract", "sod", "ape", "--layers", 1)
    assert first.code == 0 and "warning" not in first.err
    names = [name for split in SPLITS for name in (folder / f"{split}-names.txt").read_text().split()]
    write_duplicates(folder, find_duplicates(folder, names, 12, 2**26))
    again = command("extract", "sod", "ape", "--layers", 1)
    (line,) = (line for line in again.err.splitlines() if "warning" in line)
    assert again.code == 0 and line.partition(": what")[0] == (
        f"warning: {folder}: 4 groups of near-duplicates are in more than one split, "
        "first bach-bwv353_0 (train) and bach-bwv353_4 (valid)"
    )
