"""Programs of parts that only have names."""

import pytest

from music_interpret.music.instrument_names import guess_program, program_of_name


@pytest.mark.parametrize(
    ("name", "program"),
    {
        "Corno": 60,
        "Corni in F": 60,
        "Corno inglese": 69,
        "Cor anglais": 69,
        "Fagotto I": 70,
        "Recorders": 74,
        "2. Violine": 40,
        "Violons": 40,
        "VIOLA": 41,
        "Viola da gamba": 42,
        "Vlc.": 42,
        "Basso continuo": 6,
        "Kontrabaß": 43,
        "Contra Bass": 43,
        "Clarinetto in Si♭": 71,
        "Bass Clarinet": 71,
        "Tenor Saxophone": 66,
        "Alto Flute": 73,
        "Flauto piccolo": 72,
        "Bass Trombone": 57,
        "Bass Guitar": 33,
        "Électric Piano": 4,
        "Pianoforte": 0,
        "Cembalo": 6,
        "Ténor": 52,
        "[contratenor]": 52,
        "Cantus II": 52,
        "S.": 52,
        "B": 52,
        "Instrument B": None,
        "P1": None,
        "": None,
        "xyzzy": None,
    }.items(),
)
def test_names(name: str, program: int | None) -> None:
    assert program_of_name(name) == program


def test_a_default_gives_way_to_bowed_strings_alone() -> None:
    assert guess_program("Violino II.", 52) == 40
    assert guess_program("Oboe", 52) == 52
    assert guess_program("Oboe", None) == 68
    assert guess_program("xyzzy", None) == 0
