"""Concepts that all tokens have, also those that are no notes, and the library of all concepts for a scheme."""

import dataclasses

import numpy as np

from music_interpret.music.concepts.concept import NONE, Concept, Tokens, concept
from music_interpret.music.concepts.library import BUILT_IN
from music_interpret.music.concepts.token import MMT
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.tokens.scheme import TokenScheme

MIDI = "General MIDI, RP-003, 1991"
FAMILIES = (
    "piano",
    "chromatic percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth lead",
    "synth pad",
    "synth effects",
    "ethnic",
    "percussive",
    "sound effects",
)
INSTRUMENT_NAMES = tuple(name for name, _ in INSTRUMENTS)
INSTRUMENT_OF_PROGRAM = np.full(129, NONE)  # the last entry, which -1 points to, stays "none"
for _number, (_, _programs) in enumerate(INSTRUMENTS):
    INSTRUMENT_OF_PROGRAM[list(_programs)] = _number
PLACE_EDGES = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512)


@concept("instrument", group="token", leakage="given", values=INSTRUMENT_NAMES, reference=MMT, of="token", many=True)
def instrument(tokens: Tokens) -> np.ndarray:
    """The instrument of a note or of a token that names one."""
    return INSTRUMENT_OF_PROGRAM[tokens.program]


@concept("instrument family", group="token", leakage="given", values=FAMILIES, reference=MIDI, of="token", many=True)
def family(tokens: Tokens) -> np.ndarray:
    """The General MIDI family of the instrument: eight programs each."""
    return np.where(tokens.program == NONE, NONE, tokens.program // 8)


@concept(
    "place in the sequence",
    group="token",
    leakage="given",
    values=(
        "0",
        "1",
        "2",
        "3",
        "4-5",
        "6-7",
        "8-11",
        "12-15",
        "16-31",
        "32-63",
        "64-127",
        "128-255",
        "256-511",
        "512 on",
    ),
    reference=MMT,
    of="token",
    many=True,
)
def place(tokens: Tokens) -> np.ndarray:
    """How many tokens come before it."""
    return np.searchsorted(PLACE_EDGES, tokens.place, side="right")


def token_type(kinds: tuple[str, ...]) -> Concept:
    """The concept "type", whose values are a scheme's kinds of tokens."""

    @concept("type", group="token", leakage="given", values=kinds, reference=MMT, of="token", many=True)
    def kind(tokens: Tokens) -> np.ndarray:
        """Which kind of token it is, such as a note, an instrument, or a sign of start or end."""
        return tokens.kind

    return kind


def library(scheme: TokenScheme) -> tuple[Concept, ...]:
    """All built-in concepts as they hold for a scheme's tokens, in the order of their groups."""
    found = (token_type(scheme.kinds), instrument, family, place, *BUILT_IN)
    return tuple(as_stated(concept, scheme) for concept in found)


def as_stated(concept: Concept, scheme: TokenScheme) -> Concept:
    """The concept with its leakage class under a scheme: what a completing token does not itself state of its note is
    known from earlier tokens, so `past` and not `given`.
    """
    if concept.leakage == "given" and concept.of == "note" and not concept.reads <= scheme.states:
        return dataclasses.replace(concept, leakage="past")
    return concept
