"""Humdrum kern: paths of spines, tokens, ties, bars, sections, instruments, damaged files."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_interpret.music.formats.kern import tokens
from music_interpret.music.formats.kern.piece import read
from music_interpret.music.formats.written import BrokenPiece, BrokenScore, Instrument, WrittenScore
from music_interpret.music.ties import join_ties

CASES = Path(__file__).parents[2] / "fixtures" / "score_cases"
EXPECTED = json.loads((CASES / "expected_kern.json").read_text())


@pytest.fixture
def kern(tmp_path: Path):
    """The score that some text is read as."""

    def score(text: str | bytes) -> WrittenScore:
        path = tmp_path / "a.krn"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (found,) = read(path)
        assert isinstance(found, WrittenScore)
        return found

    return score


def spines(*lines: str) -> str:
    """Text of a piece whose fields are separated by blanks here; "~" stands for a blank within one."""
    return "".join("\t".join(field.replace("~", " ") for field in line.split()) + "\n" for line in lines)


def sounding(score: WrittenScore, ticks: int = 12) -> list[tuple]:
    """(Onset, pitch, duration) in twelfths of a quarter note, ties joined."""
    notes = join_ties(np.asarray(score.notes))
    assert len(score.notes) + sum(score.left_out.values()) == score.note_tokens
    return sorted(
        (Fraction(int(n[0]) * ticks, score.ticks), int(n[2]), Fraction(int(n[1] - n[0]) * ticks, score.ticks))
        for n in notes
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_cases(name: str) -> None:
    (score,) = read(CASES / name)
    (case,) = EXPECTED[name]
    assert sounding(score) == [tuple(note) for note in case["notes"]]
    assert [score.bars[0].metre] == [tuple(metre[1:]) for metre in case["metres"]]


def test_exchanged_spines_keep_their_own_part(kern) -> None:
    score = kern(spines("**kern **text **kern", '*I"Low * *I"High', "4C a [4c", "*x * *x", "4c] b 4D", "*- *- *-"))
    assert sounding(score) == [(0, 48, 12), (0, 60, 24), (12, 50, 12)]
    assert [score.instruments[n[5]].name for n in score.notes] == ["Low", "High", "High", "Low"]


def test_spines_are_added_and_end_in_the_middle(kern) -> None:
    score = kern(spines("**kern **dynam", "4c f", "*+ *", "* **kern *", "4d 4D p", "4e . .", "* *- *", "4f .", "*- *-"))
    assert sounding(score) == [(0, 60, 12), (12, 50, 12), (12, 62, 12), (24, 64, 12), (36, 65, 12)]
    assert len({n[4] for n in score.notes.tolist()}) == 2


def test_an_added_spine_begins_with_its_line(kern) -> None:
    score = kern(spines("**kern", "4c", "4d", "*+", "* **kern", ". 8E", "4e 4F", "*- *-"))
    assert sounding(score)[2:] == [(24, 52, 6), (30, 53, 12), (30, 64, 12)]


def test_groups_of_merges_in_one_line(kern) -> None:
    """Which of the `*v` belong together is said by the fields below."""
    text = ("**kern **kern", "*^ *^", "4C 4E 4c 4e")
    apart = kern(spines(*text, "*v *v *v *v", "4D 4d", "*- *-"))
    assert sounding(apart)[-2:] == [(12, 50, 12), (12, 62, 12)]
    one = kern(spines(*text, "*v *v *v *v", "!! comment", "4d", "*-"))
    assert sounding(one)[-1] == (12, 62, 12)
    both = kern(spines("**kern **kern", "*^ *", "*^ * *", "4C 4E 4G 4c", "*v *v *v *^", "4D 4d 4f", "*- *- *-"))
    assert sounding(both)[-3:] == [(12, 50, 12), (12, 62, 12), (12, 65, 12)]


def test_a_split_in_the_middle_of_a_note(kern) -> None:
    score = kern(spines("**kern **kern", "1C 1c", "* *^", "2D . 2e", "* *v *v", "1E 1d", "*- *-").replace("1C", "2C"))
    assert sounding(score) == [
        (0, 48, 24), (0, 60, 48), (24, 50, 24), (24, 64, 24), (48, 52, 48), (48, 62, 48),
    ]  # fmt: skip
    alone = kern(spines("**kern **kern", "2C 1c", "* *^", ". . 2e", "* *v *v", "1E 1d", "*- *-"))
    assert sounding(alone)[2:] == [(24, 64, 24), (48, 52, 48), (48, 62, 48)]


def test_null_paths_do_not_hold_back_the_others(kern) -> None:
    score = kern(spines("**kern", "4c", "*^", "4d .", "4e 4g", "*v *v", "4f", "*-"))
    assert sounding(score) == [(0, 60, 12), (12, 62, 12), (24, 64, 12), (24, 67, 12), (36, 65, 12)]


def test_other_spines_are_followed_through_their_splits(kern) -> None:
    score = kern(
        spines(
            "**harm **kern **silbe", "* * *^", "Ib 4c a b", "* *^ *v *v", "V 4d 4f c", "* *v *v *", "I 4e d", "*- *- *-"
        ).replace("\tc\n", "\tdom.\n")
    )
    assert [n[2] for n in score.notes.tolist()] == [60, 62, 65, 64]
    assert score.note_tokens is None  # **harm has letters and figures as kern has


def test_notes_are_counted_without_the_parser_beside_text(kern) -> None:
    score = kern(
        spines(
            "**kern **dynam **text",
            "4c mf qui",
            "8qddL . .",
            "(>eeX8q . aqua",
            "T4c~4e f 2.~Und",
            "[y1A . deg",
            "*- *- *-",
        )
    )
    assert score.note_tokens == 6 == len(score.notes) + score.left_out["grace notes"]


@pytest.mark.parametrize(
    ("token", "quarters"),
    [
        ("4c", 1), ("c4", 1), ("16.c", Fraction(3, 8)), ("2..c", Fraction(7, 2)), ("0c", 8), ("00c", 16), ("000c", 32),
        ("0.c", 12), ("3%2c", Fraction(8, 3)), ("3%2.c", 4), ("12c", Fraction(1, 3)), ("20c", Fraction(1, 5)),
        ("4cP", 1),
        ("4c@16@", 1), ("{&(>[4c/LL^yy", 1), ("4c;", 1),
    ],
)  # fmt: skip
def test_lengths(kern, token: str, quarters: Fraction) -> None:
    score = kern(spines("**kern", token, "4d", "*-"))
    assert sounding(score, 1) == [(0, 60, quarters), (quarters, 62, 1)]


@pytest.mark.parametrize(
    ("name", "pitch", "spelling"),
    [
        ("c", 60, 0), ("C", 48, 0), ("BBB", 35, 5), ("bbb", 95, 5), ("b#", 72, 12), ("c-", 59, -7),
        ("f##X", 67, 13),
        ("e--", 62, -10), ("cn", 60, 0), ("b-y", 70, -2), ("F#i", 54, 6), ("CCCCC", 0, 0), ("ggggggx", 127, 1),
    ],
)  # fmt: skip
def test_pitches(kern, name: str, pitch: int, spelling: int) -> None:
    score = kern(spines("**kern", "*ITrd1c2", "*Trd-1c-2", f"4{name}", "*-"))
    assert score.notes[0, 2:4].tolist() == [pitch, spelling]


def test_chords_rests_and_what_is_left_out(kern) -> None:
    score = kern(
        spines(
            "**kern", "4c~e~2g", "4rgg", "8r", "8dyy", "8qd", "qqe~f", "16gQ", "4dR", "8ccPqq", "16fff~16ddd-g", "*-"
        )
    )
    assert sounding(score) == [
        (0, 60, 12), (0, 64, 12), (0, 67, 12), (30, 62, 6), (48, 85, 3), (48, 89, 3),
    ]  # fmt: skip
    assert score.left_out == {"grace notes": 5, "percussion": 1, "second pitches of a note (misspelt)": 1}


def test_ties_cross_splits_merges_and_the_staves_of_a_part(kern) -> None:
    score = kern(
        spines(
            "**kern **kern",
            "*part1 *part1",
            "4C [4e",
            "* *^",
            "[4C [4g 4e_",
            "[[4E 4g] 4e]",
            "* *v *v",
            "4EE 4E]]",
            "*- *-",
        )
    )
    assert sounding(score) == [
        (0, 48, 12), (0, 64, 36), (12, 48, 12), (12, 67, 24), (24, 52, 24), (36, 40, 12),
    ]  # fmt: skip
    keyboard = kern(spines("**kern **kern", "*Ipiano *Ipiano", "[4c 4e", "4C 4c]", "*- *-"))
    assert (0, 60, 24) in sounding(keyboard)
    violins = kern(spines("**kern **kern", "*Ivioln *Ivioln", "[4c 4e", "4C 4c]", "*- *-"))
    assert (0, 60, 12) in sounding(violins)


def test_a_misspelt_length_moves_no_bar(kern) -> None:
    """The sixth of six in the time of four is too long; the other staff says when the next bar begins."""
    score = kern(
        spines("**kern **kern", "=1 =1", "4C 24c", *[". 24d"] * 4, ". 16e", "4C 4f", "=2 =2", "4D 4g", "*- *-")
    )
    assert [n for n in sounding(score) if n[1] in (48, 50, 65, 67)] == [
        (0, 48, 12), (12, 48, 12), (12, 65, 12), (24, 50, 12), (24, 67, 12),
    ]  # fmt: skip


def test_bars_as_the_edition_numbers_them(kern) -> None:
    score = kern(
        spines("**kern **kern", "*M3/4 *M3/4", "4C 4c", "=1 =1", "2.D 2.d", "=:|! =:|!", "=2a!|: =2a!|:", "2D 2d",
               "=||- =||-",
               "4D 4d", "=3 =3", "*M6/8 *M6/8", "2.E 2.e", "=:|!|:; =:|!|:;", "4F 4f", "==:|! ==:|!", "*- *-")
    )  # fmt: skip
    got = [(b.start, b.end, b.number, b.metre, b.repeat_from, b.repeat_times) for b in score.bars]
    assert score.ticks == 1
    assert got == [
        (0, 1, 0, (3, 4), False, 0), (1, 4, 1, None, False, 2), (4, 6, 2, None, True, 0), (6, 7, None, None, False, 0),
        (7, 10, 3, (6, 8), False, 2), (10, 11, None, None, True, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("token", "metre"),
    [
        ("*M4/4", (4, 4)), ("*M3+2/8", (5, 8)), ("*M3/8+2/8", (5, 8)), ("*M3/4+3/8", (9, 8)), ("*M2/0", (4, 1)),
        ("*M3/3%2", (2, 1)), ("*M3/2", (3, 2)), ("*MX", None), ("*MM120", None), ("*MZ", None),
    ],
)  # fmt: skip
def test_metres(kern, token: str, metre: tuple[int, int] | None) -> None:
    without_bars = kern(spines("**kern", token, "4c", "*-"))
    assert without_bars.bars == [] and without_bars.signatures == ([(0, *metre)] if metre else [])
    assert kern(spines("**kern", token, "=1", "4c", "=", "*-")).bars[0].metre == metre


def test_bars_within_a_long_note(kern) -> None:
    score = kern(spines("**kern **kern", "*M4/4 *M4/4", "=1 =1", "00C 00c", "=2 =2", ". .", "=3:|! =3:|!", "=4 =4",
                        "0D 0d", "=|| =||", "=6 =6", "1E 1e", "== ==", "*- *-"))  # fmt: skip
    assert [(b.start, b.end, b.number, b.repeat_times) for b in score.bars] == [
        (0, 8, 1, 0), (8, 12, 2, 2), (12, 16, 3, 0), (16, 24, 4, 0), (24, 28, 6, 0),
    ]  # fmt: skip


def test_a_metre_within_a_bar_divides_it(kern) -> None:
    score = kern(spines("**kern", "*M4/4", "=5", "2c", "*M2/4", "2d", "=6", "2e", "==", "*-"))
    assert [(b.start, b.end, b.number, b.metre) for b in score.bars] == [
        (0, 2, 5, (4, 4)), (2, 4, None, (2, 4)), (4, 6, 6, None),
    ]  # fmt: skip


def test_sections_are_played_as_the_list_says(kern) -> None:
    text = ("*>I", "4c", "*>A", "4d", "*>A1", "4e", "=:|!", "*>A2", "4f", "==", "*-")
    score = kern(spines("**kern", "*>[I,A,A1,A,A2]", "*>norep[I,A,A2]", *text))
    assert score.played == [(0, 1), (1, 2), (2, 3), (1, 2), (3, 4)]
    assert [set(bar.endings) for bar in score.bars] == [set(), {2}]
    assert kern(spines("**kern", "*>norep[I,A,A2]", *text)).played is None
    assert kern(spines("**kern", "*>[I,B]", *text)).played is None
    late = kern(spines("**kern", "*>[A,A]", "4c", "*>A", "4d", "*-"))
    assert late.played == [(0, 1), (1, 2), (1, 2)]


def test_endings(kern) -> None:
    score = kern("**kern\n=1\n4c\n=2\n*>1st ending\n4d\n=:|!\n*>2nd ending\n4e\n==\n*-\n")
    assert [sorted(bar.endings) for bar in score.bars] == [[], [1], [2]]
    assert score.played is None


@pytest.mark.parametrize(
    ("tokens", "instrument"),
    [
        (["*Ivioln"], Instrument("violn", 40)),
        (["*Iflt", '*I"Flauto I', "*I'Fl."], Instrument("Flauto I", 73)),
        (["*I:Violino II"], Instrument("Violino II")),
        (["*I'Vc."], Instrument("Vc.")),
        (["*ICvox", "*Ibass", '*I"Bass'], Instrument("Bass", 52)),
        (["*ICvox"], Instrument("", 52)),
        (["*Ivioln2"], Instrument("violn", 40)),
        (["*Icor&tromp"], Instrument("cor", 60)),
        (["*ITrd1c2", "*I#1", "*IGripn"], Instrument("")),
        (["*Isdrum"], Instrument("sdrum", None, True)),
        (["*clefX"], Instrument("", None, True)),
        (["*Itimpa", "*ICperc"], Instrument("timpa", 47)),
        (["*Iunheard"], Instrument("unheard")),
    ],
)
def test_instruments(kern, tokens: list[str], instrument: Instrument) -> None:
    assert kern("\n".join(["**kern", *tokens, "4c", "*-"])).instruments == [instrument]


def test_a_change_of_instrument(kern) -> None:
    score = kern('**kern\n*I"Flute\n*Iflt\n4c\n*I"Flute\n4d\n*I"Piccolo\n4e\n*Ioboe\n4f\n*-\n')
    assert score.instruments == [Instrument("Flute", 73), Instrument("Piccolo"), Instrument("oboe", 68)]
    assert score.notes[:, 5].tolist() == [0, 0, 1, 2]


def test_alternatives_to_what_is_played(kern) -> None:
    score = kern(spines("**kern", "*strophe", "*^", "*S/a *S/b", "4c 4e", "*S/fin *S/fin", "*v *v", "*S-", "4d", "*-"))
    assert sounding(score) == [(0, 60, 12), (12, 62, 12)] and score.left_out == {"ossia": 1}
    ossia = kern(spines("**kern **kern", "4c 4c", "*ossia *", "8c~8d 4d", "8e .", "*Xossia *", "4c 4e", "*- *-"))
    assert len(ossia.notes) == 5 and ossia.left_out == {"ossia": 3}


def test_books(tmp_path: Path) -> None:
    path = tmp_path / "a.krn"
    path.write_text(
        "!!!!SEGMENT: one\n!!!OTL: First\n**kern\n4c\n*-\n!!!ENC: x\n!!!!SEGMENT: two\n"
        "**kern\t**kern\n4d\t4e\t4f\n*-\t*-\n"
        "!!!OTL: Third\n**kern\n4g\n*-\n!!!ONB: end\n"
    )
    first, second, third = read(path)
    assert (
        isinstance(second, BrokenPiece) and second.title == "two" and "line 9 has 3 fields; expected 2" in second.reason
    )
    assert isinstance(first, WrittenScore) and isinstance(third, WrittenScore)
    assert [first.title, third.title, len(first.notes), third.notes[0, 2]] == ["First", "Third", 1, 67]


@pytest.mark.parametrize("title", ["!!!OTL: Lied", "!!!OTL@@DE: Lied", "!!!OTL@DE:Lied ", "!!!OTL1:  Lied"])
def test_titles(kern, title: str) -> None:
    assert kern(f"!!!COM: Someone\n{title}\n**kern\n4c\n*-\n").title == "Lied"
    assert kern(f"**kern\n4c\n*-\n{title}\n").title == "Lied"


TIDY = "!!!OTL: Kön\n**kern\t**kern\n*M2/4\t*M2/4\n4c\t4e\n4d\t4f\n*-\t*-\n"


@pytest.mark.parametrize(
    "sloppy",
    [
        b"\xef\xbb\xbf" + TIDY.encode(),
        TIDY.encode("utf-16"),
        TIDY.encode("latin-1"),
        TIDY.replace("\n", "\r\n").encode(),
        TIDY.replace("\n", "\r").encode(),
        TIDY.replace("4f\n", "4f\t\t \n").encode(),
        TIDY.replace("4c\t4e", "4c\t\t4e ").encode(),
        TIDY.replace("4c", "\n!!LO:x\n!\t!LO:y\n4c").encode(),
        TIDY.rstrip().encode(),
        TIDY.removesuffix("*-\t*-\n").encode(),
    ],
)
def test_sloppy_files(kern, sloppy: bytes) -> None:
    score = kern(sloppy)
    assert sounding(score) == [(0, 60, 12), (0, 64, 12), (12, 62, 12), (12, 65, 12)]
    assert score.title == "Kön"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no **kern spine"),
        ("**dynam\nf\n*-\n", "no **kern spine"),
        ("4c\n**kern\n*-\n", 'line 1 is "4c"; expected spines to begin'),
        ("**kern\n4c\t4d\n*-\n", "line 2 has 2 fields; expected 1"),
        ("**kern\t**kern\n4c\n*-\t*-\n", "line 2 has 1 fields; expected 2"),
        ("**kern\t**kern\n*^\t*\n4c\t4d\n", "line 3 has 2 fields; expected 3"),
        ("**kern\n*-\n4c\n", 'line 3 is "4c"; expected spines'),
        ("**kern\n=1\nc\n*-\n", 'line 3: "c" is a note without a length'),
        ("**kern\n4ccccccccc\n*-\n", "beyond the pitches of MIDI"),
        ("**kern\n12345678c\n*-\n", "has the length 12345678"),
        ("**kern\n0000c\n*-\n", "has the length 0000"),
        ("**kern\n4%0c\n*-\n", "has the length 4%0"),
        ("**kern\n" + "".join(f"{n}c\n" for n in (9973, 9967, 9949, 9941)) + "*-\n", "ticks per quarter note"),
    ],
)
def test_what_cannot_be_read(kern, text: str, says: str) -> None:
    with pytest.raises(BrokenScore, match=re.escape(says)):
        kern(text)


LENGTHS = st.sampled_from(["1", "2", "2.", "4", "4.", "8", "8.", "16", "12", "6", "20", "0", "3%2"])
NAMES = st.builds(
    lambda letter, n, sign: letter * n + sign,
    st.sampled_from("abcdefgABCDEFG"), st.integers(1, 3), st.sampled_from(["", "#", "-", "n", "##", "--"]),
)  # fmt: skip
VOICE = st.lists(st.tuples(LENGTHS, st.lists(NAMES, max_size=3, unique=True)), min_size=1, max_size=12)


def quarters_of(length: str) -> Fraction:
    digits, _, whole_notes = length.rstrip(".").partition("%")
    quarters = Fraction(8) if digits == "0" else Fraction(4 * int(whole_notes or 1), int(digits))
    return quarters * (Fraction(3, 2) if length.endswith(".") else 1)


@given(st.lists(VOICE, min_size=1, max_size=4), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, voices: list, split: bool) -> None:
    """Voices of any rhythm, as spines of their own or as paths of one."""
    starts: dict[Fraction, dict[int, str]] = {}
    expected = []
    for number, voice in enumerate(voices):
        time = Fraction(0)
        for length, names in voice:
            starts.setdefault(time, {})[number] = " ".join(length + name for name in names) or length + "r"
            expected += [(time, quarters_of(length), name) for name in names]
            time += quarters_of(length)
    lines = [[row.get(n, ".") for n in range(len(voices))] for _, row in sorted(starts.items())]
    n = len(voices)
    head = [["**kern"], *([*["*"] * k, "*^"] for k in range(n - 1))] if split else [["**kern"] * n]
    tail = [["*v"] * n, ["*-"]] if split and n > 1 else [["*-"] * n]
    path = tmp_path_factory.mktemp("kern") / "a.krn"
    path.write_text("\n".join("\t".join(line) for line in head + lines + tail))
    (score,) = read(path)
    got = [(Fraction(int(n[0]), score.ticks), Fraction(int(n[1] - n[0]), score.ticks)) for n in score.notes]
    assert sorted(got) == sorted((time, length) for time, length, _ in expected)
    assert score.note_tokens == len(expected)
    assert len({n[4] for n in score.notes.tolist()}) <= (1 if split else n)


FIELDS = ["**kern", "*^", "*v", "*x", "*+", "*-", "4c", ".", "*", "=1", "*M4/4", "*>A", "*>[A]", "8q", "c", ""]


@given(st.lists(st.lists(st.sampled_from(FIELDS), max_size=4)))
def test_nonsense_is_refused_in_one_line(tmp_path_factory, lines: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("kern") / "a.krn"
    path.write_text("**kern\t**kern\n" + "\n".join("\t".join(line) for line in lines))
    try:
        scores = read(path)
    except BrokenScore as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(score, WrittenScore | BrokenPiece) for score in scores)


@pytest.mark.parametrize(
    ("token", "pitch"),
    [
        ("4bb-]", 82),
        ("4bb]-", 82),
        ("8BB^^-", 46),
        ("4f;#", 66),
        ("4f#;", 66),
        ("4fn", 65),
        ("4f", 65),
        ("16ddd-g", 85),
    ],
)
def test_an_accidental_may_stand_apart_from_its_letter(token: str, pitch: int) -> None:
    assert [head.pitch for head in tokens.parse(token).heads] == [pitch]
