"""The Feature page's data says what the index says."""

import numpy as np
import orjson
import pytest

from music_interpret.errors import InputError
from music_interpret.explorer.api import to_json
from music_interpret.explorer.feature import feature
from music_interpret.explorer.opened import Explored
from music_interpret.features.label_words import concepts_of
from music_interpret.files import read_json, write_json
from music_interpret.music.pitches import PITCH_NAMES
from music_interpret.paths import find_run


@pytest.fixture(scope="module")
def explored(labelled_module):
    return Explored.open("s/e")


def live_latents(explored, count):
    return np.flatnonzero(explored.index.statistics.density > 0)[:count].tolist()


def test_excerpts_show_what_the_index_holds(explored):
    songs, codes = explored.index.activations.songs, explored.index.activations.tokens
    for latent in live_latents(explored, 12):
        tokens, values = explored.index.latent(latent)
        held = dict(zip(tokens.tolist(), values.tolist(), strict=True))
        for group in feature(explored, latent, 5)["examples"]:
            assert 1 <= len(group["excerpts"]) <= 5
            for shown in group["excerpts"]:
                drawn = shown["roll"]
                first = int(songs.first_token[int(drawn["song"])])
                assert songs.names[int(drawn["song"])] == drawn["name"]
                assert shown["value"] == held[first + shown["token"]]
                for token, value in zip(drawn["notes"]["token"].tolist(), shown["values"].tolist(), strict=True):
                    assert value == held.get(first + token, 0.0)
                assert shown["text"] == str(explored.scheme.lines(codes[[first + shown["token"]]])[0])
                onset = drawn["notes"]["onset"]
                if shown["note"] is None:
                    assert codes[first + shown["token"], 0] != 3
                else:
                    assert drawn["notes"]["token"][shown["note"]] == shown["token"]
                    assert drawn["start"] <= onset[shown["note"]] < drawn["end"]
                ends = onset + np.maximum(drawn["notes"]["duration"], 1)
                assert ((onset < drawn["end"]) & (ends > drawn["start"])).all()
                assert {other["value"] for other in shown["others"]} <= set(held.values())


def test_examples_are_chosen_as_they_say(explored):
    for latent in live_latents(explored, 20):
        tokens, values = explored.index.latent(latent)
        top, spread, chance = feature(explored, latent, 6)["examples"]
        found = [shown["value"] for shown in top["excerpts"]]
        assert found[0] == values.max() and found == sorted(found, reverse=True)
        assert len({shown["roll"]["song"] for shown in top["excerpts"]}) == len(found)
        ordered = [shown["value"] for shown in spread["excerpts"]]
        assert ordered == sorted(ordered, reverse=True)
        for shown in spread["excerpts"]:
            assert (values < shown["value"]).mean() <= shown["quantile"] <= (values <= shown["value"]).mean()
        assert [shown["token"] for shown in chance["excerpts"]] == [
            shown["token"] for shown in feature(explored, latent, 6)["examples"][2]["excerpts"]
        ]
        assert len(chance["excerpts"]) == min(6, len(tokens))


def test_counts(explored):
    codes = np.asarray(explored.index.activations.tokens)
    latent = int(np.argmax(explored.index.statistics.density))
    tokens, values = explored.index.latent(latent)
    found = feature(explored, latent)
    by_name = {part["what"]: {value["word"]: value for value in part["values"]} for part in found["fires_when"]}
    notes = codes[:, 0] == 3
    fired = np.zeros(len(codes), bool)
    fired[tokens] = True
    pitch = explored.scheme.code_values[2][codes[:, 3]]
    for word, value in by_name["pitch class"].items():
        mine = notes & (pitch % 12 == PITCH_NAMES.index(word))
        assert value["base_rate"] == pytest.approx(mine.sum() / notes.sum())
        assert value["share"] == pytest.approx((mine & fired).sum() / (notes & fired).sum())
        assert value["rate"] == pytest.approx((mine & fired).sum() / mine.sum())
    for part in found["fires_when"]:
        assert sum(value["share"] for value in part["values"]) <= 1 + 1e-9
    statistics = found["statistics"]
    assert statistics["n_firings"] == len(tokens) and statistics["max"] == values.max()
    assert sum(statistics["histogram"]["counts"]) == len(tokens)
    assert len(statistics["histogram"]["edges"]) == len(statistics["histogram"]["counts"]) + 1
    assert statistics["n_songs"] == len(np.unique(explored.index.activations.songs.song_of(tokens)))


def test_labels_effects_and_neighbours(explored):
    latent = next(name["latent"] for name in explored.run.labels.names if name["rule"])
    found = feature(explored, latent)
    assert found["name"]["latent"] == latent and found["described"].startswith(f"latent {latent}: ")
    assert [row["rank"] for row in found["labels"]] == sorted(row["rank"] for row in found["labels"])
    assert all(row["latent"] == latent for row in found["labels"])
    assert [effect["field"] for effect in found["effects"]] == [
        "type", "beat", "position", "pitch", "duration", "instrument",
    ]  # fmt: skip
    for effect in found["effects"]:
        assert all(value > 0 for _, value in effect["promotes"]) and all(value < 0 for _, value in effect["suppresses"])
    for kind in ("decoder", "coactivation"):
        scores = [near["score"] for near in found["nearest"][kind]]
        assert scores == sorted(scores, reverse=True)
        assert latent not in [near["latent"] for near in found["nearest"][kind]]


def test_concepts_come_with_their_agreement_with_experts(explored):
    noted = explored.run.reliability
    assert {"chord root", "leading tone"} <= set(noted) and "pitch" not in noted
    seen = set()
    for latent in live_latents(explored, 96):
        found = feature(explored, latent, 1)
        rule = concepts_of(found["name"]) if found["name"] else []
        concepts = dict.fromkeys([*rule, *(row["concept"] for row in found["labels"])])
        assert [one["concept"] for one in found["reliability"]] == [name for name in concepts if name in noted]
        for one in found["reliability"]:
            note = noted[one["concept"]]
            assert one["words"].startswith(one["concept"]) and one["short"] and one["measured"] == note["of"]
            assert [row["value"] for row in one["corpora"]] == [row["value"] for row in note["corpora"]]
            assert (one["words"] in found["described"]) == (one["concept"] in rule)
            seen.add(one["concept"])
    assert seen


def test_labels_without_agreement_say_nothing_of_it(labelled, command):
    path = find_run("s/e") / "labels" / "labels.json"
    meta = read_json(path)
    for concept in meta["concepts"]:
        del concept["reliability"]
    write_json(path, meta)
    explored = Explored.open("s/e")
    latent = next(name["latent"] for name in explored.run.labels.names if name["rule"])
    assert feature(explored, latent)["reliability"] == [] and "experts" not in feature(explored, latent)["described"]
    assert "experts" not in command("features", "s/e", "--concept", "local key").out


def test_every_latent_is_json(explored):
    for latent in range(explored.index.d_sae):
        content = orjson.loads(to_json(feature(explored, latent, 3)))
        assert content["latent"] == latent and content["live"] == bool(content["examples"])


def test_no_such_latent(explored):
    with pytest.raises(InputError, match="expected 0 to 95"):
        feature(explored, 96)
