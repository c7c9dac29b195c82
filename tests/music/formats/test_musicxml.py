"""MusicXML: what is written in a file comes out, whatever program wrote it."""

import io
import json
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.music.formats.written import NO_SPELLING, Bar, BrokenScore, WrittenScore
from music_interpret.music.formats.xml import musicxml

CASES = Path(__file__).parents[2] / "fixtures" / "score_cases"
EXPECTED = json.loads((CASES / "expected_musicxml.json").read_text(encoding="utf-8"))
STEPS = ("C", 0), ("D", 0), ("E", -1), ("F", 1), ("G", 0), ("A", -1), ("B", -2)
TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def note(pitch: str, duration: int, more: str = "", *, before: str = "", voice: str = "1") -> str:
    """A note element of a pitch like "C4", "B-1 3" (step, alter, octave), or of what is no pitch."""
    if not pitch.startswith("<"):
        step, octave = pitch[0], pitch[-1]
        alter = f"<alter>{pitch[1:-1].strip()}</alter>" if pitch[1:-1].strip() else ""
        pitch = f"<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>"
    length = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{before}{pitch}{length}<voice>{voice}</voice>{more}</note>"


def part(*measures: str, divisions: str = "1", attributes: str = TIME) -> str:
    """A part of measures numbered from 1; one that begins with <measure is taken as it is."""
    first = f"<attributes><divisions>{divisions}</divisions>{attributes}</attributes>"
    written = []
    for index, content in enumerate(measures):
        if not content.startswith("<measure"):
            content = f'<measure number="{index + 1}">{content}</measure>'
        head, _, rest = content.partition(">")
        written.append(f"{head}>{'' if index else first}{rest}")
    return "".join(written)


def document(*parts: str, listed: str = "", head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    listed = listed or "".join(
        f'<score-part id="P{p}"><part-name>Piano</part-name></score-part>' for p in range(len(parts))
    )
    body = "".join(f'<part id="P{p}">{content}</part>' for p, content in enumerate(parts))
    return f'{head}<score-partwise version="4.0"><part-list>{listed}</part-list>{body}</score-partwise>'


def read(text: str | bytes, tmp_path: Path, name: str = "score.musicxml") -> WrittenScore:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (score,) = musicxml.read(path)
    assert isinstance(score, WrittenScore)
    assert score.note_tokens == len(score.notes) + sum(score.left_out.values())
    assert all(a.end == b.start for a, b in zip(score.bars, score.bars[1:], strict=False))
    return score


def heads(score: WrittenScore) -> list[tuple[Fraction, int, Fraction]]:
    """(onset, pitch, duration) in quarter notes, sorted."""
    rows = np.array(score.notes)
    return sorted((Fraction(a, score.ticks), p, Fraction(b - a, score.ticks)) for a, b, p in rows[:, :3].tolist())


def joined(score: WrittenScore) -> list[list[int]]:
    """[onset, pitch, duration] in steps of 1/12 quarter note from the first beat on, tied notes joined."""
    found: list[list[int]] = []
    tied: dict[tuple[int, int, int], list[int]] = {}
    for onset, end, pitch, _, number, _, tied_on, tied_back in sorted(np.array(score.notes).tolist()):
        row = tied.pop((number, pitch, onset), None) if tied_back else None
        if row is None:
            row = [onset, pitch, 0]
            found.append(row)
        row[2] = end - row[0]
        if tied_on:
            tied[number, pitch, end] = row
    beat = min(onset for onset, _, _ in found) // score.ticks * score.ticks
    steps = [[12 * (a - beat) // score.ticks, p, 12 * d // score.ticks] for a, p, d in found]
    return sorted(steps)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_made_by_hand(name: str, tmp_path: Path) -> None:
    score = read((CASES / name).read_bytes(), tmp_path)
    if isinstance(EXPECTED[name], dict):
        assert not len(score.notes)
        assert score.left_out == {"percussion": 4}
        return
    (expected,) = EXPECTED[name]
    assert joined(score) == expected["notes"]
    if "programs" in expected and name != "c_name_corno.musicxml":
        by_onset = sorted(np.array(score.notes).tolist())
        assert [score.instruments[row[5]].program for row in by_onset] == expected["programs"]


REST = '<rest measure="yes"/>'
WHOLE = "<type>whole</type>"


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (note(REST, 4), "longer than the bar"),
        (note(REST, 1), "shorter than the bar"),
        (note(REST, 0), "without a duration"),
        (note("<rest/>", 4, WHOLE), "a whole rest alone"),
        (note("<rest/>", 3, WHOLE), "right"),
        (note("<rest/>", 0), "no length at all"),
        ("", "nothing"),
        ("<forward><duration>3</duration></forward>", "a gap"),
    ],
)
def test_a_rest_of_a_bar_is_as_long_as_the_bar(rest: str, why: str, tmp_path: Path) -> None:
    voice = part(note("C4", 4), rest, note("D4", 4))
    piano = part(note("E3", 4), note("F3", 3, "<type>half</type><dot/>"), note("G3", 4))
    for parts in ((voice, piano), (piano, voice)):
        score = read(document(*parts), tmp_path)
        assert heads(score) == [(0, 52, 4), (0, 60, 4), (4, 53, 3), (7, 55, 4), (7, 62, 4)], why
        assert [Fraction(bar.end, score.ticks) for bar in score.bars] == [4, 7, 11], why


def test_a_whole_rest_beside_other_notes_of_its_voice_has_its_length(tmp_path: Path) -> None:
    six = "<time><beats>6</beats><beat-type>4</beat-type></time>"
    score = read(document(part(note("<rest/>", 4, WHOLE) + note("C4", 1), note("D4", 6), attributes=six)), tmp_path)
    assert heads(score) == [(4, 60, 1), (5, 62, 6)]


def test_bars_where_all_rest(tmp_path: Path) -> None:
    """Their rests' duration, else their metre."""
    score = read(document(part(note(REST, 0), note(REST, 2), "", note("C4", 4))), tmp_path)
    found = [(Fraction(bar.end, score.ticks), bar.metre) for bar in score.bars]
    assert found == [(4, (4, 4)), (6, None), (10, None), (14, None)]


def test_a_rest_too_many(tmp_path: Path) -> None:
    """It does not lengthen the bar of the other parts; where all agree, the bar is longer than its metre."""
    right = part(note("C4", 4), note("D4", 4))
    wrong = part(note("E4", 4) + note("<rest/>", 4), note("F4", 4))
    score = read(document(right, wrong), tmp_path)
    assert heads(score) == [(0, 60, 4), (0, 64, 4), (4, 62, 4), (4, 65, 4)]
    assert heads(read(document(wrong, wrong), tmp_path))[2:] == [(8, 65, 4), (8, 65, 4)]
    rests = part(note("<rest/>", 4) * 2, note("F4", 4))
    assert heads(read(document(rests, right), tmp_path)) == [(0, 60, 4), (4, 62, 4), (4, 65, 4)]


def test_rounded_tuplets_do_not_shift_the_bars_after_them(tmp_path: Path) -> None:
    seven = "".join(note("C4", n) for n in (68, 68, 69, 68, 69, 68, 68))
    score = read(document(part(seven + note("D4", 1440), note("E4", 1920), divisions="480")), tmp_path)
    assert [(bar.start, bar.end) for bar in score.bars] == [(0, 1920), (1920, 3840)]


def test_voices_chords_and_gaps(tmp_path: Path) -> None:
    content = (
        note("C5", 2)
        + note("E5", 2, before="<chord/>")
        + note("D5", 1)
        + "<backup><duration>3</duration></backup><forward><duration>1</duration></forward>"
        + note("A4", 3, voice="2")
        + note("C4", 3, before="<chord/>", voice="2")
    )
    score = read(document(part(content)), tmp_path)
    assert heads(score) == [(0, 72, 2), (0, 76, 2), (1, 60, 3), (1, 69, 3), (2, 74, 1)]


def test_divisions_change_and_differ_between_parts(tmp_path: Path) -> None:
    one = part(note("C4", 8), "<attributes><divisions>6</divisions></attributes>" + note("D4", 24), divisions="2")
    two = part(note("E4", 10), note("F4", 10), divisions="2.5")
    score = read(document(one, two), tmp_path)
    assert heads(score) == [(0, 60, 4), (0, 64, 4), (4, 62, 4), (4, 65, 4)]


def test_notes_without_a_duration_take_that_of_their_type(tmp_path: Path) -> None:
    triplet = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    kinds = ["<type>quarter</type><dot/>", "<type>eighth</type>", *[f"<type>quarter</type>{triplet}"] * 3]
    score = read(document(part("".join(note("C4", 0, kind) for kind in kinds))), tmp_path)
    third = Fraction(2, 3)
    assert [(a, d) for a, _, d in heads(score)] == [
        (0, Fraction(3, 2)),
        (Fraction(3, 2), Fraction(1, 2)),
        (2, third),
        (2 + third, third),
        (2 + 2 * third, third),
    ]


def test_grace_and_cue_notes_are_left_out_and_counted(tmp_path: Path) -> None:
    content = (
        note("D4", 0, before="<grace/>")
        + note("F4", 0, before="<grace/><chord/>")
        + note("C4", 2)
        + note("E4", 1, before="<cue/>")
        + note("G4", 1)
    )
    score = read(document(part(content)), tmp_path)
    assert heads(score) == [(0, 60, 2), (3, 67, 1)]
    assert score.left_out == {"grace notes": 2, "cue notes": 1}


def test_hidden_notes_sound_and_octave_lines_only_look(tmp_path: Path) -> None:
    line = '<direction><direction-type><octave-shift type="{}" size="8"/></direction-type></direction>'
    hidden = note("D6", 2).replace("<note>", '<note print-object="no">')
    score = read(document(part(line.format("down") + note("C6", 2) + line.format("stop") + hidden)), tmp_path)
    assert heads(score) == [(0, 84, 2), (2, 86, 2)]


@pytest.mark.parametrize(
    ("ties", "flags"),
    [
        ('<tie type="start"/>', (True, False)),
        ('<notations><tied type="stop"/></notations>', (False, True)),
        ('<tie type="stop"/><tie type="start"/>', (True, True)),
        ('<tie type="stop"/><notations><slur type="start"/><tied type="start"/></notations>', (True, True)),
        ('<notations/><notations><tied type="start"/></notations>', (True, False)),
        ('<notations><tied type="continue"/></notations>', (True, True)),
        ('<notations><tied type="let-ring"/></notations>', (False, False)),
        ('<notations><slur type="start"/></notations>', (False, False)),
    ],
)
def test_ties(ties: str, flags: tuple[bool, bool], tmp_path: Path) -> None:
    rows = np.array(read(document(part(note("C4", 4, ties))), tmp_path).notes)
    assert tuple(rows[0, 6:]) == flags


@pytest.mark.parametrize(
    ("pitch", "number", "spelling"),
    [
        ("C4", 60, 0),
        ("F1 4", 66, 6),
        ("G-1 4", 66, -6),
        ("B1 3", 60, 12),
        ("C-1 4", 59, -7),
        ("B-2 3", 57, -9),
        ("F2 4", 67, 13),
        ("C0.5 4", 60, 0),
        ("D-1.5 4", 61, -5),
        ("E-0.75 4", 63, -3),
        ("A.0 4", 69, 3),
    ],
)
def test_pitches_and_their_spelling(pitch: str, number: int, spelling: int, tmp_path: Path) -> None:
    rows = np.array(read(document(part(note(pitch, 4))), tmp_path).notes)
    assert tuple(rows[0, 2:4]) == (number, spelling)


def test_an_accidental_counts_where_a_pitch_says_no_alteration(tmp_path: Path) -> None:
    flat = "<accidental>flat</accidental>"
    content = (
        note("E4", 1, flat) + note("E0 4", 1, flat) + note("E4", 1) + note("E4", 1, "<accidental>natural</accidental>")
    )
    assert [pitch for _, pitch, _ in heads(read(document(part(content)), tmp_path))] == [63, 64, 64, 64]


def transpose(chromatic: int, diatonic: int | None = None, octave: int | None = None, staff: str = "") -> str:
    steps = "" if diatonic is None else f"<diatonic>{diatonic}</diatonic>"
    octaves = "" if octave is None else f"<octave-change>{octave}</octave-change>"
    number = f' number="{staff}"' if staff else ""
    return f"<transpose{number}>{steps}<chromatic>{chromatic}</chromatic>{octaves}</transpose>"


@pytest.mark.parametrize(
    ("sign", "number", "spelling"),
    [
        (transpose(-2, -1), 58, -2),  # clarinet in B flat
        (transpose(-3, -2), 57, 3),  # clarinet in A
        (transpose(3, 2), 63, -3),  # clarinet in E flat
        (transpose(-7, -4), 53, -1),  # horn in F
        (transpose(-9, -5, -1), 39, -3),  # baritone saxophone
        (transpose(-2), 58, -2),
        (transpose(-2, 0), 58, -2),  # 0 steps are no whole tone
        (transpose(0, 0, -1), 48, 0),  # double bass
        (transpose(-12), 48, 0),
        (transpose(-12, -7), 48, 0),
        (transpose(-14, -8), 46, -2),
        (transpose(1, 0), 61, 7),
        (transpose(1, 1), 61, -5),
    ],
)
def test_transposing_instruments_as_they_sound(sign: str, number: int, spelling: int, tmp_path: Path) -> None:
    rows = np.array(read(document(part(note("C4", 4), attributes=TIME + sign)), tmp_path).notes)
    assert tuple(rows[0, 2:4]) == (number, spelling)


def test_transposition_of_a_staff_and_its_change(tmp_path: Path) -> None:
    first, second = "<staff>1</staff>", "<staff>2</staff>"
    back = "<backup><duration>4</duration></backup>"
    change = f"<attributes>{transpose(-3, -2, staff='1')}</attributes>"
    score = read(
        document(
            part(
                note("C5", 2, first) + change + note("C5", 2, first) + back + note("C4", 4, second),
                note("C5", 4, first) + back + note("C4", 4, second),
                "<attributes>" + transpose(0) + "</attributes>" + note("C5", 4, first),
                attributes=TIME + "<staves>2</staves>" + transpose(-2, -1, staff="1"),
            )
        ),
        tmp_path,
    )
    assert [(a, p) for a, p, _ in heads(score)] == [(0, 60), (0, 70), (2, 69), (4, 60), (4, 69), (8, 72)]


def test_a_change_of_transposition_leaves_earlier_notes_of_another_voice(tmp_path: Path) -> None:
    change = f"<attributes>{transpose(-2, -1)}</attributes>"
    content = note("C5", 2) + change + note("C5", 2) + "<backup><duration>4</duration></backup>" + note("C4", 2)
    assert [(a, p) for a, p, _ in heads(read(document(part(content)), tmp_path))] == [(0, 60), (0, 72), (2, 70)]


def test_an_octave_clef_is_not_transposed_twice(tmp_path: Path) -> None:
    clef = "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
    for sign, pitch in ((transpose(0, 0, -1), 48), (transpose(-2, -1), 46), ("", 48)):
        assert heads(read(document(part(note("C3", 4), attributes=TIME + clef + sign)), tmp_path)) == [(0, pitch, 4)]


def test_a_part_made_from_a_concert_score_is_no_transposition(tmp_path: Path) -> None:
    made = "<for-part><part-transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></part-transpose></for-part>"
    assert heads(read(document(part(note("C4", 4), attributes=TIME + made)), tmp_path)) == [(0, 60, 4)]


def listed(name: str, *instruments: tuple[str, str, str]) -> str:
    """A part of instruments (id, name, what their <midi-instrument> says)."""
    named = "".join(
        f'<score-instrument id="{i}"><instrument-name>{n}</instrument-name></score-instrument>'
        for i, n, _ in instruments
    )
    midi = "".join(f'<midi-instrument id="{i}">{m}</midi-instrument>' for i, _, m in instruments if m)
    return f'<score-part id="P0"><part-name>{name}</part-name>{named}{midi}</score-part>'


def test_instruments_of_notes(tmp_path: Path) -> None:
    oboe = ("I1", "Oboe", "<midi-program>69</midi-program>")
    horn = ("I2", "English Horn", "<midi-program>70</midi-program>")
    content = note("C4", 1) + note("D4", 1, '<instrument id="I2"/>') + note("E4", 1, '<instrument id="I1"/>')
    score = read(document(part(content), listed=listed("Oboes", oboe, horn)), tmp_path)
    played = [score.instruments[row[5]] for row in sorted(np.array(score.notes).tolist())]
    assert [(i.name, i.program, i.drums) for i in played] == [
        ("Oboe", 68, False),
        ("English Horn", 69, False),
        ("Oboe", 68, False),
    ]


def test_a_program_changes_in_the_course_of_a_part(tmp_path: Path) -> None:
    change = '<sound><midi-instrument id="I1"><midi-program>46</midi-program></midi-instrument></sound>'
    violin = ("I1", "Violin", "<midi-program>41</midi-program>")
    content = note("C4", 2) + f"<direction><direction-type/>{change}</direction>" + note("D4", 2)
    back = "<backup><duration>4</duration></backup>" + note("G3", 1, voice="2")
    score = read(document(part(content + back, note("E4", 4)), listed=listed("Violin", violin)), tmp_path)
    rows = sorted(np.array(score.notes).tolist(), key=lambda row: (row[0], row[2]))
    assert [score.instruments[row[5]].program for row in rows] == [40, 40, 45, 45]


def test_drums(tmp_path: Path) -> None:
    snare = ("I1", "Snare", "<midi-channel>10</midi-channel><midi-unpitched>39</midi-unpitched>")
    unknown = ("I2", "Whip", "<midi-channel>10</midi-channel>")
    display = "<unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
    content = note(display, 1, '<instrument id="I1"/>') + note(display, 1, '<instrument id="I2"/>')
    content += note("C3", 1, '<instrument id="I2"/>')
    score = read(document(part(content), listed=listed("Drumset", snare, unknown)), tmp_path)
    assert heads(score) == [(0, 38, 1), (2, 48, 1)]
    assert all(instrument.drums for instrument in score.instruments)
    assert set(np.array(score.notes)[:, 3]) == {NO_SPELLING}
    assert score.left_out == {"percussion": 1}


def bars(measures: list[str], tmp_path: Path) -> list[Bar]:
    return read(document(part(*measures)), tmp_path).bars


def test_bar_numbers(tmp_path: Path) -> None:
    numbered = [
        ('"0" implicit="yes"', 1),
        ('"1"', 4),
        ('"2"', 2),
        ('"X1" implicit="yes"', 2),
        ('"3"', 4),
        ('"3a"', 4),
        ('"4" implicit="yes"', 4),
        ('"X"', 4),
        ('"0" implicit="yes"', 1),
    ]
    measures = [f"<measure number={number}>{note('C4', length)}</measure>" for number, length in numbered]
    assert [bar.number for bar in bars(measures, tmp_path)] == [0, 1, 2, None, 3, 3, None, None, 0]
    without = measures[0].replace('"0"', '"X1"')
    assert [bar.number for bar in bars([without, *measures[1:]], tmp_path)][:2] == [0, 1]


def barline(location: str, content: str) -> str:
    return f'<barline location="{location}">{content}</barline>'


def test_repeats_and_brackets(tmp_path: Path) -> None:
    c = note("C4", 4)
    start, stop = '<ending number="{}" type="start"/>', '<ending number="{}" type="{}"/>'
    forward, backward = '<repeat direction="forward"/>', '<repeat direction="backward"{}/>'
    found = bars(
        [
            c,
            barline("left", forward) + c,
            barline("left", start.format("1, 2")) + c,
            c + barline("right", stop.format("1, 2", "stop") + backward.format(' times="3"')),
            barline("left", start.format("3")) + c + barline("right", stop.format("3", "discontinue")),
            c + barline("right", forward),
            c,
            barline("left", backward.format("")) + c,
        ],
        tmp_path,
    )
    assert [bar.repeat_from for bar in found] == [False, True, False, False, False, False, True, False]
    assert [bar.repeat_times for bar in found] == [0, 0, 0, 3, 0, 0, 2, 0]
    assert [sorted(bar.endings) for bar in found] == [[], [], [1, 2], [1, 2], [3], [], [], []]


def test_a_repeat_inside_a_measure_divides_its_bar(tmp_path: Path) -> None:
    sign = barline("middle", '<bar-style>light-heavy</bar-style><repeat direction="backward"/>')
    first, second, third = bars([note("C4", 3) + sign + note("D4", 1), note("E4", 4)], tmp_path)
    assert (first.start, first.end, first.number, first.repeat_times) == (0, 3, 1, 2)
    assert (second.start, second.end, second.number, second.repeat_times) == (3, 4, None, 0)
    assert third.number == 2


SOUND = "<direction><direction-type><words>{}</words></direction-type>{}</direction>"


@pytest.mark.parametrize("said", [True, False])
def test_da_capo_dal_segno_and_codas(said: bool, tmp_path: Path) -> None:
    def sign(words: str, symbol: str, sound: str) -> str:
        if said:
            return SOUND.format("any words", f"<sound {sound}/>")
        return f"<direction><direction-type>{symbol or f'<words>{words}</words>'}</direction-type></direction>"

    c = note("C4", 4)
    found = bars(
        [
            c,
            sign("", "<segno/>", 'segno="a"') + c,
            c + sign("To Coda", "", 'tocoda="b"'),
            c + sign("Fine", "", 'fine="yes"'),
            c + sign("D.S. al Coda", "", 'dalsegno="a"'),
            sign("", "<coda/>", 'coda="b"') + c,
            sign("Da Capo al Fine", "", 'dacapo="yes"') + c,
        ],
        tmp_path,
    )
    assert [bar.segno for bar in found].index(True) == 1
    assert [bar.to_coda for bar in found].index(True) == 2
    assert [bar.fine for bar in found].index(True) == 3
    assert [bar.coda for bar in found].index(True) == 5
    assert [bar.jump for bar in found] == ["", "", "", "", "dal segno", "", "da capo"]
    assert sum(bar.segno + bar.coda + bar.to_coda + bar.fine for bar in found) == 4


def time(*pairs: tuple[str, str]) -> str:
    return "<time>" + "".join(f"<beats>{a}</beats><beat-type>{b}</beat-type>" for a, b in pairs) + "</time>"


@pytest.mark.parametrize(
    ("signature", "metre"),
    [
        (time(("3+2", "8")), (5, 8)),
        (time(("2", "4"), ("3", "8")), (7, 8)),
        (time(("3", "4"), ("3", "4")), (6, 4)),
        ('<time symbol="cut"><beats>2</beats><beat-type>2</beat-type></time>', (2, 2)),
        ("<time><senza-misura/></time>", None),
        (time(("0", "4")), None),
        (time(("x", "y")), None),
    ],
)
def test_time_signatures(signature: str, metre: tuple[int, int] | None, tmp_path: Path) -> None:
    assert read(document(part(note("C4", 4), attributes=signature)), tmp_path).bars[0].metre == metre


def test_parts_that_differ_in_metre(tmp_path: Path) -> None:
    """The fullest part decides; the others begin their bars with it."""
    fast = part(note("C4", 1) * 6, note("C4", 1) * 6, divisions="2", attributes=time(("6", "8")))
    slow = part(note("C3", 3), note("D3", 3), attributes=time(("3", "4")))
    score = read(document(slow, fast), tmp_path)
    assert [(bar.metre, bar.end - bar.start) for bar in score.bars] == [((6, 8), 6), (None, 6)]


def test_two_metres_whose_barlines_meet(tmp_path: Path) -> None:
    """6/8 against 2/4: a dotted quarter lasts as long as a quarter."""
    piano = part(note("C3", 2) * 2, note("D3", 2) * 2, note("E3", 4), divisions="2", attributes=time(("2", "4")))
    voice = part(
        note("C4", 3) + note("D4", 3), note(REST, 6), note("E4", 3), divisions="2", attributes=time(("6", "8"))
    )
    score = read(document(piano, voice), tmp_path)
    found = [(onset, pitch, duration) for onset, pitch, duration in heads(score) if pitch >= 60]
    assert found == [(0, 60, 1), (1, 62, 1), (4, 64, Fraction(3, 2))]
    assert [Fraction(bar.end, score.ticks) for bar in score.bars] == [2, 4, 6]


def test_measures_that_do_not_control(tmp_path: Path) -> None:
    """Don Giovanni's ball: 2/4 against 3/4, whose barlines meet after six quarters."""
    free = '<measure number="X1" non-controlling="yes">'
    third = '<measure number="3">'
    three = part(note("C4", 3), free + note("D4", 3) + "</measure>", third + note("E4", 3) + "</measure>")
    two = part(
        note("C3", 2),
        free + note("D3", 2) + "</measure>",
        free + note("E3", 2) + "</measure>",
        third + note("F3", 2) + "</measure>",
    )
    score = read(document(three, two), tmp_path)
    assert [(a, p) for a, p, _ in heads(score)] == [
        (0, 48),
        (0, 60),
        (2, 50),
        (3, 62),
        (4, 52),
        (6, 53),
        (6, 64),
    ]


def test_a_part_with_fewer_measures_goes_by_their_numbers(tmp_path: Path) -> None:
    full = part(note("C4", 4), note("D4", 4), note("E4", 4))
    few = '<measure number="3"><attributes><divisions>1</divisions></attributes>' + note("C3", 4) + "</measure>"
    assert heads(read(document(full, few), tmp_path)) == [(0, 60, 4), (4, 62, 4), (8, 48, 4), (8, 64, 4)]


def test_written_by_measures(tmp_path: Path) -> None:
    start = f"<attributes><divisions>1</divisions>{TIME}</attributes>"
    text = (
        '<score-timewise version="4.0"><part-list><score-part id="A"><part-name>Flute</part-name></score-part>'
        '<score-part id="B"><part-name>Oboe</part-name></score-part></part-list>'
        f'<measure number="0" implicit="yes"><part id="A">{start}{note("C4", 1)}</part></measure>'
        f'<measure number="1"><part id="A">{note("D4", 4)}</part><part id="B">{start}{note("E3", 4)}</part></measure>'
        "</score-timewise>"
    )
    score = read(text, tmp_path)
    assert heads(score) == [(0, 60, 1), (1, 52, 4), (1, 62, 4)]
    assert [bar.number for bar in score.bars] == [0, 1]
    assert [instrument.name for instrument in score.instruments] == ["Flute", "Oboe"]


ONE = document(part(note("C4", 4)), listed='<score-part id="P0"><part-name>Flöte</part-name></score-part>')


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("UTF-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16", "utf-16-be"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("UTF-8", "latin-1"),  # declared wrongly
        ("nonsense", "latin-1"),
    ],
)
def test_encodings(declared: str, encoding: str, tmp_path: Path) -> None:
    score = read(ONE.replace("UTF-8", declared).encode(encoding), tmp_path)
    assert heads(score) == [(0, 60, 4)]
    assert score.instruments[0].name == "Flöte"


DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://127.0.0.1:9/p.dtd">'


def test_a_document_type_is_not_fetched(tmp_path: Path) -> None:
    assert heads(read(ONE.replace("<score-partwise", DOCTYPE + "<score-partwise"), tmp_path)) == [(0, 60, 4)]


def archive(files: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in files.items():
            written.writestr(name, text)
    return data.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'


@pytest.mark.parametrize(
    "files",
    [
        {"META-INF/container.xml": CONTAINER.format("b.xml"), "a.xml": "<x/>", "b.xml": ONE},
        {"META-INF/container.xml": CONTAINER.format("gone.xml"), "b.xml": ONE},
        {"META-INF/container.xml": "<broken", "deep/b.musicxml": ONE},
        {"META-INF/other.xml": "<x/>", "__MACOSX/._b.xml": "junk", "image.png": "", "b.xml": ONE},
    ],
)
@pytest.mark.parametrize("name", ["score.mxl", "score.musicxml"])
def test_compressed_files(files: dict[str, str], name: str, tmp_path: Path) -> None:
    assert heads(read(archive(files), tmp_path, name)) == [(0, 60, 4)]


def test_a_compressed_file_by_name_only(tmp_path: Path) -> None:
    assert heads(read(ONE, tmp_path, "score.mxl")) == [(0, 60, 4)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not well-formed"),
        (ONE[:-30].encode(), "not well-formed"),
        (b"<html/>", "root element is <html>"),
        (b"<opus/>", "root element is <opus>"),
        (b"<score-partwise/>", "no part"),
        (document(part(note("H4", 4))).encode(), "step is 'H'"),
        (document(part(note("C5 4", 4))).encode(), "altered by 5"),
        (document(part(note("Cnan 4", 4))).encode(), "number is expected"),
        (document(part(note("C4", 4), divisions="0")).encode(), "divisions"),
        (document(part(note("C4", 4), divisions="1e9")).encode(), "divisions"),
        (document(part(note("C4", 10**12))).encode(), "duration"),
        (document(part(note("C4", -4))).encode(), "duration"),
        (archive({"readme.txt": "x"}), "holds no score"),
        (archive({"b.xml": ONE})[:200], "cannot be unpacked"),
        (
            ONE.replace("<score-partwise", '<!DOCTYPE x [<!ENTITY a "aaa">]><score-partwise').encode("utf-16"),
            "declares entities",
        ),
        (
            document(*(part(note("C4", 4), divisions=str(n)) for n in (999_983, 999_979, 999_961))).encode(),
            "least common multiple",
        ),
    ],
)
def test_what_is_no_score(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "score.xml").write_bytes(data)
    with pytest.raises(BrokenScore, match=reason) as broken:
        musicxml.read(tmp_path / "score.xml")
    assert "\n" not in str(broken.value)


def test_lost_notes_show_in_the_count_of_tokens(tmp_path: Path) -> None:
    """Notes that are no children of a measure are never read; the count has them all the same."""
    (tmp_path / "score.xml").write_text(document(part(note("C4", 4) + f"<wrapped>{note('D4', 4)}</wrapped>")))
    (score,) = musicxml.read(tmp_path / "score.xml")
    assert isinstance(score, WrittenScore)
    assert (len(score.notes), score.note_tokens) == (1, 2)


@st.composite
def voices(draw: st.DrawFn) -> list[list[list[tuple[tuple[int, ...], int]]]]:
    """Measures of voices of (indices into STEPS, none for a rest; length), each a bar of 12."""
    measures = []
    for _ in range(draw(st.integers(1, 4))):
        measure = []
        for _ in range(draw(st.integers(1, 3))):
            cuts = sorted({0, 12, *draw(st.lists(st.integers(1, 11), max_size=5))})
            chord = st.lists(st.integers(0, 6), max_size=3, unique=True).map(tuple)
            measure.append([(draw(chord), b - a) for a, b in zip(cuts, cuts[1:], strict=False)])
        measures.append(measure)
    return measures


def written_out(measure: list[list[tuple[tuple[int, ...], int]]]) -> str:
    text = []
    for voice, events in enumerate(measure):
        for chord, length in events:
            if not chord:
                text.append(note("<rest/>", length, voice=str(voice)))
            for index, step in enumerate(chord):
                name, alter = STEPS[step]
                more = "<chord/>" if index else ""
                text.append(note(f"{name}{alter or ''} 4", length, before=more, voice=str(voice)))
        text.append("<backup><duration>12</duration></backup>")
    return "".join(text)


@given(st.lists(voices(), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_random_scores_come_back(parts: list[list[list[list[tuple[tuple[int, ...], int]]]]]) -> None:
    expected = []
    for p, measures in enumerate(parts):
        for m, measure in enumerate(measures):
            for events in measure:
                onset = 12 * m
                for chord, length in events:
                    for step in chord:
                        name, alter = STEPS[step]
                        number = "C D EF G A B".index(name) + 60 + alter
                        spelling = "FCGDAEB".index(name) - 1 + 7 * alter
                        expected.append((onset, onset + length, number, spelling, p))
                    onset += length
    three = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    text = document(*(part(*map(written_out, m), divisions="4", attributes=three) for m in parts))
    score = musicxml.read_text(text)
    assert score.ticks == 4
    assert sorted(map(tuple, np.array(score.notes)[:, :5].tolist())) == sorted(expected)
    assert score.note_tokens == len(expected)
    assert len(score.bars) == max(map(len, parts))


@pytest.mark.parametrize(
    ("name", "own", "stated", "program"),
    [
        ("Horn 2", "Instrument 7", 1, None),
        ("Soprano", "Acoustic Grand Piano", 1, None),
        ("Horn 2", "Instrument 7", 61, 60),
        ("Cembalo", "Instrument 7", 1, 0),
        ("P1", "Instrument 7", 1, 0),
    ],
)
def test_a_piano_that_nobody_asked_for_is_no_statement(
    tmp_path: Path, name: str, own: str, stated: int, program: int | None
) -> None:
    (tmp_path / "a.musicxml").write_text(
        "<score-partwise><part-list><score-part id='P1'>"
        f"<part-name>{name}</part-name><score-instrument id='I'><instrument-name>{own}</instrument-name>"
        f"</score-instrument><midi-instrument id='I'><midi-program>{stated}</midi-program></midi-instrument>"
        "</score-part></part-list><part id='P1'><measure number='1'><note><pitch><step>C</step><octave>4</octave>"
        "</pitch><duration>1</duration></note></measure></part></score-partwise>"
    )
    (score,) = musicxml.read(tmp_path / "a.musicxml")
    assert [instrument.program for instrument in score.instruments] == [program]
