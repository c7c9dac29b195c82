"""MEI: what is written in a file comes out."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from music_interpret.music.formats.written import BrokenScore, WrittenScore
from music_interpret.music.formats.xml import mei


def document(*measures: str, definition: str = '<staffDef n="1" lines="5"/>', metre: tuple[int, int] = (4, 4)) -> str:
    """A document of measures, each the content of a measure element or the element itself."""
    written = "".join(
        m if m.startswith("<measure") else f'<measure n="{i + 1}">{m}</measure>' for i, m in enumerate(measures)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
        "<meiHead><fileDesc><titleStmt><title>A title</title></titleStmt></fileDesc></meiHead>"
        f'<music><body><mdiv><score><scoreDef meter.count="{metre[0]}" meter.unit="{metre[1]}">'
        f"<staffGrp>{definition}</staffGrp></scoreDef><section>{written}</section></score></mdiv></body></music></mei>"
    )


def staff(content: str, n: int = 1) -> str:
    layers = content if content.startswith("<layer") else f'<layer n="1">{content}</layer>'
    return f'<staff n="{n}">{layers}</staff>'


def note(pitch: str, value: str = "4", more: str = "") -> str:
    return f'<note pname="{pitch[0]}" oct="{pitch[1]}" dur="{value}" {more}/>'


def read(text: str, tmp_path: Path) -> WrittenScore:
    path = tmp_path / "score.mei"
    path.write_text(text, encoding="utf-8")
    (score,) = mei.read(path)
    assert isinstance(score, WrittenScore)
    assert score.note_tokens == len(score.notes) + sum(score.left_out.values())
    return score


def heads(score: WrittenScore) -> list[tuple[Fraction, int, Fraction]]:
    """(onset, pitch, duration) in quarter notes, sorted."""
    rows = np.array(score.notes)
    return sorted((Fraction(a, score.ticks), p, Fraction(b - a, score.ticks)) for a, b, p in rows[:, :3].tolist())


def test_values_dots_chords_and_layers(tmp_path: Path) -> None:
    upper = note("c5", "2", 'dots="1"') + '<chord dur="4"><note pname="d" oct="5"/><note pname="f" oct="5"/></chord>'
    lower = f'<rest dur="8"/><beam>{note("c4", "8")}{note("d4", "16")}{note("e4", "16")}</beam><space dur="4"/>'
    lower += note("f4", "8", 'dots="1"') + note("g4", "16")
    score = read(document(staff(f'<layer n="1">{upper}</layer><layer n="2">{lower}</layer>')), tmp_path)
    assert [(float(a), p, float(d)) for a, p, d in heads(score)] == [
        (0, 72, 3),
        (0.5, 60, 0.5),
        (1, 62, 0.25),
        (1.25, 64, 0.25),
        (2.5, 65, 0.75),
        (3, 74, 1),
        (3, 77, 1),
        (3.25, 67, 0.25),
    ]
    assert score.title == "A title"


def test_tuplets_nested_and_tremolos(tmp_path: Path) -> None:
    inner = f'<tuplet num="5" numbase="4">{note("c4", "16") * 5}</tuplet>'
    outer = f'<tuplet num="3" numbase="2">{note("d4")}{note("e4")}{inner}</tuplet>'
    tremolo = f'<fTrem beams="2">{note("f4", "2")}{note("g4", "2")}</fTrem>'
    score = read(document(staff(outer + tremolo)), tmp_path)
    third, fifteenth = Fraction(2, 3), Fraction(2, 15)
    assert heads(score) == [
        (0, 62, third),
        (third, 64, third),
        *[(2 * third + i * fifteenth, 60, fifteenth) for i in range(5)],
        (2, 65, 1),
        (3, 67, 1),
    ]


@pytest.mark.parametrize(
    ("element", "pitch", "spelling"),
    [
        ('<note pname="f" oct="4" dur="1" accid="s"/>', 66, 6),
        ('<note pname="f" oct="4" dur="1" accid.ges="s"/>', 66, 6),
        ('<note pname="b" oct="3" dur="1"><accid accid="f"/></note>', 58, -2),
        ('<note pname="b" oct="3" dur="1"><accid accid.ges="ff"/></note>', 57, -9),
        ('<note pname="c" oct="4" dur="1" accid="n" accid.ges="s"/>', 61, 7),
        ('<note pname="c" oct="4" dur="1" accid="1qs"/>', 60, 0),
        ('<note pname="c" oct="5" oct.ges="6" dur="1"/>', 84, 0),
        ('<chord dur="1"><note pname="g" oct="4"><accid accid="x"/></note></chord>', 69, 15),
    ],
)
def test_pitches(element: str, pitch: int, spelling: int, tmp_path: Path) -> None:
    rows = np.array(read(document(staff(element)), tmp_path).notes)
    assert tuple(rows[0, 2:4]) == (pitch, spelling)


def test_a_transposing_staff(tmp_path: Path) -> None:
    clarinet = '<staffDef n="1" trans.semi="-2" trans.diat="-1"/>'
    rows = np.array(read(document(staff(note("c4", "1")), definition=clarinet), tmp_path).notes)
    assert tuple(rows[0, 2:4]) == (58, -2)


def test_ties_by_element_and_by_attribute(tmp_path: Path) -> None:
    by_element = staff(note("c4", "1", 'xml:id="a"')) + '<tie startid="#a" endid="#b"/>'
    chord = '<chord dur="1" tie="i"><note pname="e" oct="4"/><note pname="g" oct="4"/></chord>'
    score = read(
        document(by_element, staff(note("c4", "1", 'xml:id="b"')), staff(chord), staff(note("e4", "1", 'tie="t"'))),
        tmp_path,
    )
    rows = sorted(np.array(score.notes).tolist(), key=lambda row: (row[0], row[2]))
    assert [tuple(row[6:]) for row in rows] == [(1, 0), (0, 1), (1, 0), (1, 0), (0, 1)]


def test_grace_cue_and_percussion_are_left_out(tmp_path: Path) -> None:
    content = note("d4", "8", 'grace="acc"') + f"<graceGrp>{note('e4', '16')}</graceGrp>" + note("c4", "2")
    content += note("f4", "4", 'cue="true"') + '<note loc="4" dur="4"/>'
    score = read(document(staff(content)), tmp_path)
    assert heads(score) == [(0, 60, 2)]
    assert score.left_out == {"grace notes": 2, "cue notes": 1, "percussion": 1}


def test_bars_rests_and_signs(tmp_path: Path) -> None:
    two = '<staffGrp symbol="brace"><label>Piano</label><staffDef n="1"/><staffDef n="2"/></staffGrp><staffDef n="3"/>'
    rest = "".join(staff("<mRest/>", n) for n in (2, 3))
    measures = [
        f'<measure n="0" metcon="false">{staff(note("c4"))}{rest}</measure>',
        f'<measure n="1" left="rptstart">{staff(note("d4", "1"))}{rest}</measure>',
        f'<ending n="1"><measure n="2" right="rptend">{staff(note("e4", "1"))}{rest}</measure></ending>',
        f'<ending n="2"><measure n="3">{staff(note("f4", "1"))}{rest}<repeatMark func="fine"/></measure></ending>',
        '<scoreDef meter.count="3+2" meter.unit="8"/>',
        f'<measure n="4">{staff("<mRest/>")}{rest}</measure>',
        f'<measure n="5">{staff("<mRest/>")}{rest}<dir>D.C. al Fine</dir></measure>',
    ]
    score = read(document(definition=two).replace("<section>", "<section>" + "".join(measures)), tmp_path)
    found = [(Fraction(b.start, score.ticks), b.number, b.metre) for b in score.bars]
    assert found == [
        (0, 0, (4, 4)),
        (1, 1, None),
        (5, 2, None),
        (9, 3, None),
        (13, 4, (5, 8)),
        (Fraction(31, 2), 5, None),
    ]
    assert [b.repeat_from for b in score.bars] == [False, True, False, False, False, False]
    assert [b.repeat_times for b in score.bars] == [0, 0, 2, 0, 0, 0]
    assert [sorted(b.endings) for b in score.bars] == [[], [], [1], [2], [], []]
    assert [b.fine for b in score.bars].index(True) == 3
    assert score.bars[5].jump == "da capo"


def test_parts_and_instruments(tmp_path: Path) -> None:
    """Staves under one brace are one part, so that a tie may cross them."""
    piano = '<staffGrp><grpSym symbol="brace"/><label>Piano</label><instrDef midi.instrnum="0"/>'
    piano += '<staffDef n="2"/><staffDef n="3"/></staffGrp>'
    flute = '<staffDef n="1"><label>Flute</label><instrDef midi.instrnum="73" midi.channel="9o"/></staffDef>'
    drums = '<staffDef n="4"><instrDef midi.channel="9"/></staffDef>'
    content = "".join(staff(note(f"c{n + 2}", "1"), n) for n in (1, 2, 3, 4))
    score = read(document(content, definition=flute + piano + drums), tmp_path)
    rows = sorted(np.array(score.notes).tolist(), key=lambda row: row[2])
    assert [row[4] for row in rows] == [0, 1, 1, 2]
    assert [score.instruments[row[5]].program for row in rows] == [73, 0, 0, None]
    assert [score.instruments[row[5]].drums for row in rows] == [False, False, False, True]


def test_a_rest_of_several_bars(tmp_path: Path) -> None:
    score = read(
        document(staff('<multiRest num="3"/>'), f'<measure n="4">{staff(note("c4", "1"))}</measure>'), tmp_path
    )
    assert [(bar.start // score.ticks, bar.number) for bar in score.bars] == [(0, 1), (4, 2), (8, 3), (12, 4)]


def test_one_of_several_readings(tmp_path: Path) -> None:
    both = f"<app><lem>{note('c4', '2')}</lem><rdg>{note('d4', '2')}</rdg></app>"
    first = f"<app><rdg>{note('e4', '4')}</rdg><rdg>{note('f4', '4')}</rdg></app>"
    choice = f"<choice><sic>{note('g4', '4')}</sic><corr>{note('a4', '4')}</corr></choice>"
    score = read(document(staff(both + first + choice)), tmp_path)
    assert heads(score) == [(0, 60, 2), (2, 64, 1), (3, 69, 1)]
    assert score.left_out == {"notes of other readings": 3}


def test_several_pieces(tmp_path: Path) -> None:
    text = document(staff(note("c4", "1")))
    division = text[text.index("<mdiv>") : text.index("</body>")]
    text = text.replace("</body>", division.replace("<mdiv>", '<mdiv label="Second">') + "</body>")
    (tmp_path / "score.mei").write_text(text)
    scores = mei.read(tmp_path / "score.mei")
    assert [score.title for score in scores] == ["", "Second"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<score-partwise/>", "root element is <score-partwise>"),
        ("<mei/>", "no score"),
        (document(), "no part of it has a measure"),
        (document(staff(note("c4", "x"))), "a duration is 'x'"),
        (document(staff(note("h4"))), "a step is 'H'"),
        (document(staff(note("c4")))[:-9], "not well-formed"),
    ],
)
def test_what_is_no_score(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "score.mei").write_text(text)
    with pytest.raises(BrokenScore, match=reason):
        mei.read(tmp_path / "score.mei")
