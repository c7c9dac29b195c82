"""Instrument codes of Humdrum (`*Ivioln`, `*Iflt`) as General MIDI programs.

Programs count from 0; an instrument that General MIDI does not have gets its nearest relative, if there is one.

Source: Humdrum Reference Manual, 1995, section 3; https://www.humdrum.org/instrument-codes; General MIDI, RP-003, 1991.
"""

from typing import NamedTuple

from music_interpret.music.formats.written import Instrument

_PROGRAMS = """
    0 piano forte; 4 rhode; 6 cemba; 7 clavi; 8 clest; 9 glock; 11 vibra; 12 marim; 13 xylo; 14 chime campn caril;
    15 dulc psalt; 16 hammd; 19 organ porta; 20 reedo physh; 21 accor ctina; 22 armon; 23 bando; 24 guitr liuto
    archl tiorb; 25 mando; 27 eguit; 33 bguit; 40 violn violp viols kit; 41 viola viold violt; 42 cello violb; 43
    cbass; 46 arpa; 47 timpa; 52 vox feme male nfant recit lyrsp drmsp colsp soprn cant mezzo alto calto ctenor
    lyrtn heltn tenor barit bspro bscan bass quint sextus false castr; 56 tromp cornt flugh corno; 57 tromt tromb;
    58 tuba ophic serp; 60 cor; 64 saxN saxS; 65 saxA; 66 saxT; 67 saxR saxB saxC; 68 oboe oboeD; 69 cangl; 70 fagot
    fag_c sarus rackt; 71 clars clarp clara clarb baset calam; 72 picco fife; 73 flt flt_a flt_b nokan; 74 fltds
    fltdn fltda fltdt fltdb; 75 panpi; 77 shaku; 79 ocari; 80 synth; 104 sitar; 105 banjo; 106 shami; 107 koto; 109
    bagpS bagpI cornm; 110 rebec; 111 chlms chlma chlmt zurna; 114 steel
"""
PROGRAM_OF_CODE = {code: int(program) for program, *codes in map(str.split, _PROGRAMS.split(";")) for code in codes}
PROGRAM_OF_CLASS = {"vox": 52, "klav": 0}
"""Of instrument classes (`*ICvox`), where one program speaks for all."""
DRUMS = frozenset(
    {
        "bdrum",
        "casts",
        "conga",
        "crshc",
        "drum",
        "drumP",
        "drumS",
        "fingc",
        "gong",
        "marac",
        "piatt",
        "ridec",
        "sdrum",
        "spshc",
        "tabla",
        "tambn",
        "tdrum",
        "tom",
        "trngl",
    }
)
"""Codes of percussion without a pitch."""
KEYBOARDS = frozenset(
    {
        "piano",
        "forte",
        "rhode",
        "cemba",
        "clavi",
        "clest",
        "hammd",
        "organ",
        "porta",
        "reedo",
        "physh",
        "accor",
        "bando",
        "synth",
        "arpa",
    }
)
"""Codes of instruments that are written on several staves."""


class Player(NamedTuple):
    """What the interpretations of a spine say of its instrument."""

    name: str = ""
    """`*I"Violin I`, or `*I:Violin I`, as older files have it."""
    abbreviation: str = ""
    """`*I'Vln.`."""
    code: str = ""
    """`*Ivioln`."""
    family: str = ""
    """`*ICvox`."""
    unpitched: bool = False
    """Whether its clef is that of percussion (`*clefX`)."""

    def after(self, token: str, heard: bool) -> "Player":
        """What is known after another interpretation; a new name or code after notes means another instrument."""
        sign, value = token[2:3], token[3:].strip()
        if token.startswith("*clef"):
            return self._replace(unpitched=token.startswith("*clefX"))
        if sign == "'":
            return self._replace(abbreviation=value)
        if sign == "C":
            return self._replace(family=value)
        before = Player(unpitched=self.unpitched) if heard else self
        if sign in ('"', ":"):
            return self if value in ("", self.name) else before._replace(name=value)
        code = token[2:].split("&")[0].strip()
        if code not in PROGRAM_OF_CODE and code not in DRUMS:
            code = code.rstrip("0123456789-_")
        return self if not code[:1].islower() or code == self.code else before._replace(code=code)

    def instrument(self) -> Instrument:
        """The instrument, with a program if a code states one."""
        program = PROGRAM_OF_CODE.get(self.code, None if self.code else PROGRAM_OF_CLASS.get(self.family))
        drums = self.unpitched or self.code in DRUMS or (self.family == "perc" and not self.code)
        return Instrument(self.name or self.abbreviation or self.code, program, drums)
