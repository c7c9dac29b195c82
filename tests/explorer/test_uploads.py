"""People's own files: music is run through the model as the pipeline would, and anything else gets a sentence."""

import io
import re
import zipfile
from pathlib import Path

import music21
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.explorer.api import Explorer
from music_interpret.explorer.opened import Explored
from music_interpret.explorer.server import make_app
from music_interpret.explorer.uploads import KEPT, LARGEST_BYTES
from music_interpret.music.reader_process import Answer
from music_interpret.music.scores import Work, read_works

MUSIC = Path(music21.__file__).parent
MIDI = MUSIC / "midi" / "testPrimitive" / "test11.mid"
CHORALE = MUSIC / "corpus" / "bach" / "bwv66.6.mxl"


@pytest.fixture(scope="module")
def explorer(labelled_module):
    return Explorer(Explored.open("s/e"))


@pytest.fixture(scope="module")
def client(explorer):
    with TestClient(make_app(explorer), base_url="http://127.0.0.1:8137", raise_server_exceptions=False) as client:
        yield client


def send(client, name, content):
    return client.post("/api/yours", params={"name": name}, content=content)


def test_a_piece_of_the_set_is_seen_as_in_the_set(client, explorer, monkeypatch):
    """The latents of an uploaded piece are those that the index has of the same notes."""
    encoding = explorer.explored.scheme
    piece = explorer.explored.pieces.piece(4)
    notes = encoding.decode(piece.tokens)
    played = explorer.uploads._keep("again", Work(notes, []), 1).played
    np.testing.assert_array_equal(played.piece.tokens, piece.tokens)
    key = played.piece.key
    mine, theirs = client.get(f"/api/song/{key}").json(), client.get("/api/song/4").json()
    assert mine["roll"]["notes"] == theirs["roll"]["notes"] and mine["tokens"] == theirs["tokens"]
    for token, values in enumerate(theirs["strongest"]["values"]):
        np.testing.assert_allclose(mine["strongest"]["values"][token], values, atol=5e-3)


@pytest.mark.parametrize("path", [MIDI, CHORALE], ids=lambda path: path.name)
def test_files_become_songs(client, explorer, path):
    answer = send(client, path.name, path.read_bytes())
    assert answer.status_code == 200, answer.text
    said = answer.json()
    song = client.get(f"/api/song/{said['song']}").json()
    notes = read_works(path, explorer.explored.scheme.resolution)[0].notes
    assert song["roll"]["name"] == path.name and song["roll"]["split"] == "yours"
    assert len(song["roll"]["notes"]["pitch"]) == said["notes"] <= len(notes)
    np.testing.assert_array_equal(song["roll"]["notes"]["pitch"], notes[: said["notes"], 2])
    assert any(song["strongest"]["latents"])
    assert client.get(song["sound"]).status_code == 200
    assert client.get(f"/api/song/{said['song']}/concepts?names=scale%20degree").json()["strips"][0]["codes"]
    assert client.get("/api/songs").json()["song"][0] == said["song"]


def bomb() -> bytes:
    """A MusicXML archive that unpacks to 300 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
        )
        archive.writestr("a.xml", b"<a>" + b" " * 300_000_000)
    return file.getvalue()


def entities() -> bytes:
    """XML whose entities grow without end."""
    lines = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{lines}]><score-partwise>&l11;</score-partwise>'.encode()
    )


OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><score-partwise>&f;</score-partwise>'
)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mid", b"", "empty"),
        ("a.mid", b"no music", "cannot be read as music"),
        ("a.mid", MIDI.read_bytes()[:40], ""),
        ("a.txt", b"MThd", ".txt is not read"),
        ("mid", b"MThd", "without a suffix"),
        ("a.mid", b"x" * (LARGEST_BYTES + 1), "larger than"),
        ("a.xml", entities(), "cannot be read"),
        ("a.xml", OUTSIDE, "cannot be read"),
        ("a.mxl", b"PK\x03\x04", "cannot be read"),
        ("a.mxl", CHORALE.read_bytes()[:2000], "cannot be read"),
        ("a.musicxml", b"<score-partwise/>", ""),
        ("../../../../tmp/x.mid", b"MThd", ""),
        ("a\x00.mid", b"MThd", ""),
    ],
)
def test_bad_files_get_a_sentence(client, name, content, words):
    answer = send(client, name, content)
    assert answer.status_code == 400 and words in answer.json()["error"] and "\n" not in answer.json()["error"]
    assert "passwd" not in answer.json()["error"] and "root:" not in answer.text


def test_an_archive_that_unpacks_to_much_harms_nobody(client):
    answer = send(client, "bomb.mxl", bomb())
    assert answer.status_code == 400 and "it unpacks to 300,0" in answer.json()["error"]
    assert send(client, "good.mid", MIDI.read_bytes()).status_code == 200


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    source=st.sampled_from([MIDI, CHORALE]),
    cuts=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=8)), max_size=6),
    length=st.integers(0, 10_000),
)
def test_damaged_files_never_break_the_server(client, source, cuts, length):
    content = bytearray(source.read_bytes())
    for place, junk in cuts:
        place %= len(content)
        content[place : place + len(junk)] = junk
    answer = send(client, source.name, bytes(content[: length or None]))
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        sentence = answer.json()["error"]
        assert 0 < len(sentence) < 400 and "\n" not in sentence and "Traceback" not in sentence


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".mid", ".mxl", ".musicxml", ".xml", ".abc", ".krn"]))
def test_any_bytes_never_break_the_server(client, content, suffix):
    assert send(client, f"a{suffix}", content).status_code in (200, 400)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer((), "late", "slow"), "this file takes longer than 20 seconds to read; try a shorter one"),
        (Answer((), "full", "memory"), "this file takes too much memory to read; try a shorter one"),
        (Answer((), "SIGSEGV", "crashed"), "this file cannot be read: the program that reads scores gave up on it"),
        (Answer((), "it is empty", "broken"), "this file cannot be read as music: it is empty"),
        (Answer((), "ValueError: /a/b", "damaged"), "this file cannot be read as music: it is damaged (ValueError)"),
        (Answer(()), "this file holds no piece"),
        (Answer((Work(np.zeros((0, 5), np.int64), []),)), "no note in this file is for an instrument .* left out.*"),
    ],
    ids=lambda value: value.fault if isinstance(value, Answer) else "",
)
def test_each_fault_has_its_sentence(explorer, monkeypatch, answer, sentence):
    monkeypatch.setattr(explorer.reader, "read", lambda *_: answer)
    with pytest.raises(InputError) as error:
        explorer.uploads.add("a.mid", b"MThd")
    assert re.fullmatch(sentence.replace("(", r"\(").replace(")", r"\)"), str(error.value))


def test_of_several_pieces_the_first_with_notes_is_shown(explorer, monkeypatch):
    silent, played = Work(np.zeros((0, 5), np.int64), []), read_works(MIDI, explorer.explored.scheme.resolution)[0]
    monkeypatch.setattr(explorer.reader, "read", lambda *_: Answer((silent, played, silent)))
    uploaded = explorer.uploads.add("a.mid", b"MThd")
    assert uploaded.n_notes == len(played.notes)
    assert uploaded.notice is not None and uploaded.notice.startswith("the file holds 3 pieces; this is the first")


def test_the_oldest_pieces_go(client, explorer):
    content = MIDI.read_bytes()
    keys = [send(client, f"{i}.mid", content).json()["song"] for i in range(KEPT + 1)]
    assert client.get(f"/api/song/{keys[0]}").status_code == 400
    assert client.get(f"/api/song/{keys[-1]}").status_code == 200
    assert len(explorer.uploads.all()) == KEPT
