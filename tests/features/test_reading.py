from types import SimpleNamespace

import numpy as np
import pytest

from music_interpret.activations.songs import SongTable
from music_interpret.features.index import Chunk, build, open_index
from music_interpret.features.reading import examples, shared_traits, to_text
from music_interpret.files import sha256
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

ENCODING = MMTScheme.from_json(mmt_encoding(), "table")
# Four songs of a rising scale, each beginning a beat later; latent 0 fires on every D, latent 1 on every start of a
# song, latent 2 never.
NOTES = np.array([[beat, 0, 60 + 2 * (beat % 6), 12, 0] for beat in range(12)])


@pytest.fixture
def index(tmp_path):
    song_codes = [ENCODING.encode(NOTES + np.array([start, 0, 0, 0, 0])) for start in range(4)]
    codes = np.concatenate(song_codes)
    lengths = np.array([len(song) for song in song_codes])
    songs = SongTable(list("abcd"), np.cumsum(lengths) - lengths, lengths, np.array(["train"] * 3 + ["test"]))
    z = np.zeros((len(codes), 3), np.float32)
    is_d = (codes[:, 0] == 3) & ((codes[:, 3] - 1) % 12 == 2)
    z[is_d, 0] = 1 + np.arange(is_d.sum()) / 10
    z[codes[:, 0] == 0, 1] = 5
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae/sae_weights.safetensors").write_bytes(b"weights")
    meta = {"model_sha256": "m", "codes_sha256": "c", "sae_sha256": sha256(tmp_path / "sae/sae_weights.safetensors")}
    build(tmp_path / "features", [Chunk.of(0, z)], 3, len(z), meta)
    identity = {key: meta[key] for key in ("model_sha256", "codes_sha256")}
    activations = SimpleNamespace(
        songs=songs, tokens=codes, identity=identity, scheme=ENCODING, folder=tmp_path, n_tokens=len(codes)
    )
    return open_index(tmp_path, activations, meta["sae_sha256"])


def test_an_example_says_where_it_is_and_marks_the_firing_token(index):
    best = examples(index, 0, 1, 2)[0]
    assert (best.song, best.split, best.position, best.length) == ("d", "test", 10, 16)
    text = to_text(best, 1).splitlines()
    assert text[0] == "#1  activation 1.700  d (test), token 10 of 16"
    assert text[3] == ">>> Note: beat=10, position=0, pitch=D4, duration=12, instrument=piano"
    assert len(text) == 6 and sum(line.startswith(">>> ") for line in text) == 1


def test_context_stops_at_the_songs_ends(index):
    first = examples(index, 1, 4, 3)
    assert [e.song for e in first] == list("abcd")
    assert all(e.firing_line == 0 and e.lines[0] == "Start of song" and len(e.lines) == 4 for e in first)


def test_traits_are_what_top_tokens_share_against_all_tokens(index):
    by_latent = {trait.latent: trait for trait in shared_traits(index, np.array([0, 1]), 4)}
    d = by_latent[0]
    assert (d.field, d.value, d.share, d.n_songs) in {("pitch class", "D", 1.0, 4), ("pitch", "D4", 1.0, 4)}
    assert d.base_rate == pytest.approx(2 / 16)
    assert by_latent[1].field == "type" and by_latent[1].value == "start-of-song"
