"""The instruments that notes are kept of: names over General MIDI programs, as the authors of MMT group them.

Source: salu133445/mmt, `representation.py`; programs by General MIDI, RP-003, 1991.
"""

# (instrument, its programs), the first program being the one it decodes to, in the order of their codes.
INSTRUMENTS = tuple(
    (name, tuple(int(p) for p in programs.split()))
    for name, _, programs in (
        line.strip().partition(": ")
        for line in """piano: 0 1 2 3
        electric-piano: 4 5
        harpsichord: 6
        clavinet: 7
        celesta: 8
        glockenspiel: 9
        music-box: 10
        vibraphone: 11
        marimba: 12
        xylophone: 13
        tubular-bells: 14
        dulcimer: 15
        organ: 16 17 18 20
        church-organ: 19
        accordion: 21
        harmonica: 22
        bandoneon: 23
        nylon-string-guitar: 24
        steel-string-guitar: 25
        electric-guitar: 26 27 28 29 30 31
        bass: 32
        electric-bass: 33 34 35
        slap-bass: 36 37
        synth-bass: 38 39
        violin: 40 110
        viola: 41
        cello: 42
        contrabass: 43
        harp: 46
        timpani: 47
        strings: 49 44 45 48
        synth-strings: 50 51
        voices: 52 53 54
        orchestra-hit: 55
        trumpet: 56 59
        trombone: 57
        tuba: 58
        horn: 60
        brasses: 61
        synth-brasses: 62 63
        soprano-saxophone: 64
        alto-saxophone: 65
        tenor-saxophone: 66
        baritone-saxophone: 67
        oboe: 68
        english-horn: 69
        bassoon: 70
        clarinet: 71
        piccolo: 72
        flute: 73
        recorder: 74
        pan-flute: 75
        ocarina: 79
        lead: 80 81 82 83 84 85 86 87
        pad: 88 89 90 91 92 93 94 95
        sitar: 104
        banjo: 105
        shamisen: 106
        koto: 107
        kalimba: 108
        bag-pipe: 109
        shehnai: 111
        melodic-tom: 117
        synth-drums: 118 119""".splitlines()
    )
)
PROGRAMS = frozenset(p for _, programs in INSTRUMENTS for p in programs)
NAME_OF_PROGRAM = {program: name for name, programs in INSTRUMENTS for program in programs}
"""Name of the instrument of each program that is kept."""
