"""MIDI: damaged bytes, containers, and what time signatures say."""

import random
import struct
from pathlib import Path

import numpy as np
import pytest
import symusic

from music_interpret.music.formats.midi import count_note_ons, read, statements
from music_interpret.music.formats.written import BrokenScore

MIDI = Path(__file__).parents[2] / "fixtures" / "scores" / "midi"
NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"
END = b"\x00\xff\x2f\x00"


def midi(*tracks: bytes, n_tracks: int | None = None, division: int = 480) -> bytes:
    chunks = [b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks]
    n_tracks = len(tracks) if n_tracks is None else n_tracks
    return b"MThd" + struct.pack(">IHHH", 6, 1, n_tracks, division) + b"".join(chunks)


def notes_of(tmp_path: Path, data: bytes) -> list[tuple[int, int, int]]:
    (tmp_path / "a.mid").write_bytes(data)
    (score,) = read(tmp_path / "a.mid")
    return sorted((int(row[0]), int(row[1]), int(row[2])) for row in np.asarray(score.notes))


@pytest.mark.parametrize(
    ("bad", "and_then"),
    [
        (b"\x00\xb0\x07\xa8", []),  # a controller of 168
        (b"\x00\xb0\xc8\x01", []),
        (b"\x00\xe0\xff\xff", []),
        (b"\x00\xc0\xc8", []),  # no program has this number
        (b"\x00\x90\xc8\x40\x60\x80\xc8\x00", []),  # nor has a pitch: its time passes all the same
        (b"\x00\x90\x3e\xc8\x60\x80\x3e\x00", [(0, 96, 62)]),  # as loud as can be
        (b"\x00\xf4", []),
    ],
)
def test_a_byte_out_of_range_loses_no_other_note(tmp_path: Path, bad: bytes, and_then: list) -> None:
    waited = 0x60 if b"\x60" in bad else 0
    rest = [(waited, waited + 96, 60), (waited + 96, waited + 192, 60)]
    assert notes_of(tmp_path, midi(bad + NOTE + NOTE + END)) == sorted(and_then + rest)
    assert notes_of(tmp_path, midi(NOTE + bad + NOTE + END)) == sorted(
        [(0, 96, 60), (waited + 96, waited + 192, 60)] + [(start + 96, end + 96, p) for start, end, p in and_then]
    )


def test_every_track_chunk_is_read_whatever_the_header_says(tmp_path: Path) -> None:
    other = NOTE.replace(b"\x3c", b"\x40") + END
    both = [(0, 96, 60), (0, 96, 64)]
    for n_tracks in (0, 1, 2, 3, 600):
        assert notes_of(tmp_path, midi(NOTE + END, other, n_tracks=n_tracks)) == both
    unknown = b"XFIH" + struct.pack(">I", 5) + b"hello"
    data = midi(NOTE + END, other)
    assert notes_of(tmp_path, data[:14] + unknown + data[14:]) == both


def test_a_riff_container_and_karaoke_are_midi(tmp_path: Path) -> None:
    data = midi(NOTE + END)
    (tmp_path / "a.rmi").write_bytes(
        b"RIFF" + struct.pack("<I", len(data) + 24) + b"RMIDLIST" + struct.pack("<I", 3) + b"abc\0data"
        + struct.pack("<I", len(data)) + data
    )  # fmt: skip
    assert len(read(tmp_path / "a.rmi")[0].notes) == 1
    (tmp_path / "b.rmi").write_bytes(b"RIFF\0\0\0\0RMIDLIST\3\0\0\0abc\0")
    with pytest.raises(BrokenScore, match="without MIDI data"):
        read(tmp_path / "b.rmi")


@pytest.mark.parametrize("power", [7, 33, 34, 255])
def test_a_denominator_that_no_metre_has_is_no_statement(tmp_path: Path, power: int) -> None:
    bad = b"\x00\xff\x58\x04\x04%c\x18\x08" % power
    good = b"\x00\xff\x58\x04\x03\x02\x18\x08"
    (tmp_path / "a.mid").write_bytes(midi(bad + NOTE + END))
    assert read(tmp_path / "a.mid")[0].signatures == []
    (tmp_path / "a.mid").write_bytes(midi(good + NOTE + bad + NOTE + END))
    (score,) = read(tmp_path / "a.mid")
    assert (score.signatures, len(score.notes)) == ([(0, 3, 4)], 2)


@pytest.mark.parametrize(
    ("signatures", "stated"),
    [
        ([(0, 1, 8), (240, 6, 8)], [(240, 6, 8)]),
        ([(0, 1, 4), (480, 4, 4)], [(480, 4, 4)]),
        ([(0, 2, 4), (960, 4, 4), (9600, 3, 4)], [(960, 4, 4), (9600, 3, 4)]),
        ([(0, 4, 4), (0, 1, 4), (480, 3, 4)], [(480, 3, 4)]),  # the last of those at one tick holds
        ([(0, 2, 4), (480, 4, 4)], [(480, 4, 4)]),  # half a bar of it
        ([(0, 2, 4), (1920, 3, 4)], [(0, 2, 4), (1920, 3, 4)]),  # two bars
        ([(0, 3, 4), (1440, 2, 4)], [(0, 3, 4), (1440, 2, 4)]),  # a bar longer than the next
        ([(0, 4, 4), (1920, 2, 2)], [(0, 4, 4), (1920, 2, 2)]),
        ([(0, 1, 4)], []),
        ([(0, 1, 4), (480, 1, 4)], []),
        ([(0, 1, 8)], []),
        ([(0, 3, 4)], [(0, 3, 4)]),
        ([(0, 0, 4)], []),
        ([(0, 4, 0), (960, 3, 4)], [(960, 3, 4)]),
        ([], []),
    ],
)
def test_what_signatures_state(signatures: list, stated: list) -> None:
    assert statements(signatures, 480) == stated


def test_notes_are_counted_in_the_bytes(tmp_path: Path) -> None:
    """With and without status bytes, across meta events, with velocity 0 for the end."""
    running = b"\x00\x90\x3c\x40\x81\x00\x3c\x00\x00\x3e\x40\x81\x90\x10\x3e\x00"
    assert count_note_ons(running + END) == 2
    assert count_note_ons(b"\x00\xc0\x05\x81\x7f\x06" + running + b"\x00\xff\x01\x03\x90\x3c\x40" + NOTE + END) == 3
    assert count_note_ons(b"\x00\xf0\x04\x90\x3c\x40\xf7" + NOTE + END) == 1
    assert count_note_ons(b"") == 0
    for path in MIDI.glob("random_*.mid"):
        (score,) = read(path)
        assert score.note_tokens == len(score.notes) > 0
    (score,) = read(MIDI / "never_closed.mid")
    assert (score.note_tokens, len(score.notes)) == (2, 1)


def test_any_changed_byte_is_read_or_refused_for_a_reason(tmp_path: Path) -> None:
    rng = random.Random(1)
    data = (MIDI / "random_480.mid").read_bytes()
    readable = 0
    for _ in range(300):
        at = rng.randrange(14, len(data))
        (tmp_path / "a.mid").write_bytes(data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :])
        try:
            (score,) = read(tmp_path / "a.mid")
        except BrokenScore as error:
            assert str(error)
        else:
            readable += 1
            rows = np.asarray(score.notes)
            assert ((rows[:, 0] >= 0) & (rows[:, 2] >= 0) & (rows[:, 2] < 128)).all()
    assert readable > 270


def test_instruments_have_the_names_of_their_tracks(tmp_path: Path) -> None:
    score = symusic.Score(480)
    for name, program, drums in (("Flute", 73, False), ("Kit", 0, True)):
        track = symusic.Track(name, program, drums)
        track.notes.append(symusic.Note(0, 480, 60, 80))
        score.tracks.append(track)
    score.dump_midi(tmp_path / "a.mid")
    (written,) = read(tmp_path / "a.mid")
    assert {(i.name, i.program, i.drums) for i in written.instruments} == {("Flute", 73, False), ("Kit", 0, True)}
