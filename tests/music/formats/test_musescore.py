"""MuseScore files: what is written in them comes out as it sounds."""

import io
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from music_interpret.music.formats.written import BrokenScore, WrittenScore
from music_interpret.music.formats.xml import musescore

PIANO = (
    "<Part><Staff/><Staff/><trackName>Piano</trackName><Instrument><longName>Klavier</longName>"
    '<Channel><program value="0"/></Channel></Instrument></Part>'
)
FLUTE = (
    '<Part><Staff/><trackName>Flute</trackName><Instrument><Channel><program value="73"/></Channel></Instrument></Part>'
)
FOUR = "<TimeSig><sigN>4</sigN><sigD>4</sigD></TimeSig>"


def document(*staves: list[str], parts: str = FLUTE, version: str = "4.20", after: str = "") -> str:
    """A document of staves of measures, each the content of its one voice or the element itself."""
    written = []
    for staff in staves:
        measures = (m if m.startswith("<Measure") else f"<Measure><voice>{m}</voice></Measure>" for m in staff)
        written.append("<Staff>" + "".join(measures) + "</Staff>")
    title = '<metaTag name="workTitle">A title</metaTag>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><museScore version="{version}"><Score>'
        f"{title}{parts}{''.join(written)}{after}</Score></museScore>"
    )


def chord(pitches: dict[int, int], kind: str, more: str = "", note: str = "") -> str:
    """A chord of notes, by pitch and `<tpc>`."""
    notes = "".join(f"<Note><pitch>{p}</pitch><tpc>{tpc}</tpc>{note}</Note>" for p, tpc in pitches.items())
    return f"<Chord><durationType>{kind}</durationType>{more}{notes}</Chord>"


def c(kind: str, more: str = "", note: str = "") -> str:
    return chord({60: 14}, kind, more, note)


def read(text: str | bytes, tmp_path: Path, name: str = "score.mscx") -> WrittenScore:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (score,) = musescore.read(path)
    assert isinstance(score, WrittenScore)
    assert score.note_tokens == len(score.notes) + sum(score.left_out.values())
    return score


def heads(score: WrittenScore) -> list[tuple[Fraction, int, Fraction]]:
    """(onset, pitch, duration) in quarter notes, sorted."""
    rows = np.array(score.notes)
    return sorted((Fraction(a, score.ticks), p, Fraction(b - a, score.ticks)) for a, b, p in rows[:, :3].tolist())


def test_values_rests_and_voices(tmp_path: Path) -> None:
    one = FOUR + c("half", "<dots>1</dots>") + "<Rest><durationType>quarter</durationType></Rest>"
    two = "<location><fractions>1/8</fractions></location>" + chord({58: 12, 66: 20}, "eighth") + c("quarter")
    score = read(document([f"<Measure><voice>{one}</voice><voice>{two}</voice></Measure>", c("whole")]), tmp_path)
    half = Fraction(1, 2)
    assert heads(score) == [(0, 60, 3), (half, 58, half), (half, 66, half), (1, 60, 1), (4, 60, 4)]
    spellings = {row[2]: row[3] for row in np.array(score.notes).tolist()}
    assert spellings == {60: 0, 58: -2, 66: 6}
    assert score.title == "A title"


def test_tuplets_and_tremolos(tmp_path: Path) -> None:
    triplet = "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>"
    quintuplet = "<Tuplet><normalNotes>4</normalNotes><actualNotes>5</actualNotes></Tuplet>"
    inner = quintuplet + c("16th") * 5 + "<endTuplet/>"
    tremolo = c("half", "<duration>1/4</duration>") * 2
    score = read(document([FOUR + triplet + c("quarter") * 2 + inner + "<endTuplet/>" + tremolo]), tmp_path)
    durations = [duration for _, _, duration in heads(score)]
    assert durations == [Fraction(2, 3)] * 2 + [Fraction(2, 15)] * 5 + [1, 1]


def test_ties_grace_notes_and_cue_notes(tmp_path: Path) -> None:
    start, stop = '<Spanner type="Tie"><Tie/><next/></Spanner>', '<Spanner type="Tie"><prev/></Spanner>'
    first = FOUR + c("quarter", "<acciaccatura/>") + c("whole", "", start)
    second = c("half", "", stop) + c("half", "<small>1</small>", "<play>0</play>")
    score = read(document([first, second]), tmp_path)
    assert [tuple(row[6:]) for row in sorted(np.array(score.notes).tolist())] == [(1, 0), (0, 1)]
    assert score.left_out == {"grace notes": 1, "cue notes": 1}


def test_octave_lines_sound(tmp_path: Path) -> None:
    line = (
        '<Spanner type="Ottava"><Ottava><subtype>8va</subtype></Ottava>'
        "<next><location><measures>1</measures><fractions>-1/4</fractions></location></next></Spanner>"
    )
    score = read(document([FOUR + c("half") + line + c("half"), c("quarter") * 4]), tmp_path)
    assert [pitch for _, pitch, _ in heads(score)] == [60, 72, 72, 60, 60, 60]


def test_bars(tmp_path: Path) -> None:
    """Upbeat and divided bar have no number, which only the first staff says; staves of a part are one part."""
    rest = "<Rest><durationType>measure</durationType><duration>{}</duration></Rest>"
    upper = [
        f'<Measure len="1/4"><irregular>1</irregular><voice>{FOUR}{c("quarter")}</voice></Measure>',
        f"<Measure><startRepeat/><voice>{c('whole')}</voice></Measure>",
        f'<Measure len="2/4"><endRepeat>3</endRepeat><voice>{c("half")}</voice></Measure>',
        f'<Measure len="2/4"><irregular/><Marker><label>fine</label></Marker><voice>{c("half")}</voice></Measure>',
        f"<Measure><Jump><jumpTo>start</jumpTo></Jump><voice>{c('whole')}</voice></Measure>",
    ]
    lower = [
        f'<Measure len="1/4"><voice>{FOUR}{rest.format("1/4")}</voice></Measure>',
        rest.format("4/4"),
        f'<Measure len="2/4"><voice>{rest.format("2/4")}</voice></Measure>',
        f'<Measure len="2/4"><voice>{rest.format("2/4")}</voice></Measure>',
        chord({48: 14}, "whole"),
    ]
    score = read(document(upper, lower, parts=PIANO), tmp_path)
    found = [(bar.start // score.ticks, bar.number, bar.metre) for bar in score.bars]
    assert found == [(0, 0, (4, 4)), (1, 1, None), (5, 2, None), (7, None, None), (9, 3, None)]
    assert [(bar.repeat_from, bar.repeat_times, bar.fine, bar.jump) for bar in score.bars] == [
        (False, 0, False, ""),
        (True, 0, False, ""),
        (False, 3, False, ""),
        (False, 0, True, ""),
        (False, 0, False, "da capo"),
    ]
    assert set(np.array(score.notes)[:, 4]) == {0}
    assert [(i.name, i.program) for i in score.instruments] == [("Klavier", 0)]


def test_a_rest_of_several_measures_is_shown_beside_them(tmp_path: Path) -> None:
    rest = "<Rest><durationType>measure</durationType><duration>{}</duration></Rest>"
    shown = f'<Measure len="8/4"><multiMeasureRest>2</multiMeasureRest><voice>{rest.format("8/4")}</voice></Measure>'
    score = read(document([FOUR + c("whole"), shown, rest.format("4/4"), rest.format("4/4"), c("whole")]), tmp_path)
    assert heads(score) == [(0, 60, 4), (12, 60, 4)]
    assert [bar.number for bar in score.bars] == [1, 2, 3, 4]


@pytest.mark.parametrize(("more", "number"), [("", 1), ("<startWithMeasureOne>0</startWithMeasureOne>", 2)])
def test_sections_number_their_bars(more: str, number: int, tmp_path: Path) -> None:
    section = f"<LayoutBreak><subtype>section</subtype>{more}</LayoutBreak>"
    first = f"<Measure>{section}<voice>{FOUR}{c('whole')}</voice></Measure>"
    assert [bar.number for bar in read(document([first, c("whole")]), tmp_path).bars] == [1, number]


def test_brackets(tmp_path: Path) -> None:
    start = '<Spanner type="Volta"><Volta><endings>{}</endings></Volta><next/></Spanner>'
    stop = '<Spanner type="Volta"><prev/></Spanner>'
    measures = [FOUR + c("whole"), start.format("1") + c("whole"), stop + start.format("2") + c("whole") + stop]
    measures[1] = f"<Measure><endRepeat>2</endRepeat><voice>{measures[1]}</voice></Measure>"
    assert [sorted(bar.endings) for bar in read(document(measures), tmp_path).bars] == [[], [1], [2]]


def test_a_staff_with_its_own_time_signature_is_stretched(tmp_path: Path) -> None:
    own = "<TimeSig><stretchN>3</stretchN><stretchD>2</stretchD><sigN>12</sigN><sigD>8</sigD></TimeSig>"
    score = read(
        document([own + c("quarter", "<dots>1</dots>") * 4], [FOUR + c("quarter") * 4], parts=FLUTE * 2), tmp_path
    )
    assert [(a, d) for a, _, d in heads(score)] == [(i // 2, 1) for i in range(8)]
    assert [bar.metre for bar in score.bars] == [(4, 4)]


def test_drums_and_changes_of_instrument(tmp_path: Path) -> None:
    drums = "<Part><Staff/><Instrument><longName>Drumset</longName><useDrumset>1</useDrumset></Instrument></Part>"
    change = '<InstrumentChange><Instrument><Channel><program value="72"/></Channel></Instrument></InstrumentChange>'
    score = read(document([FOUR + c("half") + change + c("half")], [FOUR + c("whole")], parts=FLUTE + drums), tmp_path)
    played = [
        score.instruments[row[5]] for row in sorted(np.array(score.notes).tolist(), key=lambda row: (row[4], row[0]))
    ]
    assert [(i.program, i.drums) for i in played] == [(73, False), (72, False), (None, True)]


def test_parts_made_from_the_score_are_not_read(tmp_path: Path) -> None:
    staff = f"<Staff><Measure><voice>{FOUR}{c('whole')}</voice></Measure></Staff>"
    assert len(heads(read(document([FOUR + c("whole")], after=f"<Score>{FLUTE}{staff}</Score>"), tmp_path))) == 1


def test_compressed(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("Thumbnails/thumbnail.png", "")
        archive.writestr("Excerpts/1/a.mscx", "<museScore/>")
        archive.writestr("score.mscx", document([FOUR + c("whole")]))
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="score.mscx"/></rootfiles></container>'
        )
    assert heads(read(data.getvalue(), tmp_path, "score.mscz")) == [(0, 60, 4)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<score-partwise/>", "root element is <score-partwise>"),
        (document([c("whole")], version="2.06"), "MuseScore 2.06; expected 3 or 4"),
        (document([]), "no part of it has a measure"),
        (document([c("whoopee")]), "duration is 'whoopee'"),
        (document([chord({200: 14}, "whole")]), "pitch 200"),
        (document([chord({60: 140}, "whole")]), "tpc 140"),
        (document(["<TimeSig><sigN>0</sigN><sigD>4</sigD></TimeSig>"]), "time signature is 0/4"),
        (document([c("whole", "<duration>999999/1</duration>")]), "a duration is"),
    ],
)
def test_what_is_no_score(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "score.mscx").write_text(text)
    with pytest.raises(BrokenScore, match=reason):
        musescore.read(tmp_path / "score.mscx")
