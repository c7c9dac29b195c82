"""Agreement with experts in words says what was measured, and of what."""

from music_interpret.features.reliability_words import (
    CORPORA,
    agreement_lines,
    agreement_short,
    agreement_words,
    corpus_title,
    value_range,
)
from music_interpret.music.concepts.reliability import measured_concepts, noted, reliability


def row(corpus, value):
    return {"corpus": corpus, "notes": 100, "value": value, "interval": [value - 0.1, value + 0.1]}


KEY = {
    "of": "local key",
    "measure": "accuracy",
    "range": [0.443, 0.774],
    "corpora": [row("ABC", 0.443), row("x_y", 0.774)],
}
NON_CHORD = {"of": "non-chord note", "measure": "F1", "range": [0.63, 0.63], "corpora": [row("corelli", 0.63)]}
DOWNBEAT = {
    "of": "downbeat, the metre hidden",
    "measure": "MCC",
    "range": [0.36, 0.79],
    "corpora": [row("ABC", 0.36), row("corelli", 0.79)],
    "estimated_metres": 1200,
    "songs": 2400,
}


def test_ranges():
    assert [value_range(note) for note in (KEY, NON_CHORD, DOWNBEAT)] == ["44–77 %", "F1 0.63", "MCC 0.36–0.79"]
    assert agreement_short("local key", KEY) == "44–77 %"
    assert agreement_short("leading tone", KEY) == "local key 44–77 %"


def test_sentences():
    assert agreement_words("local key", KEY) == "local key agrees with experts on 44–77 % of notes"
    leading = agreement_words("leading tone", KEY)
    assert leading == "leading tone rests on the local key, which agrees with experts on 44–77 % of notes"
    assert agreement_words("non-chord note", NON_CHORD) == "non-chord note agrees with experts with F1 0.63"
    assert agreement_words("syncopation", DOWNBEAT) == (
        "syncopation rests on the metre, estimated for 1,200 of 2,400 songs; estimated downbeats agree with the score "
        "with MCC 0.36–0.79"
    )
    lines = agreement_lines(["pitch", "mode", "leading tone"], {"leading tone": KEY})
    assert lines == [f"{leading} (Beethoven, x y)"]


def test_every_measured_corpus_has_a_title():
    corpora = {agreement.corpus for name in measured_concepts() for agreement in reliability(name)}
    assert corpora == set(CORPORA)
    assert corpus_title("ABC") == "Beethoven, string quartets"


def test_what_is_noted_of_a_concept():
    root = noted("chord root", 0, 10)
    assert root is not None and root["of"] == "chord root" and "songs" not in root
    values = [corpus["value"] for corpus in root["corpora"]]
    assert root["range"] == [min(values), max(values)] and len(values) == len(reliability("chord root"))
    assert noted("tonic note", 0, 10) == noted("local key", 3, 10)
    assert noted("downbeat", 0, 10) is None and noted("pitch", 3, 10) is None
    hidden = noted("metre", 3, 10)
    assert hidden is not None and hidden["of"] == "metre, the metre hidden"
    assert (hidden["estimated_metres"], hidden["songs"]) == (3, 10)
