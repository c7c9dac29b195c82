"""What neuronpedia imports of a run: rows of its tables' columns, values of the index, the same bytes each time."""

import gzip
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import tree

from music_interpret.activations.songs import SongTable
from music_interpret.errors import InputError
from music_interpret.features import neuronpedia
from music_interpret.features.index import Chunk, build, open_index
from music_interpret.features.labels import Labels
from music_interpret.features.neuronpedia import Logits, place_of, write
from music_interpret.features.neuronpedia_examples import AFTER, BEFORE, BINS, PER_BIN, PER_SONG, TOP, decimals
from music_interpret.features.neuronpedia_format import CREATOR, Place
from music_interpret.files import sha256
from music_interpret.models.site import Site
from music_interpret.music.concepts.reliability import noted
from music_interpret.tokens.mmt import MMTScheme
from music_interpret.tokens.mmt_tables import mmt_encoding

ENCODING = MMTScheme.from_json(mmt_encoding(), "table")
SCRIPT = "</script><script>alert('é\u2028')</script>\n\"x\", \\"
PLACE = Place("mmt-d-ape", "s-e", 3)
NUMBER, TEXT = (int, float), str
# Columns of neuronpedia's schema.prisma (hijohnnylin/neuronpedia at 008d5040) with their types; [t] is an array. Those
# in REQUIRED have no default and may not be null.
COLUMNS = {
    "features": {
        **dict.fromkeys(("modelId", "layer", "index", "sourceSetName", "creatorId", "vectorLabel", "hookName"), TEXT),
        **dict.fromkeys(("maxActApprox", "frac_nonzero", "vectorDefaultSteerStrength"), NUMBER),
        **dict.fromkeys(("topkCosSimIndices", "neuron_alignment_indices", "correlated_features_indices"), [int]),
        **dict.fromkeys(("topkCosSimValues", "neuron_alignment_values", "neuron_alignment_l1"), [NUMBER]),
        **dict.fromkeys(("neg_values", "pos_values", "decoder_weights_dist", "vector"), [NUMBER]),
        **dict.fromkeys(("freq_hist_data_bar_heights", "freq_hist_data_bar_values"), [NUMBER]),
        **dict.fromkeys(("logits_hist_data_bar_heights", "logits_hist_data_bar_values"), [NUMBER]),
        **dict.fromkeys(("neg_str", "pos_str"), [TEXT]),
    },
    "activations": {
        **dict.fromkeys(("id", "modelId", "layer", "index", "creatorId", "dataIndex", "dataSource"), TEXT),
        **dict.fromkeys(("maxValueTokenIndex", "qualifyingTokenIndex"), int),
        **dict.fromkeys(("maxValue", "minValue", "binMin", "binMax", "binContains"), NUMBER),
        "tokens": [TEXT],
        "values": [NUMBER],
    },
    "explanations": dict.fromkeys(("id", "modelId", "layer", "index", "description", "authorId", "notes"), TEXT),
    "model": {
        **dict.fromkeys(("id", "displayNameShort", "displayName", "creatorId", "visibility", "owner"), TEXT),
        **dict.fromkeys(("dimension", "layers", "neuronsPerLayer"), int),
        "instruct": bool,
    },
    "source": {
        **dict.fromkeys(("id", "modelId", "visibility", "setName", "creatorId", "dataset", "notes"), TEXT),
        **dict.fromkeys(("num_prompts", "num_tokens_in_prompt"), int),
    },
    "sourceset": {
        **dict.fromkeys(("modelId", "name", "visibility", "description", "type", "creatorName", "creatorId"), TEXT),
        "urls": [TEXT],
        "releaseName": TEXT,
    },
    "release": {
        **dict.fromkeys(("name", "visibility", "description", "descriptionShort", "creatorName", "creatorId"), TEXT),
        "urls": [TEXT],
    },
}
REQUIRED = {
    "features": {"modelId", "layer", "index"},
    "activations": {"id", "tokens", "index", "layer", "modelId", "maxValue", "maxValueTokenIndex", "minValue"}
    | {"values", "creatorId"},
    "explanations": {"id", "modelId", "layer", "index", "description", "authorId"},
    "model": {"id", "creatorId", "layers", "neuronsPerLayer", "owner"},
    "source": {"id", "modelId", "setName", "creatorId"},
    "sourceset": {"modelId", "name", "description", "creatorName", "urls", "creatorId"},
    "release": {"name", "description", "urls", "creatorName", "creatorId"},
}
PARTS = ("features", "activations", "explanations")


@pytest.fixture
def index(tmp_path):
    """Six songs of 49 tokens; latent 0 never fires, latent 1 always does, the others on some tokens."""
    notes = np.array([[beat, beat % 12, 60 + beat % 13, 12, 0] for beat in range(45)])
    song_codes = [ENCODING.encode(notes + np.array([start, 0, 0, 0, 0])) for start in range(6)]
    codes = np.concatenate(song_codes)
    lengths = np.array([len(song) for song in song_codes])
    names = [SCRIPT, *"bcdef"]
    songs = SongTable(names, np.cumsum(lengths) - lengths, lengths, np.array(["train"] * 6))
    rng = np.random.default_rng(0)
    z = rng.exponential(1, (len(codes), 9)).astype(np.float32)
    z[rng.random(z.shape) > np.array([0, 1, 0.5, 0.3, 0.1, 0.05, 0.02, 0.01, 0.3])] = 0
    z[17, 7], z[:, 0] = 1e-7, 0
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae/sae_weights.safetensors").write_bytes(b"weights")
    meta = {"model_sha256": "m", "codes_sha256": "c", "sae_sha256": sha256(tmp_path / "sae/sae_weights.safetensors")}
    build(tmp_path / "features", [Chunk.of(0, z)], z.shape[1], len(z), meta)
    activations = SimpleNamespace(
        songs=songs,
        tokens=codes,
        identity={key: meta[key] for key in ("model_sha256", "codes_sha256")},
        scheme=ENCODING,
        folder=tmp_path,
        n_tokens=len(codes),
        manifest={"dataset_name": "d", "data_repr": "ape", "n_layers": 8, "d_model": 16},
    )
    return open_index(tmp_path, activations, meta["sae_sha256"])


@pytest.fixture
def decoder():
    return np.random.default_rng(1).normal(size=(9, 16)).astype(np.float32)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(neuronpedia, "BATCH", 4)


def name_of(latent, text):
    numbers = dict.fromkeys(("mcc", "f1", "precision", "recall", "base_rate", "always_on_f1"), 0.5)
    head = {
        "latent": latent,
        "name": text,
        "rule": "downbeat",
        "why": "kept",
        "needs": "given",
        "columns": ["downbeat"],
    }
    return head | numbers | {"mcc_interval": [0.4, None]}


NAMES = [name_of(1, SCRIPT), name_of(2, None), name_of(8, "downbeat")]
LABELS = Labels(Path(), {"concepts": [{"name": "downbeat", "reliability": noted("downbeat", 1, 2)}]}, NAMES)
EFFECTS = Logits(np.random.default_rng(2).normal(size=(9, 40)), [f"pitch=C{i}" for i in range(40)])


def constant(found):
    raise AssertionError(f"{found} is no JSON")


def rows(folder, part):
    """All rows of a part by batch, as strict JSON."""
    batches = {}
    for path in sorted((folder / part).glob("*")):
        lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
        batches[path.name] = [json.loads(line, parse_constant=constant) for line in lines]
    return batches


def all_rows(folder, part):
    return [row for batch in rows(folder, part).values() for row in batch]


def fits(value, kind):
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(part, kind[0]) for part in value)
    wanted = kind if isinstance(kind, tuple) else (kind,)
    return type(value) in wanted and (type(value) is not float or math.isfinite(value))


def assert_row(part, row):
    assert REQUIRED[part] <= row.keys() <= COLUMNS[part].keys()
    wrong = {key: value for key, value in row.items() if not fits(value, COLUMNS[part][key])}
    assert not wrong, (part, wrong)


@pytest.mark.parametrize("effects", [None, EFFECTS])
def test_rows_are_those_of_the_sites_tables(index, decoder, small_batches, tmp_path, effects):
    written = write(tmp_path / "out", index, decoder, PLACE, labels=LABELS, effects=effects)
    for part in PARTS:
        assert len(all_rows(tmp_path / "out", part)) == getattr(written, part) > 0
        for batch in rows(tmp_path / "out", part).values():
            assert batch and all(row.keys() == batch[0].keys() for row in batch)  # the first line's columns count
            for row in batch:
                assert_row(part, row)
                assert row["modelId"] == "mmt-d-ape" and row["layer"] == "3-s-e"
    for part in ("model", "source", "sourceset", "release"):
        row = json.loads((tmp_path / "out" / f"{part}.jsonl").read_text(), parse_constant=constant)
        assert_row(part, row)
        assert row["creatorId"] == CREATOR
    assert [row["index"] for row in all_rows(tmp_path / "out", "features")] == [str(i) for i in range(9)]
    assert sorted(rows(tmp_path / "out", "features")) == ["batch-0.jsonl.gz", "batch-1.jsonl.gz", "batch-2.jsonl.gz"]


def test_a_file_without_rows_is_left_out(index, decoder, small_batches, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE, labels=LABELS)
    assert sorted(rows(tmp_path / "out", "explanations")) == ["batch-0.jsonl.gz", "batch-2.jsonl.gz"]
    write(tmp_path / "out", index, decoder, PLACE)
    assert not (tmp_path / "out" / "explanations").exists()


def test_every_value_is_what_the_index_says_of_that_token(index, decoder, small_batches, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE)
    songs = index.activations.songs
    dense = np.zeros((index.activations.n_tokens, index.d_sae), np.float32)
    for latent in range(index.d_sae):
        token_rows, values = index.latent(latent)
        dense[token_rows, latent] = values
    found = all_rows(tmp_path / "out", "activations")
    assert len({row["id"] for row in found}) == len(found) > 100
    for row in found:
        song, _, place = row["dataIndex"].rpartition(", token ")
        number = songs.names.index(song)
        start = int(songs.first_token[number]) + int(place)
        stop = start + len(row["tokens"])
        assert stop <= songs.first_token[number] + songs.n_tokens[number]
        np.testing.assert_array_equal(np.float32(row["values"]), dense[start:stop, int(row["index"])])
        assert row["maxValue"] == row["values"][row["maxValueTokenIndex"]] == max(row["values"])
        assert row["minValue"] == min(row["values"])
        words = neuronpedia_words(index, start, stop)
        assert row["tokens"] == words
        qualifying = row["qualifyingTokenIndex"]
        assert row["values"][qualifying] > 0
        assert qualifying == min(BEFORE, start + qualifying - int(songs.first_token[number]))
        assert len(row["tokens"]) <= BEFORE + 1 + AFTER


def neuronpedia_words(index, start, stop):
    """The words, made again from the plain text of the tokens."""
    words = []
    for line in ENCODING.lines(index.activations.tokens[start:stop]).tolist():
        head, _, rest = line.partition(": ")
        fields = dict(field.split("=") for field in rest.split(", ") if "=" in field)
        if head == "Note":
            place = f"{fields['beat']}.{fields['position']}"
            words.append(f" {fields['pitch']}@{place},{fields['duration']},{fields['instrument']}")
        else:
            words.append(f" instrument={rest}" if rest else f" {head.lower().replace(' ', '-')}")
    return words


def test_examples_are_the_strongest_tokens_then_some_of_each_interval(index, decoder, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE)
    by_latent = {}
    for row in all_rows(tmp_path / "out", "activations"):
        by_latent.setdefault(int(row["index"]), []).append(row)
    assert sorted(by_latent) == list(range(1, 9))
    for latent, found in by_latent.items():
        values = index.latent(latent)[1]
        top = [row for row in found if row["binMin"] == -1]
        own = [row["values"][row["qualifyingTokenIndex"]] for row in top]
        assert np.float32(own).tolist() == index.top(latent, TOP, per_song=PER_SONG)[1].tolist()
        assert all(np.float32(row["binMax"]) == values.max() and row["binContains"] == -1 for row in top)
        rest = found[len(top) :]
        assert len(rest) <= BINS * PER_BIN and all(row["binMin"] >= 0 for row in rest)
        for row in rest:
            value, ends = row["values"][row["qualifyingTokenIndex"]], (row["binMin"], row["binMax"])
            assert ends[0] - 1e-6 <= value <= ends[1] + 1e-6
            silent = index.activations.n_tokens - len(values) if ends[0] == 0 else 0
            inside = ((values >= ends[0]) & (values <= ends[1])).sum() + silent
            assert row["binContains"] == pytest.approx(inside / index.activations.n_tokens, abs=2e-2)


def test_a_features_numbers_are_those_of_the_index(index, decoder, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE)
    unit = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    for latent, row in enumerate(all_rows(tmp_path / "out", "features")):
        values = index.latent(latent)[1]
        assert np.float32(row["maxActApprox"]) == (values.max() if len(values) else 0)
        assert row["frac_nonzero"] == len(values) / index.activations.n_tokens
        assert sum(row["freq_hist_data_bar_heights"]) == len(values)
        assert len(row["freq_hist_data_bar_heights"]) == len(row["freq_hist_data_bar_values"])
        order = np.argsort(-(unit @ unit[latent]), kind="stable")
        assert row["topkCosSimIndices"] == order.tolist() and order[0] == latent
        np.testing.assert_allclose(row["topkCosSimValues"], (unit @ unit[latent])[order], atol=1e-4)
        assert row["neuron_alignment_indices"] == np.argsort(-decoder[latent])[:3].tolist()
        np.testing.assert_allclose(
            row["neuron_alignment_l1"],
            np.abs(np.sort(decoder[latent])[:-4:-1]) / np.abs(decoder[latent]).sum(),
            atol=1e-4,
        )


def test_effects_are_told_by_words(index, decoder, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE, effects=EFFECTS)
    for latent, row in enumerate(all_rows(tmp_path / "out", "features")):
        mine = EFFECTS.values[latent]
        assert row["pos_str"] == [EFFECTS.words[i] for i in np.argsort(-mine)[:10]]
        assert row["neg_str"] == [EFFECTS.words[i] for i in np.argsort(mine)[:10]]
        np.testing.assert_allclose(row["pos_values"], np.sort(mine)[:-11:-1], atol=1e-4)
        np.testing.assert_allclose(row["neg_values"], np.sort(mine)[:10], atol=1e-4)
        assert sum(row["logits_hist_data_bar_heights"]) == 40
        assert len(row["logits_hist_data_bar_heights"]) == len(row["logits_hist_data_bar_values"])


def test_names_say_how_they_were_found_and_survive_as_they_are(index, decoder, tmp_path):
    write(tmp_path / "out", index, decoder, PLACE, labels=LABELS)
    first, second = all_rows(tmp_path / "out", "explanations")
    assert (first["index"], first["description"]) == ("1", SCRIPT)
    assert (second["index"], second["description"]) == ("8", "downbeat")
    assert second["notes"].startswith("by music theory on held-out songs; on test songs: MCC 0.50 [0.40, –], F1 0.50")
    assert "downbeat rests on the metre, estimated for 1 of 2 songs" in second["notes"]
    assert any(row["dataIndex"].startswith(SCRIPT) for row in all_rows(tmp_path / "out", "activations"))


def test_the_same_run_gives_the_same_bytes(index, decoder, tmp_path, monkeypatch):
    write(tmp_path / "a" / "out", index, decoder, PLACE, labels=LABELS, effects=EFFECTS)
    monkeypatch.setattr("time.time", lambda: 1e9)
    (tmp_path / "b" / "out").mkdir(parents=True)
    (tmp_path / "b" / "out" / "old.txt").write_text("old")
    write(tmp_path / "b" / "out", index, decoder, PLACE, labels=LABELS, effects=EFFECTS)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_failure_leaves_what_was_there(index, decoder, small_batches, tmp_path, monkeypatch):
    write(tmp_path / "runs" / "out", index, decoder, PLACE)
    before = tree(tmp_path / "runs")
    calls = iter(range(3))
    compressed = neuronpedia._compressed
    monkeypatch.setattr(neuronpedia, "_compressed", lambda rows: (next(calls), compressed(rows))[1])
    with pytest.raises(StopIteration):
        write(tmp_path / "runs" / "out", index, decoder, PLACE)
    assert tree(tmp_path / "runs") == before


def test_what_is_not_finite_is_refused(index, decoder, tmp_path):
    decoder[3, 3] = np.nan
    with pytest.raises(InputError, match="has values that are not finite"):
        write(tmp_path / "out", index, decoder, PLACE)
    with pytest.raises(InputError, match="has values that are not finite"):
        effects = EFFECTS._replace(values=np.full((9, 40), np.inf))
        write(tmp_path / "out", index, np.ones((9, 16), np.float32), PLACE, effects=effects)
    assert not (tmp_path / "out").exists()


def test_names_on_the_site_are_of_letters_digits_and_single_hyphens():
    arguments = {"dataset_name": "My_Data__v2", "data_repr": "ape", "series_name": "a.b", "experiment_name": "K=32_"}
    place = place_of(arguments, Site.of_layer(5))
    assert place == ("mmt-my-data-v2-ape", "a-b-k-32", 5) and place.source_id == "5-a-b-k-32"
    place = place_of(arguments, Site("mlp_out.2"))
    assert place == ("mmt-my-data-v2-ape", "mlp-out-a-b-k-32", 2) and place.source_id == "2-mlp-out-a-b-k-32"


def test_decimals_are_short_and_exact():
    values = np.random.default_rng(0).lognormal(0, 9, 1000).astype(np.float32)
    values[::7] = 0
    found = decimals(values)
    np.testing.assert_array_equal(found.astype(np.float32), values)
    assert max(len(repr(value)) for value in found.tolist()) <= 15
