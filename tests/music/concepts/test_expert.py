"""Expert annotations: a Mozart sonata labelled by hand, a chorale against music21's analysis of it, and bad tables."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import music21
import numpy as np
import pytest
from music.concepts.causality import assert_songs_apart

from music_interpret.errors import InputError
from music_interpret.music.annotations import Annotations
from music_interpret.music.concepts.concept import Concept
from music_interpret.music.concepts.expert import COLUMNS, MAX_VALUES, degree_name, expert_concepts
from music_interpret.music.scores import read_works
from music_interpret.music.songs import Songs

CORPUS = Path(music21.__file__).parent / "corpus"
CHORALE = read_works(CORPUS / "bach" / "bwv269.mxl", 12, 52)[0].notes
# The columns of the DCML corpora's tables, in their order.
HARMONIES = (
    *("mc", "mn", "quarterbeats", "quarterbeats_all_endings", "duration_qb", "mc_onset", "mn_onset", "timesig"),
    *("staff", "voice", "label", "globalkey", "localkey", "pedal", "chord", "numeral", "form", "figbass", "changes"),
    *("relativeroot", "cadence", "phraseend", "chord_type", "globalkey_is_minor", "localkey_is_minor", "chord_tones"),
    *("added_tones", "root", "bass_note"),
)
NOTES = (
    *("mc", "mn", "quarterbeats", "quarterbeats_all_endings", "duration_qb", "mc_onset", "mn_onset", "timesig"),
    *("staff", "voice", "duration", "gracenote", "nominal_duration", "scalar", "tied", "tpc", "midi", "name"),
    *("octave", "chord_id"),
)
# Mozart, K. 545, first movement, bars 1 to 4: quarterbeats, numeral, figured bass, kind, root in fifths.
K545 = [
    ("0", "I", "", "M", "0"),
    ("4", "V", "43", "Mm7", "1"),
    ("6", "I", "", "M", "0"),
    ("8", "IV", "64", "M", "-1"),
    ("10", "I", "", "M", "0"),
    ("12", "V", "65", "Mm7", "1"),
    ("14", "I", "", "M", "0"),
]

Rows = list[dict[str, str]]
TABLE = "harmonies/a.harmonies.tsv"


def write(path: Path, columns: Sequence[str], rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def write_piece(folder: Path, piece: str, harmonies: Rows, notes: Rows | None = None) -> Path:
    """Tables of a piece as the corpora lay them; both times are the same where a row has one of them only."""
    for row in [*harmonies, *(notes or [])]:
        row.setdefault("quarterbeats_all_endings", row["quarterbeats"])
    write(folder / "harmonies" / f"{piece}.harmonies.tsv", HARMONIES, harmonies)
    if notes is not None:
        write(folder / "notes" / f"{piece}.notes.tsv", NOTES, notes)
    return folder


def concepts_of(folder: Path, names: Sequence[str]) -> list[Concept]:
    return expert_concepts(Annotations.read(folder, names, COLUMNS))


def sonata() -> Rows:
    rows = []
    for time, numeral, figures, kind, root in K545:
        row = {"quarterbeats": time, "numeral": numeral, "figbass": figures, "chord_type": kind, "root": root}
        rows.append(row | {"globalkey": "C", "localkey": "I", "chord": numeral + figures})
    rows[0]["phraseend"], rows[-1]["phraseend"] = "{", "}"
    return rows


def chorale_score() -> Any:
    return music21.converter.parse(CORPUS / "bach" / "bwv269.mxl")


def struck(score: Any) -> list[tuple[Fraction, int, Any]]:
    """Onset, pitch and note of a score's notes, but for tied-on ones."""
    found = []
    for note in score.recurse().notes:
        if note.tie is None or note.tie.type == "start":
            onset = Fraction(note.getOffsetInHierarchy(score)).limit_denominator(64)
            found += [(onset, pitch.midi, note) for pitch in note.pitches]
    return found


def analysis() -> list[tuple[Fraction, Any]]:
    """Andrew Jones's analysis of the chorale, which music21 holds as romanText: onsets and Roman numerals."""
    stream = music21.corpus.parse("bach/choraleAnalyses/riemenschneider001.rntxt")
    numerals = stream.recurse().getElementsByClass(music21.roman.RomanNumeral)
    return [(Fraction(found.getOffsetInHierarchy(stream)), found) for found in numerals]


def fermatas() -> set[Fraction]:
    """Onsets of the chorale's notes with a fermata: the ends of its phrases."""
    notes = struck(chorale_score())
    return {time for time, _, note in notes if any(type(x).__name__ == "Fermata" for x in note.expressions)}


def chorale_tables(later: int = 0) -> tuple[Rows, Rows]:
    """That analysis and the score's notes as DCML tables, so many quarters later."""
    kinds = {"major": "M", "minor": "m", "diminished": "o"}
    sevenths = {"dominant seventh chord": "Mm7", "minor seventh chord": "mm7"}
    ends, harmonies = fermatas(), []
    for time, found in analysis():
        applied = "IV" if found.figure == "V7/IV" else ""
        figures = (("7", "65", "43", "2") if found.isSeventh() else ("", "6", "64"))[found.inversion()]
        root = found.root()
        fifths = "FCGDAEB".index(root.step) + 7 * int(root.alter) - "FCGDAEB".index("G")
        row = {"quarterbeats": str(time + later), "globalkey": "G", "localkey": "I", "root": str(fifths)}
        row |= {"numeral": found.romanNumeralAlone, "figbass": figures, "relativeroot": applied}
        row["chord_type"] = sevenths[found.commonName] if found.isSeventh() else kinds[found.quality]
        harmonies.append(row | {"phraseend": "}" if time in ends else ""})
    # The second phrase comes home: V, V7, I in bars 6 and 7.
    next(row for row in harmonies if row["quarterbeats"] == str(19 + later))["cadence"] = "PAC"
    notes = [{"quarterbeats": str(time + later), "midi": str(pitch)} for time, pitch, _ in struck(chorale_score())]
    # What the note array has not: a grace note, and the second half of a tie.
    notes.append({"quarterbeats": "1", "midi": "20", "gracenote": "grace16"})
    notes.append({"quarterbeats": "1", "midi": "21", "tied": "-1"})
    return harmonies, notes


def named(concepts: list[Concept], name: str, songs: Songs) -> list[str]:
    """A concept's value at each note, "yes" for one without values, "" for none."""
    concept = next(concept for concept in concepts if concept.name == f"expert {name}")
    values = concept.values or ("yes",)
    return [values[value] if value >= 0 else "" for value in concept(songs).tolist()]


def test_a_sonata_labelled_by_hand(tmp_path: Path) -> None:
    (path,) = (CORPUS / "mozart" / "k545").glob("movement1_exposition*")
    notes = read_works(path, 12, 0)[0].notes
    notes = notes[notes[:, 0] < 16]
    write_piece(tmp_path, "K545-1", sonata())
    concepts = concepts_of(tmp_path, ["other", "mozart/K545-1"])
    assert [(concept.name, concept.values) for concept in concepts] == [
        ("expert numeral", ("I", "V", "IV")),
        ("expert root", ("1", "5", "4")),
        ("expert chord type", ("major", "dominant seventh")),
        ("expert inversion", ("root position", "second inversion", "first inversion")),
        ("expert local key", ("I",)),
        ("expert global key", ("C major",)),
        ("expert phrase end", ()),
        ("expert phrase start", ()),
    ]
    for concept in concepts:
        assert (concept.group, concept.leakage, concept.many, concept.of) == ("expert", "future", True, "note")
        assert concept.definition and concept.reference
    songs = Songs.of([notes, notes], 12, names=["other", "mozart/K545-1"])
    n, beats = len(notes), notes[:, 0].tolist()
    by_beat = ["I"] * 4 + ["V"] * 2 + ["I"] * 2 + ["IV"] * 2 + ["I"] * 2 + ["V"] * 2 + ["I"] * 2
    assert named(concepts, "numeral", songs) == [""] * n + [by_beat[beat] for beat in beats]
    by_beat = ["root position"] * 4 + ["second inversion"] * 2 + ["root position"] * 2
    by_beat += ["second inversion"] * 2 + ["root position"] * 2 + ["first inversion"] * 2 + ["root position"] * 2
    assert named(concepts, "inversion", songs)[n:] == [by_beat[beat] for beat in beats]
    assert set(named(concepts, "global key", songs)[n:]) == {"C major"}
    starts, ends = named(concepts, "phrase start", songs)[n:], named(concepts, "phrase end", songs)[n:]
    onset = songs.onset[:n].tolist()
    assert [bool(found) for found in starts] == [time == 0 for time in onset] and sum(map(bool, starts)) == 2
    assert [bool(found) for found in ends] == [time == 14 * 12 for time in onset] and sum(map(bool, ends)) == 2
    # The roots that the labels give are in the chords that sound, and so are the basses.
    tonic = {"I": 0, "V": 7, "IV": 5}
    for beat in range(0, 16, 2):
        sounding = {pitch % 12 for when, _, pitch, _, _ in notes.tolist() if when in (beat, beat + 1)}
        numeral = named(concepts, "numeral", songs)[n + beats.index(beat)]
        assert tonic[numeral] in sounding


@pytest.mark.parametrize("later", [0, 2, 30])
def test_a_chorale_is_as_music21_analyses_it(tmp_path: Path, later: int) -> None:
    """Also where the table's first bar begins before the song's; every note of bwv269, from romanText."""
    write_piece(tmp_path, "bwv269", *chorale_tables(later))
    concepts = concepts_of(tmp_path, ["bwv269"])
    songs = Songs.of([CHORALE], 12, names=["bwv269"])
    numerals, theirs = analysis(), {}
    for time, pitch, _ in struck(chorale_score()):
        theirs[int(time * 12), pitch] = [found for when, found in numerals if when <= time][-1]
    found = [theirs[note] for note in zip(songs.onset.tolist(), songs.pitch.tolist(), strict=True)]
    semitones = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11}
    roots = [semitones[degree] for degree in named(concepts, "root", songs)]
    assert roots == [(rn.root().pitchClass - 7) % 12 for rn in found]
    inversions = ["root position", "first inversion", "second inversion", "third inversion"]
    assert named(concepts, "inversion", songs) == [inversions[rn.inversion()] for rn in found]
    kinds = [name.split()[0] for name in named(concepts, "chord type", songs)]
    assert kinds == ["dominant" if rn.isDominantSeventh() else rn.quality for rn in found]
    assert named(concepts, "relative root", songs) == ["IV" if rn.figure == "V7/IV" else "" for rn in found]
    assert named(concepts, "global key", songs) == ["G major"] * len(CHORALE)
    held = {int(time * 12) for time in fermatas()}
    assert held <= {int(time * 12) for time, _ in numerals} and len(held) == 6
    assert named(concepts, "phrase end", songs) == ["yes" if onset in held else "" for onset in songs.onset.tolist()]
    home = ["perfect authentic" if onset == 19 * 12 else "" for onset in songs.onset.tolist()]
    assert named(concepts, "cadence", songs) == home and any(home)


def test_songs_do_not_depend_on_each_other(tmp_path: Path) -> None:
    write_piece(tmp_path, "1", *chorale_tables())
    write_piece(tmp_path, "0", *chorale_tables(5))
    empty = np.zeros((0, 5), np.int64)
    concepts = concepts_of(tmp_path, ["0", "1", "2"])
    songs = [CHORALE, CHORALE, CHORALE, empty]
    together = Songs.of(songs, 12)
    for concept in concepts:
        alone = [concept(Songs.of([notes], 12, names=[str(i)])) for i, notes in enumerate(songs)]
        assert np.array_equal(concept(together), np.concatenate(alone)), concept.name
        assert (alone[2] == -1).all() and np.array_equal(alone[0], alone[1])
        assert len(concept(Songs.of([], 12))) == 0
    assert_songs_apart(concepts, [CHORALE])
    # Cut where the model stops reading, and one note.
    half = CHORALE[: len(CHORALE) // 2]
    for concept in concepts:
        assert np.array_equal(concept(Songs.of([half], 12)), concept(Songs.of([CHORALE], 12))[: len(half)])
        assert np.array_equal(concept(Songs.of([CHORALE[:1]], 12)), concept(Songs.of([CHORALE], 12))[:1])


def test_labels_hold_until_the_next_harmony(tmp_path: Path) -> None:
    """Signs alone change nothing, "@none" ends the harmony but not the key; before the first label there is nothing."""
    key = {"globalkey": "eb", "localkey": "i"}
    rows: Rows = [
        key | {"quarterbeats": "1", "numeral": "i", "chord_type": "m", "root": "0", "pedal": "i"},
        key | {"quarterbeats": "3/2", "phraseend": "\\\\", "cadence": "HC"},
        key | {"quarterbeats": "2", "numeral": "@none", "chord_type": "m"},
        key
        | {
            "quarterbeats": "3",
            "numeral": "vii",
            "chord_type": "%7",
            "root": "5.0",
            "relativeroot": "V/iv",
            "figbass": "9",
        },
        key | {"quarterbeats": "", "numeral": "bII", "chord_type": "M", "root": "-5"},
    ]
    write_piece(tmp_path, "a", rows)
    concepts = concepts_of(tmp_path, ["a"])
    times = [0, 12, 18, 24, 36, 480]
    songs = Songs.of([np.array([[time // 12, time % 12, 60, 12, 0] for time in times])], 12, names=["a"])
    assert named(concepts, "numeral", songs) == ["", "i", "i", "", "vii", "vii"]
    assert named(concepts, "root", songs) == ["", "1", "1", "", "7", "7"]
    assert named(concepts, "chord type", songs) == ["", "minor", "minor", "", *["half-diminished seventh"] * 2]
    assert named(concepts, "inversion", songs) == ["", "root position", "root position", "", "", ""]
    assert named(concepts, "relative root", songs) == ["", "", "", "", "V/iv", "V/iv"]
    assert named(concepts, "global key", songs) == ["", *["E♭ minor"] * 5]
    assert named(concepts, "pedal", songs) == ["", "i", "i", "", "", ""]
    assert named(concepts, "cadence", songs) == ["", "", "half", "", "", ""]
    assert [bool(x) for x in named(concepts, "phrase end", songs)] == [time == 18 for time in times]
    assert "expert phrase start" not in [concept.name for concept in concepts]


def test_the_kind_of_time_is_the_one_that_agrees(tmp_path: Path) -> None:
    """A song with the second ending only has `quarterbeats`, one as written has `quarterbeats_all_endings`."""
    times = [("0", "0"), ("1", "1"), ("", "2"), ("", "3"), ("2", "4"), ("3", "5")]
    pitches = [60, 64, 67, 60, 62, 65]
    notes: Rows = [
        {"quarterbeats": once, "quarterbeats_all_endings": written, "midi": str(pitch)}
        for (once, written), pitch in zip(times, pitches, strict=True)
    ]
    rows: Rows = [
        {
            "quarterbeats": once,
            "quarterbeats_all_endings": written,
            "numeral": numeral,
            "globalkey": "C",
            "localkey": "I",
        }
        for (once, written), numeral in zip(times, ("I", "ii", "iii", "IV", "V", "vi"), strict=True)
    ]
    write_piece(tmp_path, "a", rows, notes)
    concepts = concepts_of(tmp_path, ["a"])
    written = Songs.of([np.array([[i, 0, pitch, 12, 0] for i, pitch in enumerate(pitches)])], 12, names=["a"])
    assert named(concepts, "numeral", written) == ["I", "ii", "iii", "IV", "V", "vi"]
    once = Songs.of([np.array([[i, 0, pitch, 12, 0] for i, pitch in enumerate([60, 64, 62, 65])])], 12, names=["a"])
    assert named(concepts, "numeral", once) == ["I", "ii", "V", "vi"]


@pytest.mark.parametrize("sign", [{"gracenote": "grace16"}, {"tied": "-1"}, {"tied": "0"}])
def test_only_struck_notes_say_where_the_song_lies(tmp_path: Path, sign: dict[str, str]) -> None:
    """Two beats before the song's only note the table has one of the same pitch that scores do not play."""
    notes: Rows = [sign | {"quarterbeats": "0", "midi": "60"}, {"quarterbeats": "2", "midi": "60", "tied": "1"}]
    rows: Rows = [{"quarterbeats": "0", "numeral": "V"}, {"quarterbeats": "2", "numeral": "I"}]
    concepts = concepts_of(write_piece(tmp_path, "a", rows, notes), ["a"])
    assert named(concepts, "numeral", Songs.of([np.array([[0, 0, 60, 12, 0]])], 12, names=["a"])) == ["I"]


def test_triplets_are_snapped_like_the_notes(tmp_path: Path) -> None:
    rows: Rows = [
        {"quarterbeats": str(Fraction(i, 3)), "numeral": "IVX"[i % 3], "globalkey": "C", "localkey": "I"}
        for i in range(6)
    ]
    write_piece(tmp_path, "a", rows)
    concepts = concepts_of(tmp_path, ["a"])
    for resolution in (12, 24):
        third = resolution // 3
        notes = np.array([[i // 3, i % 3 * third, 60, 1, 0] for i in range(6)])
        assert named(concepts, "numeral", Songs.of([notes], resolution, names=["a"])) == list("IVXIVX")


def test_the_most_frequent_values_are_kept(tmp_path: Path) -> None:
    rows: Rows = []
    for i in range(MAX_VALUES + 5):
        repeats = 3 if i == 44 else 2 if i in (7, 3) else 1
        rows += [{"quarterbeats": str(len(rows) + j), "numeral": f"N{i:02}"} for j in range(repeats)]
    write_piece(tmp_path, "a", rows)
    (concept,) = [found for found in concepts_of(tmp_path, ["a"]) if found.name == "expert numeral"]
    assert len(concept.values) == MAX_VALUES and concept.values[:5] == ("N44", "N03", "N07", "N00", "N01")
    songs = Songs.of([np.array([[beat, 0, 60, 1, 0] for beat in range(len(rows))])], 12, names=["a"])
    theirs = [concept.values.index(row["numeral"]) if row["numeral"] in concept.values else -1 for row in rows]
    assert concept(songs).tolist() == theirs and theirs.count(-1) == 5


def test_degrees_are_counted_on_the_major_scale() -> None:
    """By music21's intervals above C, from the double-flat fourth to the sharpest seventh that labels have."""
    for fifths in range(-10, 16):
        above = music21.interval.Interval("p5")
        pitch = music21.pitch.Pitch("C4")
        for _ in range(abs(fifths)):
            pitch = (above if fifths > 0 else above.reverse()).transposePitch(pitch, maxAccidental=None)
        alter = int(pitch.accidental.alter) if pitch.accidental else 0
        assert degree_name(fifths) == ("♯" * alter or "♭" * -alter) + str("CDEFGAB".index(pitch.step) + 1), fifths


def test_other_music_has_no_values(tmp_path: Path) -> None:
    write_piece(tmp_path, "a", *chorale_tables())
    (concept,) = [found for found in concepts_of(tmp_path, ["a"]) if found.name == "expert numeral"]
    other = read_works(CORPUS / "bach" / "bwv66.6.mxl", 12, 52)[0].notes
    for notes in (other, CHORALE + [0, 0, 1, 0, 0]):
        assert (concept(Songs.of([notes], 12, names=["a"])) == -1).all()
    # The same notes in nine tenths of the song are enough.
    mixed = CHORALE.copy()
    mixed[::10, 2] += 1
    assert (concept(Songs.of([mixed], 12, names=["a"])) >= 0).mean() > 0.95


def test_cadences_of_a_repeat_that_is_played_out(tmp_path: Path) -> None:
    """Ten bars of the chorale and then all of it: the labels of these bars are there twice."""
    write_piece(tmp_path, "a", *chorale_tables())
    concepts = concepts_of(tmp_path, ["a"])
    once = Songs.of([CHORALE], 12, names=["a"])
    first = CHORALE[CHORALE[:, 0] < 30]
    twice = Songs.of([np.concatenate([first, CHORALE + [30, 0, 0, 0, 0]])], 12, names=["a"])
    for concept in concepts:
        values = concept(once)
        assert np.array_equal(concept(twice), np.concatenate([values[: len(first)], values])), concept.name


def change(column: str, text: str, table: str = "harmonies") -> Callable[[Path], None]:
    """Write something into the first row of a table."""

    def apply(folder: Path) -> None:
        (path,) = (folder / table).iterdir()
        header, first, *rest = [line.split("\t") for line in path.read_text().splitlines()]
        first[header.index(column)] = text
        path.write_text("\n".join("\t".join(line) for line in [header, first, *rest]))

    return apply


def rewrite(old: str, new: str, table: str = "harmonies") -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (path,) = (folder / table).iterdir()
        path.write_text(path.read_text().replace(old, new))

    return apply


def both(folder: Path) -> None:
    write(folder / "more" / "a.harmonies.tsv", HARMONIES, sonata())


def other_times(folder: Path) -> None:
    rewrite("quarterbeats_all_endings", "beats")(folder)
    write(folder / "notes" / "a.notes.tsv", ["quarterbeats_all_endings", "midi"], [{"midi": "60"}])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change("quarterbeats", "one"), "row 0: quarterbeats is 'one'; expected a number"),
        (change("quarterbeats", "1/0"), "row 0: quarterbeats divides by 0"),
        (change("quarterbeats", "inf"), "row 0: quarterbeats is 'inf'"),
        (change("quarterbeats", "3/x", "notes"), "row 0: quarterbeats is 'x'"),
        (change("midi", "C4", "notes"), "row 0: midi is 'C4'; expected a number"),
        (change("midi", "128", "notes"), "row 0: midi is 128; expected a whole number from 0 to 127"),
        (change("midi", "60.5", "notes"), "row 0: midi is 60.5; expected a whole number"),
        (change("root", "V"), "root in .* is 'V'; expected a whole number of fifths"),
        (change("root", "0.5"), "root in .* is '0.5'"),
        (change("globalkey", "H"), "globalkey in .* is 'H'; expected a note's name"),
        (rewrite("\tnumeral\t", "\tnumber\t"), "has no column numeral; expected"),
        (rewrite("quarterbeats", "beats"), "has no column quarterbeats; expected"),
        (rewrite("\tmidi\t", "\tpitch\t", "notes"), "has no column midi"),
        (change("voice", "1\t2"), "row 0: 30 fields; expected 29"),
        (lambda folder: write(folder / TABLE, HARMONIES, []), "has no rows"),
        (lambda folder: (folder / TABLE).write_bytes(b""), "has no column quarterbeats"),
        (lambda folder: (folder / TABLE).write_bytes(b"\xff\xfe"), "is not a readable table"),
        (lambda folder: (folder / TABLE).rename(folder / "x.harmonies.tsv"), "has a song's name"),
        (lambda folder: (folder / TABLE).rename(folder / "a.tsv"), "has no annotation tables"),
        (both, "song 'a' has two annotation tables"),
        (other_times, "have no column of times in common"),
    ],
)
def test_damaged_tables_are_told_in_one_line(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    notes: Rows = [{"quarterbeats": "0", "midi": "60"}]
    write_piece(tmp_path, "a", sonata(), notes)
    songs = Songs.of([np.array([[0, 0, 60, 12, 0]])], 12, names=["a"])
    assert named(concepts_of(tmp_path, ["a"]), "numeral", songs) == ["I"]
    spoil(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        concepts_of(tmp_path, ["a"])[0](songs)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing annotation folder"):
        concepts_of(tmp_path / "none", ["a"])
    write_piece(tmp_path, "A", sonata())
    with pytest.raises(InputError, match=r"has a song's name; expected names of songs, such as a\.harmonies\.tsv"):
        concepts_of(tmp_path, ["x/a"])
