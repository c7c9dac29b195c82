"""Programs of instruments by their names in scores: English, Italian, German, French and Spanish, and abbreviations.

The name that stands first in a part's name decides, of those that begin at one place the longest: "Clarinet in B♭ 1",
"2. Violine", "Corno inglese" (an English horn, no horn), "Tenor Saxophone" (a saxophone, no tenor). Programs are those
of General MIDI (RP-003, 1991), from 0.
"""

import functools
import re
import unicodedata

VOICE_PROGRAM = 52
BOWED_STRINGS = frozenset({40, 41, 42, 43})

_VOICES = """soprano sopran sopranos soprani mezzosoprano mezzo treble alto alt altos alti contralto kontraalt tenor
    tenore tenors tenori ténor baritone bariton baritono barytone bass basso basse bassi basses cantus canto quintus
    quinto sextus sesto superius contratenor countertenor haute-contre altus bassus triplum motetus duplum tiple voice
    voices vocal vocals vox choir chorus coro chor choeur gesang gesangstimme singstimme stimme voix voce voz canto
    männerchor frauenchor kinderchor"""
_SINGLE_LETTERS = frozenset("satb")  # of singers, where they are the whole name
_NAMES = {
    0: """piano pianoforte fortepiano klavier hammerklavier flügel grand-piano pno pf klav""",
    4: """electric-piano e-piano rhodes""",
    6: """harpsichord cembalo clavicembalo clavecin cembal spinet virginal clave clavicord clavichord hpd
        basso-continuo continuo generalbass""",
    7: """clavinet""",
    8: """celesta celeste cel""",
    9: """glockenspiel campanelli glsp""",
    10: """music-box carillon""",
    11: """vibraphone vibraphon vibrafono vib""",
    12: """marimba""",
    13: """xylophone xylophon xilofono silofono xyl""",
    14: """tubular-bells chimes bells campane glocken röhrenglocken cloches""",
    15: """dulcimer cimbalom zimbal hackbrett""",
    19: """organ orgel organo orgue organum pipe-organ church-organ positiv org""",
    20: """harmonium reed-organ""",
    21: """accordion akkordeon accordéon fisarmonica""",
    22: """harmonica mundharmonika""",
    23: """bandoneon concertina""",
    24: """guitar gitarre guitare guitarra chitarra classical-guitar acoustic-guitar nylon-guitar lute laute liuto luth
        theorbo tiorba theorbe chitarrone archlute arciliuto vihuela ukulele gtr git""",
    25: """steel-guitar steel-string-guitar twelve-string-guitar mandolin mandoline mandolino""",
    27: """electric-guitar e-gitarre guitare-électrique chitarra-elettrica""",
    32: """acoustic-bass upright-bass""",
    33: """electric-bass bass-guitar e-bass bassgitarre basse-électrique""",
    40: """violin violino violine violon violini violinen violins violons violines fiddle geige vln vl vn""",
    41: """viola violas viole bratsche bratschen alto-viola viola-da-braccio vla va""",
    42: """cello violoncello violoncelle violoncelli celli violoncell violoncel cellos violonchelo vlc vc viola-da-gamba
        gamba viol viols gambe basse-de-viole bass-viol tenor-viol treble-viol viola-bastarda""",
    43: """contrabass contra-bass double-bass contrabasso contrebasse kontrabass kontrabaß contrabajo violone
        string-bass cb kb db""",
    46: """harp harfe arpa harpe hp""",
    47: """timpani timpano pauken pauke timbales kettledrum kettledrums timp""",
    48: """strings string-ensemble archi streicher cordes""",
    56: """trumpet tromba trompete trompette trompeta trombe trompeten clarino clarini clarin cornet cornett cornetto
        cornetta kornett zink zinck cornetti piccolo-trumpet flugelhorn flügelhorn tr trp tpt""",
    57: """trombone trombones posaune posaunen tromboni trombón alto-trombone tenor-trombone bass-trombone altposaune
        tenorposaune bassposaune trb tbn pos sackbut""",
    58: """tuba bass-tuba basstuba euphonium baritone-horn tenor-horn tenorhorn ophicleide serpent""",
    60: """horn french-horn corno corni horns hörner waldhorn cor cors trompa natural-horn hn hr cor-1 cor-2""",
    61: """brass blechbläser ottoni cuivres""",
    64: """soprano-saxophone soprano-sax sopransaxophon sassofono-soprano""",
    65: """alto-saxophone alto-sax altsaxophon saxophone saxophon sax sassofono sassofono-contralto""",
    66: """tenor-saxophone tenor-sax tenorsaxophon sassofono-tenore""",
    67: """baritone-saxophone baritone-sax baritonsaxophon bass-saxophone sassofono-baritono""",
    68: """oboe oboen oboi hautbois oboe-d'amore oboe-damore hautboy ob""",
    69: """english-horn corno-inglese cor-anglais englischhorn oboe-da-caccia eh""",
    70: """bassoon fagotto fagott bassoons fagotti fagotte basson bassons fagot contrabassoon contrafagotto kontrafagott
        contrebasson double-bassoon dulcian dulzian bsn fg fag""",
    71: """clarinet clarinetto klarinette clarinette clarinets clarinetti klarinetten clarinete bass-clarinet
        clarinetto-basso bassklarinette clarinette-basse basset-horn bassetthorn corno-di-bassetto cor-de-basset
        alto-clarinet cl klar""",
    72: """piccolo flauto-piccolo ottavino petite-flûte piccoloflöte kleine-flöte picc""",
    73: """flute flauto flöte flûte flutes flauti flöten flauta traverso querflöte flauto-traverso alto-flute bass-flute
        altflöte fl""",
    74: """recorder blockflöte flauto-dolce flûte-à-bec flauto-diritto treble-recorder alto-recorder tenor-recorder
        soprano-recorder descant-recorder bass-recorder altblockflöte""",
    75: """pan-flute panflöte""",
    79: """ocarina""",
    104: """sitar""",
    105: """banjo""",
    106: """shamisen""",
    107: """koto""",
    108: """kalimba""",
    109: """bagpipe bagpipes bag-pipe dudelsack cornemuse gaita""",
    111: """shehnai shawm bombarde schalmei""",
    VOICE_PROGRAM: _VOICES,
}


def _plain(name: str) -> str:
    """Lower case without accents, words separated by one space."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^a-z0-9']+", " ", letters).split())


@functools.cache
def _programs() -> dict[str, int]:
    return {_plain(name): program for program, names in _NAMES.items() for name in names.split()}


@functools.cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_programs(), key=len, reverse=True)
    return re.compile(r"(?<![a-z0-9'])(" + "|".join(map(re.escape, longest_first)) + r")s?(?![a-z'])")


@functools.lru_cache(2**12)
def program_of_name(name: str) -> int | None:
    """General MIDI program of a part's name, None if it names no instrument known here.

    Examples:
        >>> program_of_name("Clarinetto in Si♭ II"), program_of_name("Tenor"), program_of_name("Part 1")
        (71, 52, None)
    """
    plain = _plain(name)
    if re.sub(r"[ 0-9']", "", plain) in _SINGLE_LETTERS:
        return VOICE_PROGRAM
    found = _pattern().search(plain)
    return _programs()[found[1]] if found else None


def guess_program(name: str, default: int | None) -> int:
    """Program of a part with only a name.

    Args:
        name: as the score has it.
        default: program of parts that are no bowed strings; None goes by the name, and takes a piano for the unknown.
    """
    program = program_of_name(name)
    if default is not None:
        return program if program in BOWED_STRINGS else default
    return 0 if program is None else program
