"""The ABC reader, against values worked out by hand from the ABC standard 2.1 (§: its sections)."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.music.formats.abc import book as abc
from music_interpret.music.formats.abc.fields import key_signature, metre, part_order
from music_interpret.music.formats.written import NO_SPELLING, Bar, BrokenPiece, BrokenScore, Instrument, WrittenScore

CASES = Path(__file__).parents[2] / "fixtures" / "score_cases"
EXPECTED = json.loads((CASES / "expected_abc.json").read_text(encoding="utf-8"))


def book(tmp_path: Path, text: str | bytes) -> list[WrittenScore | BrokenPiece]:
    path = tmp_path / "book.abc"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return abc.read(path)


def joined(score: WrittenScore) -> list[tuple[Fraction, int, Fraction]]:
    """(Onset, pitch, duration) in quarter notes, ties joined, sorted."""
    found: list[list[int]] = []
    waiting: dict[tuple[int, int, int], list[int]] = {}
    for onset, end, pitch, _, part, _, on, back in sorted(np.asarray(score.notes).tolist()):
        note = waiting.pop((part, pitch, onset), None) if back else None
        if note is None:
            found.append(note := [onset, end, pitch])
        note[1] = end
        if on:
            waiting[part, pitch, end] = note
    return sorted((Fraction(a, score.ticks), p, Fraction(b - a, score.ticks)) for a, b, p in found)


def tune(tmp_path: Path, body: str, header: str = "", key: str = "C") -> WrittenScore:
    """The one tune of a body, in 4/4 with quarter notes as units unless the header says otherwise."""
    (score,) = book(tmp_path, f"X:1\nT:t\nM:4/4\nL:1/4\n{header}K:{key}\n{body}\n")
    assert isinstance(score, WrittenScore), score
    assert score.note_tokens in (None, len(score.notes) + sum(score.left_out.values()))
    return score


def pitches(score: WrittenScore) -> list[int]:
    return [pitch for _, pitch, _ in joined(score)]


def beats(score: WrittenScore) -> list[str]:
    """ "onset+duration" of each note."""
    return [f"{onset}+{duration}" for onset, _, duration in joined(score)]


def spans(score: WrittenScore) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(bar.start, score.ticks), Fraction(bar.end, score.ticks)) for bar in score.bars]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_score_cases(name: str) -> None:
    read = abc.read(CASES / name)
    scores = [score for score in read if isinstance(score, WrittenScore)]
    assert len(scores) == len(EXPECTED[name]["songs"])
    assert len(read) - len(scores) == EXPECTED[name].get("broken", 0)
    for score, song in zip(scores, EXPECTED[name]["songs"], strict=True):
        notes = joined(score)
        first = notes[0][0] // 1
        assert [[12 * (onset - first), pitch, 12 * length] for onset, pitch, length in notes] == song["notes"]
        assert score.note_tokens in (None, len(score.notes) + sum(score.left_out.values()))
        if "programs" in song:
            assert {score.instruments[row[5]].program for row in score.notes} == set(song["programs"])


class TestBook:
    def test_title_and_reason_of_a_broken_tune(self, tmp_path: Path) -> None:
        first, second = book(tmp_path, "X:1\nT:Good\nK:C\nC|\n\nX:2\nT:Broken Gate % a comment\nK:C\n[CE G|\n")
        assert isinstance(first, WrittenScore) and first.title == "X:1 Good"
        assert second == BrokenPiece(title="X:2 Broken Gate", reason="a chord or field has no closing ]")

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ('"Am C D E|', "text"),
            ("{CD E|", "grace notes"),
            ("C0 D|", "length 0"),
            ("C/0 D|", "length /0"),
            ("C9999999|", "digits"),
            ("C,,,,,,|", "pitch"),
            ("[K:G C|", "closing ]"),
            ("L:x\nC|", "unit note length"),
            ("Z9999|", "bars"),
            ("(3:2C (5:3D (7:2E (11:2F (13:2G (17:2A (19:2B (23:2c (29:2d|", "parts"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, tmp_path: Path, body: str, reason: str) -> None:
        (broken,) = book(tmp_path, f"X:1\nT:t\nK:C\n{body}\n")
        assert isinstance(broken, BrokenPiece) and reason in broken.reason

    @pytest.mark.parametrize("text", [b"", b"\n \n", b"some text\n", b"\x00\xff\xfe\x80"])
    def test_no_tune(self, tmp_path: Path, text: bytes) -> None:
        with pytest.raises(BrokenScore, match="no line begins with X:|the file is empty"):
            book(tmp_path, text)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_encodings_and_line_ends(self, tmp_path: Path, encoding: str, end: str) -> None:
        text = end.join(["X:1", "T:Café Möbel", "K:C", "C|", "", "X:2", "K:C", "D|"])
        first, second = book(tmp_path, text.encode(encoding))
        assert isinstance(first, WrittenScore) and first.title == "X:1 Café Möbel"
        assert isinstance(second, WrittenScore) and pitches(second) == [62]

    def test_next_line_of_latin_1_ends_no_line(self, tmp_path: Path) -> None:
        (score,) = book(tmp_path, b"X:1\nT:a\x85b\nK:C\nC|")
        assert score.title == "X:1 a\x85b"

    def test_text_blocks_and_text_are_no_tunes(self, tmp_path: Path) -> None:
        read = book(
            tmp_path,
            "%abc-2.1\n%%begintext\nX:9\nK:C\nabc\n\n%%endtext\n\nX:1\nK:C\nC|\n\nA B c|\n\nX:2\nK:C\n"
            "%%text abc\n% comment\nD|% E F\n",
        )
        assert [score.title for score in read] == ["X:1", "X:2"]
        assert [pitches(score) for score in read] == [[60], [62]]

    def test_a_text_block_that_never_ends_takes_nothing_with_it(self, tmp_path: Path) -> None:
        assert len(book(tmp_path, "X:1\nK:C\nC|\n\n%%begintext\nabc\n\nX:2\nK:C\nD|")) == 2

    def test_tunes_without_an_empty_line_between(self, tmp_path: Path) -> None:
        read = book(tmp_path, "X:1\nK:C\nC|\nX:2\nK:C\nD|\n")
        assert [pitches(score) for score in read] == [[60], [62]]

    def test_file_header_holds_for_all(self, tmp_path: Path) -> None:
        header = "%abc-2.1\n\nM:2/4\nL:1/2\nm:~c = d\n%%MIDI program 3\n\n"
        first, second = book(tmp_path, header + "X:1\nK:C\n~c|\n\nX:2\nL:1/4\n%%MIDI program 4\nK:C\nc|")
        assert (beats(first), pitches(first), beats(second)) == (["0+2"], [74], ["0+1"])
        assert [s.instruments[0].program for s in (first, second)] == [3, 4]

    def test_free_text_is_no_file_header(self, tmp_path: Path) -> None:
        (score,) = book(tmp_path, "L:1/2\nis what I like.\n\nX:1\nM:4/4\nK:C\nC|")
        assert beats(score) == ["0+1/2"]

    def test_a_tune_without_music_or_without_key(self, tmp_path: Path) -> None:
        first, second, third = book(tmp_path, "X:1\nT:a\nK:C\n\nX:2\nT:b\n\nX:3\nT:c\nL:1/4\nH:words | and\nCD|EF|\n")
        assert len(first.notes) == len(second.notes) == 0
        assert first.bars == []

    def test_a_file_without_x(self, tmp_path: Path) -> None:
        (score,) = book(tmp_path, "T:a\nL:1/4\nK:G\nF|")
        assert pitches(score) == [66]

    def test_continued_field(self, tmp_path: Path) -> None:
        (score,) = book(tmp_path, "X:1\nT:The long\n+: title\nK:C\nC|\nw: la\n+: CDE|\n")
        assert (score.title, pitches(score)) == ("X:1 The long  title", [60])


class TestFields:
    @pytest.mark.parametrize(
        ("text", "sharps"),
        [
            ("C", 0), ("Cb", -7), ("C#", 7), ("F#m", 3), ("A minor", 0), ("G#MIN", 5), ("Ddor", 0), ("D DORIAN", 0),
            ("EPhr", 0), ("FLydian", 0), ("Gmix", 0), ("Bloc", 0), ("Bb Mixolydian", -3), ("Ebaeo", -6), ("Cion", 0),
            ("E♭", -3), ("A clef=bass", 3), ("Am transpose=-2", 0), ("Dmaj bass", 2), ("none", 0), ("", 0), ("EM", 1),
            ("am", 0), ("A mixed", 2), ("G octave=-1", 1), ("F major % note", -1), ("A alto", 3), ("Bm middle=d", 2),
        ],
    )  # fmt: skip
    def test_keys(self, text: str, sharps: int) -> None:
        order = [3, 0, 4, 1, 5, 2, 6]  # F C G D A E B among C D E F G A B
        altered = {order[i]: 1 for i in range(sharps)} | {order[6 - i]: -1 for i in range(-sharps)}
        assert key_signature(text) == tuple(altered.get(letter, 0) for letter in range(7))

    @pytest.mark.parametrize(
        ("text", "altered"),
        [
            ("D =c", {"F": 1}), ("D Phr ^f", {"E": -1, "B": -1, "F": 1}), ("^f", {"F": 1}),
            ("Ebminor=e^c", {"B": -1, "A": -1, "D": -1, "G": -1, "C": 1}), ("C __b ^^F", {"B": -2, "F": 2}),
            ("HP", {"F": 1, "C": 1}), ("Hp", {"F": 1, "C": 1}), ("none ^f", {"F": 1}),
            ("D exp _b _e ^f", {"E": -1, "B": -1, "F": 1}),
        ],
    )  # fmt: skip
    def test_added_accidentals(self, text: str, altered: dict[str, int]) -> None:
        assert key_signature(text) == tuple(altered.get(letter, 0) for letter in "CDEFGAB")

    @pytest.mark.parametrize("text", ["bass", "clef=alto", "treble-8", "perc stafflines=1", "octave=1", "clef=G2"])
    def test_a_clef_is_no_key(self, tmp_path: Path, text: str) -> None:
        assert key_signature(text) is None
        assert {pitch % 12 for pitch in pitches(tune(tmp_path, f"F [K:{text}] F", key="G"))} <= {6}

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("C", (4, 4)), ("C|", (2, 2)), ("6/8", (6, 8)), ("2+3/8", (5, 8)), ("(2 + 3 + 2)/8", (7, 8)),
            ("none", None), ("2/4+3/8", (7, 8)), ("", None), ("free", None), ("0/4", None), ("4/4 % four", (4, 4)),
        ],
    )  # fmt: skip
    def test_metres(self, text: str, value: tuple[int, int] | None) -> None:
        assert metre(text) == value

    @pytest.mark.parametrize(
        ("fields", "length"),
        [
            ("M:4/4", "1/2"), ("M:2/4", "1/4"), ("M:3/4", "1/2"), ("M:6/8", "1/2"), ("M:5/8", "1/4"), ("M:C|", "1/2"),
            ("M:none", "1/2"), ("", "1/2"), ("L:1/4", "1"), ("L:1", "4"), ("L: 3/8", "3/2"), ("M:2+1/8", "1/4"),
        ],
    )  # fmt: skip
    def test_unit_length(self, tmp_path: Path, fields: str, length: str) -> None:
        (score,) = book(tmp_path, f"X:1\n{fields and fields + chr(10)}K:C\nC|\n")
        assert beats(score) == [f"0+{length}"]

    def test_a_metre_in_the_body_keeps_the_unit(self, tmp_path: Path) -> None:
        (score,) = book(tmp_path, "X:1\nM:4/4\nK:C\nC|\nM:2/4\nC|[M:3/8][L:1/16]C|\n")
        assert beats(score) == ["0+1/2", "1/2+1/2", "1+1/4"]
        assert [bar.metre for bar in score.bars] == [(4, 4), (2, 4), (3, 8)]

    @pytest.mark.parametrize(
        ("key", "pitch"),
        [
            ("C treble-8", 48), ("C clef=treble+8", 72), ("C treble8", 60), ("C octave=-1", 48),
            ("C bass middle=d", 60),
            ("C transpose=-2", 58), ("C t=3", 63), ("C bass+8 octave=-1", 60), ("C clef=bass-15", 36),
        ],
    )  # fmt: skip
    def test_transposition(self, tmp_path: Path, key: str, pitch: int) -> None:
        assert pitches(tune(tmp_path, "C", key=key)) == [pitch]

    def test_a_new_key_keeps_the_clef_and_a_new_clef_the_key(self, tmp_path: Path) -> None:
        assert pitches(tune(tmp_path, "F [K:D] F [K:treble] F", key="G treble-8")) == [54, 54, 66]

    @pytest.mark.parametrize(
        ("line", "sounding"),
        [
            ("A: someone", []), ("Z:D E F", []), ("C:Trad.", []), ("c:|", [72]), ("c::", [72]), ("C:|", [60]),
            ("B::B", [71, 71]), ("T:A B C", []), ("N: abc", []), ("w: c d e", []), ("W:abc", []), ("s: !f! *", []),
            ("J:abc", []), ("r:abc", []), (" w: abc", []), ("Q:1/4=80", []), ("H:abc", []), ("I:abc def", []),
            ("%%abc c", []), ("% abc", []),
        ],
    )  # fmt: skip
    def test_field_or_music(self, tmp_path: Path, line: str, sounding: list[int]) -> None:
        assert pitches(tune(tmp_path, f"{line}\n")) == sounding

    def test_part_order(self) -> None:
        assert "".join(part_order("((AB)3.(CD)3)2")) == "ABABABCDCDCD" * 2
        assert "".join(part_order("A2B.(A)2 C")) == "AABAAC"
        assert part_order("") == []
        with pytest.raises(BrokenScore, match="parts"):
            part_order("(" * 5 + "A" + "99)" * 5 + "99")


class TestPitch:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("C,, C, C c c' c'' c,", [36, 48, 60, 72, 84, 96, 60]),
            ("^C ^^C _D __D =E", [61, 62, 61, 60, 64]),
            ("^c c C c|c", [73, 73, 61, 73, 72]),
            ("^c _c c|c", [73, 71, 71, 72]),
            ("^f [K:C] f", [78, 77]),
            ("{^f}g f|f", [79, 77, 77]),
            ("^/c ^3/2c _/c _3/4c ^1/4c", [72, 73, 72, 71, 72]),
            ("^c2- c2|c", [73, 72]),
            ("^c4-|c2 c2", [73, 72]),
            ("^c-|c-|c c", [73, 72]),
            ("[^ce]4-|[ce]2 [ce]2", [73, 76, 72, 76]),
            ("^c2-_d2", [73]),
            ("^c2-=c2", [73, 72]),
            ("^c .| c", [73, 72]),
        ],
    )
    def test_accidentals(self, tmp_path: Path, body: str, expected: list[int]) -> None:
        score = tune(tmp_path, body)
        assert [pitch for _, pitch, _ in sorted(joined(score), key=lambda note: note[0])] == expected

    @pytest.mark.parametrize(
        ("directive", "expected"),
        [("not", [78, 77, 65, 77]), ("octave", [78, 78, 65, 77]), ("pitch", [78, 78, 66, 77])],
    )
    def test_how_far_accidentals_hold(self, tmp_path: Path, directive: str, expected: list[int]) -> None:
        assert pitches(tune(tmp_path, "^f f F|f", f"%%propagate-accidentals {directive}\n")) == expected
        assert pitches(tune(tmp_path, f"I:propagate-accidentals {directive}\n^f f F|f")) == expected

    def test_spelling(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "C G F _B ^F __E")
        assert [row[3] for row in score.notes] == [0, 1, -1, -2, 6, -10]
        score = tune(tmp_path, "C E", key="C transpose=-2")  # B flat, D
        assert [(row[2], row[3]) for row in score.notes] == [(58, -2), (62, 2)]


class TestTime:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("C2 D/ E// F/2 G3/2 A3// B/4", "0+2 2+1/2 5/2+1/4 11/4+1/2 13/4+3/2 19/4+3/4 11/2+1/4"),
            ("C>D E<F G>>A B<<<c", "0+3/2 3/2+1/2 2+1/2 5/2+3/2 4+7/4 23/4+1/4 6+1/8 49/8+15/8"),
            ("C > D", "0+3/2 3/2+1/2"),
            ("C>\nD", "0+3/2 3/2+1/2"),
            ("[CE]>[DF]", "0+3/2 0+3/2 3/2+1/2 3/2+1/2"),
            ("C>{e}D E{g}<F", "0+3/2 3/2+1/2 2+1/2 5/2+3/2"),
            ("C>D-D2", "0+3/2 3/2+5/2"),
            ("C>z D", "0+3/2 2+1"),
            ("(3CDE F", "0+2/3 2/3+2/3 4/3+2/3 2+1"),
            ("(2CD (4CDEF", "0+3/2 3/2+3/2 3+3/4 15/4+3/4 9/2+3/4 21/4+3/4"),
            ("(3:2:2 C2D4", "0+4/3 4/3+8/3"),
            ("(3::2 CD E", "0+2/3 2/3+2/3 4/3+1"),
            ("(3 C z [EG]", "0+2/3 4/3+2/3 4/3+2/3"),
            ("(5CDEFG", "0+2/5 2/5+2/5 4/5+2/5 6/5+2/5 8/5+2/5"),
            ("[M:6/8](5CDEFG", "0+3/5 3/5+3/5 6/5+3/5 9/5+3/5 12/5+3/5"),
            ("(C D) (3(EFG)", "0+1 1+1 2+2/3 8/3+2/3 10/3+2/3"),
            ("(13:11:1C D", "0+11/13 11/13+1"),
            ("C z D x2 E y F y2 G", "0+1 2+1 5+1 6+1 7+1"),
            ("C4|Z|D4|X2|E4", "0+4 8+4 20+4"),
            ("[M:3/4]C3|Z2|D3", "0+3 9+3"),
            ("[CEG]2 [C2E2]/ [C2E]2 D", "0+2 0+2 0+2 2+1 2+1 3+4 3+4 7+1"),
            ("[ C E ]D", "0+1 0+1 1+1"),
            ("[!1!C\"x\"!3!E]D", "0+1 0+1 1+1"),
            ("[C-E]C D", "0+2 0+1 2+1"),
            ("C-C-|C D", "0+3 3+1"),
            ("C -C", "0+2"),
            ("C.-C", "0+2"),
            ("C- z C", "0+1 2+1"),
            ("C-D C", "0+1 1+1 2+1"),
            ("(C C) C", "0+1 1+1 2+1"),
            ("C`D``E * $ ! @ # ; ? F", "0+1 1+1 2+1 3+1"),
            ("C ] D ) E } F", "0+1 1+1 2+1 3+1"),
        ],
    )  # fmt: skip
    def test_lengths(self, tmp_path: Path, body: str, expected: str) -> None:
        assert beats(tune(tmp_path, body)) == expected.split()

    def test_decorations_texts_and_remarks_are_no_notes(self, tmp_path: Path) -> None:
        body = (
            '"Am"C "^ab c"D !trill!E +fermata+F !a.b!G .A ~B HcTd uevf|[r: abc]g [I:abc d]a !D.C. al fine!b\n'
            '!breath! C !ff!! D !fermat:a! E %abc\nLMO PS F'
        )  # fmt: skip
        assert len(tune(tmp_path, body).notes) == 18

    def test_line_breaks_of_abc2win_and_continuations(self, tmp_path: Path) -> None:
        assert len(tune(tmp_path, "CDEF!GABc|!\nCD EF!|\\\nG\\\nM:3/4\nA[C\nE]").notes) == 16

    def test_grace_notes_are_counted(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "{cd}C {/e}D {[fg]}E")
        assert (len(score.notes), score.left_out) == (3, {"grace notes": 5})

    def test_overlays(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "C4|c4 & E2 G2 & ^e4|e4|\n")
        assert beats(score) == ["0+4", "4+2", "4+4", "4+4", "6+2", "8+4"]
        assert [row[2] for row in score.notes][-1] == 76
        assert beats(tune(tmp_path, "c4 & C2|d4")) == ["0+2", "0+4", "4+4"]
        assert beats(tune(tmp_path, "g4 f4|e6 e2|\n&& (d8|c6) c2|C4", "M:C\n")) == [
            "0+8", "0+4", "4+4", "8+6", "8+6", "14+2", "14+2", "16+4",
        ]  # fmt: skip
        assert beats(tune(tmp_path, "c4 &\\\nC4|d4")) == ["0+4", "0+4", "4+4"]

    def test_macros(self, tmp_path: Path) -> None:
        assert pitches(tune(tmp_path, "~G2 ~G3 G2", "m:~G2 = G{A}G\n")) == [67, 67, 67, 67]
        score = tune(tmp_path, "~c2 ~B,2 ~c3", "m: ~n2 = (3o/n/m/ n\n")
        assert pitches(score) == [74, 72, 71, 72, 60, 59, 57, 59, 72]
        assert score.note_tokens is None
        assert len(tune(tmp_path, '"~G2"~G2', "m:~G2 = GGG\n").notes) == 3

    def test_macros_that_grow_are_refused(self, tmp_path: Path) -> None:
        (broken,) = book(tmp_path, "X:1\nm:a = " + "b" * 1000 + "\nK:C\n" + "a " * 2000 + "|\n")
        assert isinstance(broken, BrokenPiece) and "expand" in broken.reason
        (broken,) = book(tmp_path, "X:1\n" + "".join(f"m:~{i}=c\n" for i in range(101)) + "K:C\nc|\n")
        assert isinstance(broken, BrokenPiece) and "more than 100 macros" in broken.reason


class TestVoices:
    def test_voices_in_lines_and_brackets(self, tmp_path: Path) -> None:
        score = tune(
            tmp_path,
            "V:S\nc4|d4|\nV:B\nC,4|D,4|\n[V:S]e4|[V:B]E,4|",
            'V:S name="Violin" clef=treble\nV:B nm="Cello I" clef=bass octave=-1\n',
        )
        assert joined(score)[-2:] == [(8, 40, 4), (8, 76, 4)]
        assert [(row[2], row[4]) for row in score.notes] == [(72, 0), (74, 0), (76, 0), (36, 1), (38, 1), (40, 1)]
        assert score.instruments == [Instrument("Violin"), Instrument("Cello I")]

    def test_each_voice_has_its_own_key_length_and_accidentals(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "V:1\n[K:G][L:1/2]^c F|V:1\n\nV:2\nF c|[V:1]F[V:2]F\n".replace("V:1\n\n", "\n"))
        assert [(row[2], row[4]) for row in score.notes] == [(73, 0), (66, 0), (66, 0), (65, 1), (72, 1), (65, 1)]
        assert beats(score) == ["0+1", "0+2", "1+1", "2+1", "2+2", "4+2"]

    def test_ties_and_tuplets_stay_in_their_voice(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "[V:1](3cde c-|[V:2]c2 c|[V:1]c|")
        assert beats(score) == ["0+2/3", "0+2", "2/3+2/3", "4/3+2/3", "2+1", "2+2"]

    def test_music_before_a_voice_belongs_to_the_first(self, tmp_path: Path) -> None:
        assert {row[4] for row in tune(tmp_path, "C|\nV:1\nD|\n").notes} == {0}
        assert beats(tune(tmp_path, "C|\nV:A\nD|\n", "V:A\nV:B\n")) == ["0+1", "1+1"]

    def test_programs(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "%%MIDI program 5\nC [I:MIDI program 7] D", "%%MIDI program 3\n")
        assert [score.instruments[row[5]].program for row in score.notes] == [5, 7]
        header = "V:1\n%%MIDI program 73\nV:2\n%%MIDI channel 10\nV:3 clef=perc\nV:4\nI:MIDI voice instrument=41\n"
        score = tune(tmp_path, "[V:1]C[V:2]C[V:3]C[V:4]C", header)
        stated = [(i.program, i.drums) for i in (score.instruments[row[5]] for row in score.notes)]
        assert stated == [(73, False), (None, True), (None, True), (40, False)]
        assert [row[3] for row in score.notes] == [0, NO_SPELLING, NO_SPELLING, 0]

    def test_programs_of_channels(self, tmp_path: Path) -> None:
        header = "%%MIDI program 1 40\n%%MIDI program 2 73\n%%MIDI program 200\n"
        score = tune(tmp_path, "[V:1]C[V:2]C\nV:3\n%%MIDI channel 1\nC", header)
        assert [score.instruments[row[5]].program for row in score.notes] == [40, 73, 40]

    def test_midi_transpose(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "V:1\nC\nV:2\n%%MIDI transpose -12\nC\n")
        assert [row[2] for row in score.notes] == [60, 48]


class TestBars:
    def test_upbeat_and_repeats(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "C|:CDEF|GAB::c|CDEF:|")
        assert spans(score) == [(0, 1), (1, 5), (5, 8), (8, 9), (9, 13)]
        assert [bar.repeat_from for bar in score.bars] == [False, True, False, True, False]
        assert [bar.repeat_times for bar in score.bars] == [0, 0, 2, 0, 2]
        assert score.bars[0] == Bar(start=0, end=score.bars[0].end, metre=(4, 4))

    @pytest.mark.parametrize("sign", ["::", ":|:", ":||:", ":|]|:", ":[|]|:", ":| |:", ":|\n|:"])
    def test_a_repeat_ends_and_begins(self, tmp_path: Path, sign: str) -> None:
        first, second = tune(tmp_path, f"C4{sign}D4|").bars
        assert (first.repeat_times, second.repeat_from) == (2, True)

    @pytest.mark.parametrize("sign", ["|", "||", "|]", "[|", "[|]", ".|", "|[|", "| |", "|\n|", "||\n"])
    def test_barlines(self, tmp_path: Path, sign: str) -> None:
        score = tune(tmp_path, f"C4{sign}D4")
        assert spans(score) == [(0, 4), (4, 8)]
        assert not any(bar.repeat_from or bar.repeat_times for bar in score.bars)

    def test_more_repeats(self, tmp_path: Path) -> None:
        assert [bar.repeat_times for bar in tune(tmp_path, "|::C4::|D4:|").bars] == [3, 2]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("|:C4|1D4:|2E4|F4|]", [set(), {1}, {2}, {2}]),
            ("|:C4|[1D4:|[2E4||F4|]", [set(), {1}, {2}, set()]),
            ("C4| [1 D4 :| [2 E4 |: F4:|", [set(), {1}, {2}, set()]),
            ("C4|[1,3D4:|[2,4-6E4|]F4|", [set(), {1, 3}, {2, 4, 5, 6}, set()]),
            ("|:C4|1-2D4:|3E4|]", [set(), {1, 2}, {3}]),
            ("C2[1D2|E4:|[2F4|]", [set(), {1}, {1}, {2}]),
        ],
    )
    def test_endings(self, tmp_path: Path, body: str, expected: list[set[int]]) -> None:
        assert [set(bar.endings) for bar in tune(tmp_path, body).bars] == expected

    def test_a_tie_leads_into_every_ending(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "|:^c4-|1c4-:|2c4|]")
        assert [(row[2], row[6], row[7]) for row in score.notes] == [(73, 1, 0), (73, 0, 1), (73, 0, 1)]

    def test_signs(self, tmp_path: Path) -> None:
        score = tune(tmp_path, 'C4|!segno!D4|E2 !fine!E2|F4!dacoda!|!coda!G4|A4 !D.S.!|O B4|"^D.C. al Fine"c4|]')
        named = [
            [name for name in ("segno", "coda", "to_coda", "fine") if getattr(bar, name)] + [bar.jump] * bool(bar.jump)
            for bar in score.bars
        ]
        assert named == [[], ["segno"], ["fine"], ["to_coda"], ["coda"], ["dal segno"], ["coda"], ["da capo"]]

    def test_the_first_of_two_codas_says_where_to_leave(self, tmp_path: Path) -> None:
        bars = tune(tmp_path, "SC4|D4!coda!|E4!D.S.!|!coda!F4|]").bars
        assert [(bar.segno, bar.to_coda, bar.coda) for bar in bars] == [
            (True, False, False), (False, True, False), (False, False, False), (False, False, True),
        ]  # fmt: skip

    def test_letters_can_be_redefined(self, tmp_path: Path) -> None:
        bars = tune(tmp_path, "SC4|WD4|", "U:S = !trill!\nU:W=!segno!\n").bars
        assert [bar.segno for bar in bars] == [False, True]

    def test_numbers_that_a_directive_gives(self, tmp_path: Path) -> None:
        score = tune(tmp_path, "C4|D4|[I:setbarnb 40]E4|\n%%setbarnb 7\nF4|", "%%setbarnb 10\n")
        assert [bar.number for bar in score.bars] == [10, None, 40, 7]
        assert [bar.number for bar in tune(tmp_path, "C4|D4|").bars] == [None, None]

    def test_bars_of_rests(self, tmp_path: Path) -> None:
        assert spans(tune(tmp_path, "C4|Z2|D4|")) == [(0, 4), (4, 8), (8, 12), (12, 16)]

    def test_bars_of_the_voice_with_most_notes_to_the_end_of_all(self, tmp_path: Path) -> None:
        assert spans(tune(tmp_path, "[V:1]c4|c8|[V:2]CDEF|")) == [(0, 4), (4, 12)]

    @pytest.mark.parametrize(
        ("order", "body", "expected"),
        [
            ("AABA", "P:A\nC4|\nP:B\nD4|", [(0, 4), (0, 8), (0, 4)]),
            ("(AB)2", "P:A\nC4|\nP:B\nD4|", [(0, 8), (0, 8)]),
            ("AB", "E4|[P:A]C4|[P:B]D4|", [(0, 12)]),
            ("BA", "P:A\n|:C4:|\nP:B\nD4|", [(4, 8), (0, 4), (0, 4)]),
            ("AB", "P:A\n|:C4|1D4:|2E4|]\nP:B\nF4|", [(0, 8), (0, 4), (8, 16)]),
            ("A2B", "P:A\nC4|[1 D4:|[2 E4|]\nP:B\nF4|", [(0, 8), (0, 4), (8, 16)]),
            ("A2", "P:A\nC4|[1 D4:|[2 E4|]|:F4:|", [(0, 8), (12, 16), (0, 4), (8, 16)]),
            ("AX", "P:A\nC4|", [(0, 4)]),
        ],
    )  # fmt: skip
    def test_played(self, tmp_path: Path, order: str, body: str, expected: list[tuple[int, int]]) -> None:
        score = tune(tmp_path, body, f"P:{order}\n")
        assert [(start // score.ticks, stop // score.ticks) for start, stop in score.played or []] == expected


LENGTHS = st.fractions(min_value=Fraction(1, 16), max_value=8, max_denominator=16)
NOTES = st.tuples(
    st.sampled_from([-2, -1, 0, 1, 2]), st.sampled_from("CDEFGAB"), st.integers(-3, 3), LENGTHS, st.booleans()
)  # alteration, letter, octave, length, a rest after it


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(NOTES, min_size=1, max_size=8), min_size=1, max_size=4), st.sampled_from(["C", "Bb", "A dor"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, bars: list[list[tuple[int, str, int, Fraction, bool]]], key: str
) -> None:
    marks = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
    text = ""
    expected = []
    time = Fraction(0)
    for bar in bars:
        for alteration, letter, octave, length, rests in bar:
            written = letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave
            text += f"{marks[alteration]}{written}{length.numerator}/{length.denominator} " + "z " * rests
            pitch = 60 + 12 * octave + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter] + alteration
            expected.append((time, pitch, length))
            time += length + rests
        text += "|\n"
    score = tune(tmp_path_factory.mktemp("abc"), text, key=key)
    assert joined(score) == sorted(expected)
    assert len(score.bars) == len(bars)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ABCcdefgzZxXyVKLMPmw:[]|(){}<>-&\"!+'/,^_=%\\ \n12345", max_size=120))
def test_any_text_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    for score in book(tmp_path_factory.mktemp("abc"), "X:1\nK:C\n" + text):
        if isinstance(score, BrokenPiece):
            assert score.reason and "\n" not in score.reason
        else:
            assert all(row[0] < row[1] for row in score.notes)
            assert score.note_tokens in (None, len(score.notes) + sum(score.left_out.values()))
            assert [bar.end for bar in score.bars[:-1]] == [bar.start for bar in score.bars[1:]]
