"""How far concepts agree with experts, in words: what `music/concepts/reliability.py` notes in labels.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from music_interpret.music.concepts.reliability import HIDDEN

CORPORA = {
    "ABC": "Beethoven, string quartets",
    "corelli": "Corelli, trio sonatas",
    "grieg_lyric_pieces": "Grieg, lyric pieces",
    "monteverdi_madrigals": "Monteverdi, madrigals",
    "mozart_piano_sonatas": "Mozart, piano sonatas",
    "schumann_kinderszenen": "Schumann, Kinderszenen",
}
"""What the corpora of github.com/DCMLab hold."""


def corpus_title(corpus: str) -> str:
    """What a corpus holds: composer, works."""
    return CORPORA.get(corpus, corpus.replace("_", " "))


def value_range(note: dict[str, Any]) -> str:
    """The smallest and the largest agreement over corpora: "74–90 %", "F1 0.63–0.81"."""
    percent = note["measure"] == "accuracy"
    ends = [f"{100 * value:.0f}" if percent else f"{value:.2f}" for value in note["range"]]
    between = "–".join(dict.fromkeys(ends))
    return f"{between} %" if percent else f"{note['measure']} {between}"


def agreement_short(concept: str, note: dict[str, Any]) -> str:
    """The range, with what it is of where that is not the concept itself."""
    of = note["of"].removesuffix(HIDDEN)
    return value_range(note) if of == concept else f"{of} {value_range(note)}"


def agreement_words(concept: str, note: dict[str, Any]) -> str:
    """The same in a sentence without its full stop."""
    found = f"on {value_range(note)} of notes" if note["measure"] == "accuracy" else f"with {value_range(note)}"
    of = note["of"].removesuffix(HIDDEN)
    if note["of"].endswith(HIDDEN):
        songs = f"{note['estimated_metres']:,} of {note['songs']:,} songs"
        return f"{concept} rests on the metre, estimated for {songs}; estimated {of}s agree with the score {found}"
    return f"{concept} {'' if of == concept else f'rests on the {of}, which '}agrees with experts {found}"


def agreement_lines(concepts: Sequence[str], reliability: Mapping[str, dict[str, Any]]) -> list[str]:
    """A line for each concept of which something is noted, with the composers it was measured on."""
    lines = []
    for concept in concepts:
        if note := reliability.get(concept):
            composers = (corpus_title(row["corpus"]).partition(",")[0] for row in note["corpora"])
            lines.append(f"{agreement_words(concept, note)} ({', '.join(composers)})")
    return lines
