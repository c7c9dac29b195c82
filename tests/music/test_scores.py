"""Scores to notes, against the authors' own conversion (golden.npz) and against hand-made scores."""

import zipfile
from pathlib import Path

import music21
import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.music.formats.written import BrokenScore
from music_interpret.music.instruments import PROGRAMS
from music_interpret.music.notes import validate_notes
from music_interpret.music.score_sources import find_scores
from music_interpret.music.scores import Work, note_array, polyphony, read_works

SCORES = Path(__file__).parents[1] / "fixtures" / "scores"
with np.load(SCORES / "golden.npz") as archive:
    GOLDEN = dict(archive)


def notes_of(path: Path, resolution: int, default_program: int | None = None) -> np.ndarray:
    """The notes of a file with one work."""
    (work,) = read_works(path, resolution, default_program)
    assert isinstance(work, Work)
    return work.notes


def golden_path(key: str) -> Path:
    name = key.partition("@")[0]
    package = Path(music21.__file__).parent
    return package / name.removeprefix("music21/") if name.startswith("music21/") else SCORES / "midi" / name


# Where symusic and muspy read MIDI differently: the rows that only the authors have, and those that only we have.
# A note that is never ended goes, and if it was the first, with it the first beat.
NEVER_ENDED = {
    "never_closed.mid": ({(0, 0, 60, 24, 0), (1, 0, 64, 12, 0)}, {(0, 0, 64, 12, 0)}),
    "closed_by_end_of_track.mid": ({(0, 0, 60, 48, 0), (1, 0, 64, 12, 0)}, {(0, 0, 64, 12, 0)}),
}
# The program changes while the note sounds: (beat, position, pitch, duration), the authors' program, ours.
PROGRAM_CHANGES = {
    "program_changes_in_note.mid": [((0, 0, 60, 12), 73, 40)],
    "music21/midi/testPrimitive/test04.mid": [
        ((50, 0, 52, 12), 49, 48),
        ((50, 0, 57, 12), 49, 48),
        ((448, 0, 49, 48), 49, 48),
        ((448, 0, 52, 48), 49, 48),
        ((448, 0, 57, 48), 49, 48),
        ((483, 6, 45, 6), 48, 45),
        ((483, 6, 57, 6), 49, 45),
        ((484, 0, 69, 96), 48, 49),
        ((490, 0, 50, 24), 48, 49),
        ((490, 0, 53, 24), 48, 49),
        ((490, 0, 62, 24), 48, 49),
        ((548, 0, 60, 12), 48, 45),
    ],
}
DIFFERENT = NEVER_ENDED | {
    key: ({(*note, theirs) for note, theirs, _ in rows}, {(*note, ours) for note, _, ours in rows})
    for key, rows in PROGRAM_CHANGES.items()
}


@pytest.mark.parametrize("key", [key for key, rows in GOLDEN.items() if rows.shape[1] and key not in DIFFERENT])
def test_midi_gives_the_rows_of_the_authors(key: str) -> None:
    notes = notes_of(golden_path(key), 24 if key.endswith("@24") else 12)
    np.testing.assert_array_equal(notes, GOLDEN[key])
    assert notes.dtype == np.int64


@pytest.mark.parametrize("key", DIFFERENT)
def test_midi_rows_that_the_authors_have_otherwise(key: str) -> None:
    """A note has the program of its start (muspy: of its end), and one that is never ended is left out."""
    notes = notes_of(golden_path(key), 12)
    ours, theirs = ({tuple(row) for row in rows.tolist()} for rows in (notes, GOLDEN[key]))
    assert (theirs - ours, ours - theirs) == DIFFERENT[key]


@pytest.mark.parametrize(
    ("name", "reason"),
    {
        "empty_file": "the file is empty",
        "not_midi": "not a MIDI file",
        "truncated": "Invalid chunk length",
        "timecode": "Division type is not ticks per quarter",
        "type_2": "type 2",
    }.items(),
)
def test_midi_that_the_authors_cannot_read_is_broken_for_a_reason(name: str, reason: str) -> None:
    assert GOLDEN[f"{name}.mid"].shape == (0, 0)
    with pytest.raises(BrokenScore, match=reason):
        read_works(SCORES / "midi" / f"{name}.mid", 12)


def test_every_cut_and_every_changed_byte_of_a_midi_file_is_read_or_named_broken(tmp_path: Path) -> None:
    data = (SCORES / "midi" / "program_changes_in_note.mid").read_bytes()
    path = tmp_path / "a.mid"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        if size == 14:  # all of the header and none of the tracks, which symusic takes for a file without tracks
            assert len(read_works(path, 12)[0].notes) == 0
            continue
        with pytest.raises(BrokenScore):
            read_works(path, 12)
    for at in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            try:
                notes = notes_of(path, 12)
            except BrokenScore:
                continue
            assert len(notes) == 0 or len(validate_notes(notes, "a", 12)) <= 2


# Each pitch and program sounds once at a time, for MIDI cannot say otherwise.
songs = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 127), st.integers(1, 30), st.sampled_from(sorted(PROGRAMS))),
    min_size=1,
    max_size=40,
    unique_by=lambda row: (row[1], row[3]),
)


@settings(deadline=None, max_examples=60)
@given(rows=songs, resolution=st.sampled_from([12, 24]), ticks_per_step=st.integers(1, 50))
def test_notes_come_back_from_midi(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, int, int]],
    resolution: int,
    ticks_per_step: int,
) -> None:
    score = symusic.Score(resolution * ticks_per_step)
    for program in {row[3] for row in rows}:
        track = symusic.Track(program=program)
        for onset, pitch, duration, _ in (row for row in rows if row[3] == program):
            track.notes.append(symusic.Note(onset * ticks_per_step, duration * ticks_per_step, pitch, 80))
        score.tracks.append(track)
    path = tmp_path_factory.getbasetemp() / "song.mid"
    score.dump_midi(path)
    notes = notes_of(path, resolution)
    np.testing.assert_array_equal(notes, note_array(np.array(rows), resolution))
    expected = sorted((o // resolution, o % resolution, p, d, g) for o, p, d, g in rows)
    assert notes.tolist() == [[beat - expected[0][0], *rest] for beat, *rest in expected]


TUNE = [
    [0, 0, 48, 24, 0],
    [0, 0, 72, 12, 52],
    [0, 0, 72, 24, 71],  # the clarinet's written D sounds as C; its name alone gives the program
    [1, 0, 60, 36, 0],  # tied out of one chord into another, beside the other voice
    [1, 0, 64, 12, 0],
    [1, 0, 76, 24, 52],  # tied over the barline
    [2, 0, 43, 24, 0],
    [2, 0, 67, 24, 0],
    [2, 0, 74, 6, 71],
    [3, 0, 77, 4, 52],  # a triplet
    [3, 4, 79, 4, 52],
    [3, 8, 78, 4, 52],
]


def test_musicxml_plain_and_compressed(tmp_path: Path) -> None:
    notes = notes_of(SCORES / "tune.musicxml", 12)
    assert notes.tolist() == TUNE
    container = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
    with zipfile.ZipFile(tmp_path / "tune.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("score.xml", (SCORES / "tune.musicxml").read_bytes())
    assert read_works(tmp_path / "tune.mxl", 12)[0].notes.tolist() == TUNE


def midi_metres(path: Path, signatures: list[tuple[int, int, int]], first_note: int = 0) -> list[tuple[int, int, int]]:
    """Metres of a MIDI file with these time signatures (in steps of 40 ticks) and notes from a step on."""
    score = symusic.Score(480)
    score.time_signatures.extend(symusic.TimeSignature(40 * start, *metre) for start, *metre in signatures)
    track = symusic.Track()
    track.notes.extend(symusic.Note(40 * (first_note + start), 40, 60, 80) for start in (0, 100))
    score.tracks.append(track)
    score.dump_midi(path)
    return read_works(path, 12)[0].metres


def test_midi_metres_are_those_of_its_events(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    assert midi_metres(path, []) == []
    assert midi_metres(path, [(0, 4, 4), (48, 4, 4)]) == [(0, 4, 4)]
    assert midi_metres(path, [(0, 4, 4), (60, 4, 4), (90, 6, 8)]) == [(0, 4, 4), (60, 4, 4), (90, 6, 8)]
    # The first note's beat becomes step 0: two bars and three beats are silent, and what ended before is gone.
    assert midi_metres(path, [(0, 4, 4)], 132) == [(-36, 4, 4)]
    assert midi_metres(path, [(0, 3, 4), (72, 4, 4), (240, 2, 2)], 134) == [(-12, 4, 4), (108, 2, 2)]
    # Before its first signature a song is counted back from it.
    assert midi_metres(path, [(60, 4, 4)]) == [(-36, 4, 4)]


@pytest.mark.parametrize(
    ("bars", "metres"),
    [
        ("M:4/4 | CDEF|GABc|", [(0, 4, 4)]),
        ("M:4/4 | G|CDEF|GABc|", [(-36, 4, 4)]),
        ("M:3/4 | EF|CDE|GAB|", [(-12, 3, 4)]),
        ("M:6/8 | G/|C3/D3/|", [(-30, 6, 8)]),
        # A repeat divides a bar: the song's last bar and its upbeat make one.
        ("M:4/4 | G|CDEF|GAB:|:c|CDEF|GAB:|", [(-36, 4, 4)]),
        # A bar of five quarters: the next ones begin later.
        ("M:4/4 | CDEF|CDEFG|CDEF|CDEF|", [(0, 4, 4), (108, 4, 4)]),
        ("CDEF|CDEF|", None),
    ],
)
def test_metres_of_a_tune(tmp_path: Path, bars: str, metres: list[tuple[int, int, int]] | None) -> None:
    signature, _, tune = bars.rpartition(" | ")
    (tmp_path / "a.abc").write_text(f"X:1\n{signature}\nL:1/4\nK:C\n{tune}\n".replace("\n\n", "\n"))
    assert read_works(tmp_path / "a.abc", 12)[0].metres == (metres or [])


def test_metres_of_the_known_scores() -> None:
    chorales = {score.name: score.path for score in find_scores("music21:bach")[0]}
    for name, metres in {
        "bach-bwv1.6": [(-36, 4, 4)],
        "bach-bwv11.6": [(0, 3, 4)],
        # The choir's upbeats to each part fill the bar before; the trumpets, who rest, have other bars.
        "bach-bwv171.6": [(-36, 4, 4), (1164, 3, 4), (1740, 4, 4)],
    }.items():
        assert read_works(chorales[name], 12)[0].metres == metres
        assert read_works(chorales[name], 24)[0].metres == [(2 * start, *metre) for start, *metre in metres]
    assert [work.metres for work in read_works(SCORES / "book.abc", 12)] == [[(0, 4, 4)], [(0, 2, 4)]]


def test_finer_steps() -> None:
    notes = notes_of(SCORES / "tune.musicxml", 24)
    assert notes[-2:].tolist() == [[3, 8, 79, 8, 52], [3, 16, 78, 8, 52]]


def test_kern() -> None:
    notes = notes_of(SCORES / "duet.krn", 12)
    assert notes.tolist() == [
        [0, 0, 48, 24, 52],
        [0, 0, 72, 24, 52],
        [2, 0, 43, 12, 52],
        [2, 0, 76, 8, 52],
        [2, 8, 66, 4, 52],
        [3, 0, 48, 12, 52],
        [3, 0, 52, 12, 52],
        [3, 0, 67, 12, 52],
    ]


def test_abc_book_with_a_default_program() -> None:
    twinkle, other = (work.notes for work in read_works(SCORES / "book.abc", 12, 40))
    assert twinkle[:, 2].tolist() == [60, 60, 67, 67, 69, 69, 67, 65, 65, 64, 64, 62, 62, 60]
    assert set(twinkle[:, 4]) == {40}
    assert other.tolist() == [
        [0, 0, 66, 12, 40],
        [0, 0, 69, 12, 40],
        [1, 0, 73, 24, 40],
        [3, 0, 74, 4, 40],
        [3, 4, 76, 4, 40],
        [3, 8, 78, 4, 40],
    ]


@pytest.mark.parametrize("name", ["a.musicxml", "a.mxl", "a.krn", "a.abc"])
@pytest.mark.parametrize("data", [b"", b"\x00\xff this is not music"])
def test_what_is_not_a_score_is_an_error_or_empty(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    try:
        works = read_works(tmp_path / name, 12)
    except Exception as error:  # music21 has no one error; ingest takes any
        assert str(error) or type(error).__name__
    else:
        assert all(len(work.notes) == 0 for work in works)


def test_the_part_name_gives_the_program_where_the_score_has_none(tmp_path: Path) -> None:
    text = (SCORES / "tune.musicxml").read_text()
    for name, default, program in (
        ("Tenor 1", None, 52),
        ("Tenor 1", 53, 53),
        ("Tenor Saxophone", None, 66),
        ("Violino II.", None, 40),
        ("Violino II.", 52, 40),
        ("Oboe", None, 68),
        ("Oboe", 52, 52),
        ("xyzzy", None, 0),
    ):
        (tmp_path / "a.xml").write_text(text.replace("<part-name>Soprano<", f"<part-name>{name}<"))
        notes = notes_of(tmp_path / "a.xml", 12, default)
        assert notes[5, 4] == program, name


def test_an_octave_clef_is_not_transposed_twice(tmp_path: Path) -> None:
    text = (SCORES / "tune.musicxml").read_text()
    octave = "<transpose><diatonic>0</diatonic><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    clef = "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
    for attributes, pitch in ((octave, 62), (clef + octave, 74), (clef, 74)):
        (tmp_path / "a.xml").write_text(text.replace(clarinet, attributes))
        notes = notes_of(tmp_path / "a.xml", 12)
        assert notes[(notes[:, 0] == 0) & (notes[:, 4] == 71), 2].tolist() == [pitch]


def test_polyphony_is_a_share_of_sounding_time() -> None:
    melody = np.array([[0, 0, 60, 12, 0], [1, 0, 62, 12, 0], [5, 0, 64, 12, 0]])
    assert polyphony(melody, 12) == 0.0
    assert polyphony(np.concatenate([melody, [[1, 6, 67, 6, 0]]]), 12) == pytest.approx(1 / 6)
    assert polyphony(np.array([[0, 0, 60, 12, 0], [0, 0, 64, 12, 0]]), 12) == 1.0
    assert polyphony(np.zeros((0, 5), np.int64), 12) == 0.0


def test_names_keep_folders_and_tell_files_apart(tmp_path: Path) -> None:
    for name in (
        "b/x.mid",
        "a.krn",
        "a.mid",
        "book.abc",
        "book-1.mid",
        "c d.XML",
        ".hidden.mid",
        ".git/x.mid",
        "readme.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    scores, default = find_scores(str(tmp_path))
    assert default is None
    assert {s.shown: s.name for s in scores} == {
        "a.krn": "a.krn",
        "a.mid": "a.mid",
        "b/x.mid": "b/x",
        "book-1.mid": "book-1",
        "book.abc": "book.abc",
        "c d.XML": "c d",
    }


def test_corpus_songs_are_named_as_in_the_base_model() -> None:
    scores, default = find_scores("music21:bach")
    names = [s.name for s in scores]
    assert default == 52
    assert len(names) == len(set(names)) == 410
    assert {"bach-bwv78.7", "bach-bwv281"} <= set(names)
    assert next(s.path.suffix for s in scores if s.name == "bach-bwv281") == ".mxl"  # there as .krn, too
    assert "k155-movement1" in [s.name for s in find_scores("music21:mozart")[0]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("music21:nobody", "unknown corpus 'nobody' in music21; there are: .*bach, .*palestrina"),
        ("/no/such/place", "no such file or folder: /no/such/place"),
        (str(SCORES / "make_golden.py"), r"make_golden.py is not a score by its suffix; expected one of: .*\.mid"),
    ],
)
def test_wrong_sources(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_scores(source)


def test_a_folder_without_scores(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match="holds no scores"):
        find_scores(str(tmp_path))


@pytest.mark.parametrize("name", ["bach-bwv353", "bach-bwv78.7", "essenFolksong-ballad50-129"])
def test_known_songs_from_the_music21_corpus(name: str) -> None:
    golden = SCORES / "corpus.npz"
    with np.load(golden) as archive:
        expected = archive[name]
    corpus = "bach" if name.startswith("bach") else "essenFolksong"
    stem, _, index = name.rpartition("-") if corpus == "essenFolksong" else (name, "", "0")
    scores, default = find_scores(f"music21:{corpus}")
    works = read_works(next(s.path for s in scores if s.name == stem), 12, default)
    np.testing.assert_array_equal(works[int(index)].notes, expected)
