import zlib

import numpy as np
import pytest

from music_interpret import files
from music_interpret.activations import store as store_module
from music_interpret.activations.songs import SongTable
from music_interpret.activations.store import check_shards, is_finite, open_set, shard_checksum, shard_path
from music_interpret.errors import InputError
from music_interpret.models.site import Site

LENGTHS = [96, 96, 60, 56]


@pytest.fixture
def store(home, command):
    """The golden songs' activations of layers 1 and 2 in shards of 100 rows, so that songs lie across shards."""
    assert command("extract", "sod", "ape", "--layers", 1, 2, "--shard_tokens", 100).code == 0
    return home / "data/activations/sod_ape_residual"


def test_songs_and_splits(store):
    songs = open_set(store).songs
    assert songs.n_tokens.tolist() == LENGTHS
    assert songs.first_token.tolist() == [0, 96, 192, 252]
    assert songs.song_of(np.array([0, 95, 96, 251, 252, 307])).tolist() == [0, 0, 1, 2, 3, 3]


def test_runs_join_neighbours():
    lengths = np.array([3, 4, 5, 6])
    songs = SongTable(
        list("abcd"), np.cumsum(lengths) - lengths, lengths, np.array(["train", "train", "valid", "train"])
    )
    assert songs.spans("train").tolist() == [[0, 7], [12, 18]]
    assert songs.spans("valid").tolist() == [[7, 12]]
    assert songs.spans("test").shape == (0, 2)
    assert songs.spans(None).tolist() == [[0, 18]]


def test_names_with_commas_and_quotes_survive(tmp_path):
    names = ['a, b "c"', "ü/é", "plain"]
    songs = SongTable(names, np.array([0, 1, 2]), np.array([1, 1, 1]), np.array(["train"] * 3))
    (tmp_path / "songs.csv").write_text(songs.to_csv(), encoding="utf-8")
    assert SongTable.read(tmp_path / "songs.csv").names == names


def test_rows_are_read_by_token_id_over_shards(store):
    layer = open_set(store).layer(1)
    whole = np.concatenate(layer.shards)
    assert [len(shard) for shard in layer.shards] == [100, 100, 100, 8] and len(layer) == 308
    assert all(isinstance(shard, np.memmap) for shard in layer.shards)
    for start, stop in ((0, 308), (0, 1), (99, 101), (100, 200), (50, 305)):
        np.testing.assert_array_equal(layer.read(start, stop), whole[start:stop])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_nan_and_infinity_are_found_and_nothing_else(dtype):
    info = np.finfo(dtype)
    finite = np.array([0.0, -0.0, info.max, info.min, info.smallest_subnormal, 1.0], dtype).reshape(2, 3)
    assert is_finite(finite) and is_finite(finite[:0])
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        for place in range(6):
            rows = finite.copy()
            rows.flat[place] = value
            assert not is_finite(rows)


def test_finished_layers_are_listed(store):
    activations = open_set(store)
    assert activations.extracted_sites() == [Site.of_layer(1), Site.of_layer(2)]
    with pytest.raises(InputError, match=r"layer 3 is not there .*finished: layer 1, layer 2.*sod ape --layers 3"):
        activations.layer(3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda s: files.write_json(s / "manifest.json", {"format": 99}),
            "store format 99; this version reads format 1",
        ),
        (lambda s: (s / "manifest.json").write_text("{"), "not valid JSON"),
        (lambda s: (s / "manifest.json").unlink(), "no activations in"),
        (lambda s: (s / "songs.csv").write_text("name,first_token\na,0\n"), "not a table of songs"),
        (lambda s: (s / "songs.csv").write_text((s / "songs.csv").read_text().replace("252", "250")), "is damaged"),
        (lambda s: (s / "codes.npy").write_bytes((s / "codes.npy").read_bytes()[:-10]), "codes.npy is damaged"),
    ],
)
def test_damage_to_the_set_is_named(store, damage, message):
    damage(store)
    with pytest.raises(InputError, match=message):
        open_set(store)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "shard .*truncated or damaged.*expected float16"),
        (lambda p: p.write_bytes(b""), "shard .*truncated or damaged"),
        (lambda p: p.unlink(), "missing shard"),
        (
            lambda p: np.save(p, np.zeros((100, 64), np.float32)),
            r"is float32 \(100, 64\); expected float16 \(100, 64\)",
        ),
        (lambda p: np.save(p, np.zeros((99, 64), np.float16)), r"is float16 \(99, 64\)"),
    ],
)
def test_damage_to_a_shard_is_named(store, damage, message):
    damage(store / "layer_001/raw/shard_0001.npy")
    with pytest.raises(InputError, match=message):
        open_set(store).layer(1)
    assert len(open_set(store).layer(2)) == 308


@pytest.mark.parametrize("read_bytes", [1000, store_module.READ_BYTES])
def test_shards_are_checked_to_their_last_row_whatever_the_blocks(store, monkeypatch, read_bytes):
    monkeypatch.setattr(store_module, "READ_BYTES", read_bytes)
    site = open_set(store).layer(1)
    written = [f"crc32:{zlib.crc32(np.array(shard).tobytes()):08x}" for shard in site.shards]
    assert len(written) == 4 and [shard_checksum(shard) for shard in site.shards] == written == site.meta["checksums"]
    check_shards(site)
    for row in (150, 307):
        path = shard_path(site.folder, row // 100)
        rows = np.load(path)
        changed = rows.copy()
        changed[row % 100, -1] = np.nan
        np.save(path, changed)
        with pytest.raises(InputError, match=rf"token row {row}\)"):
            check_shards(open_set(store).layer(1))
        changed[row % 100] = rows[row % 100][::-1]
        np.save(path, changed)
        with pytest.raises(InputError, match=f"shard .*shard_000{row // 100}.npy is not as it was extracted"):
            check_shards(open_set(store).layer(1))
        np.save(path, rows)
