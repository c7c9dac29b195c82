"""The script behind the soundfont, on the soundfont that it made: what it keeps sounds as before."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from music_interpret.errors import InputError
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.music.sampler import Sampler
from music_interpret.music.sf3 import read_font
from music_interpret.music.sound import FONT

SCRIPT = Path(__file__).parents[2] / "scripts" / "trim_soundfont.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("trim_soundfont", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def font():
    return read_font(FONT.read_bytes(), "the font")


def test_the_font_has_a_preset_for_each_instrument_and_is_small(font, script):
    presets = font.tables["phdr"][:-1]
    assert presets["program"].tolist() == sorted(programs[0] for _, programs in INSTRUMENTS)
    assert FONT.stat().st_size <= script.MAX_BYTES
    assert b"NOTICE.md" in font.info["ICMT"] and b"Frank Wen" in font.info["ICOP"]


def test_the_notice_lies_beside_the_font_and_has_the_licence():
    notice = (FONT.parent / "NOTICE.md").read_text(encoding="utf-8")
    assert FONT.name in notice and "Permission is hereby granted, free of charge" in notice
    assert "Michael Cowgill" in notice and "Frank Wen" in notice


def test_writing_what_was_read_gives_the_same_file(font, script):
    assert script.to_bytes(font) == FONT.read_bytes()


def test_trimming_keeps_the_sound_of_what_is_kept(font, script):
    data = script.to_bytes(script.trim(font, [73, 14, 23]))
    assert data == script.to_bytes(script.trim(font, [14, 23, 73]))
    small = read_font(data, "the smaller font")
    assert small.tables["phdr"]["program"][:-1].tolist() == [14, 23, 73]
    assert len(small.tables["shdr"]) < len(font.tables["shdr"]) / 5
    before, after = Sampler(font, 44100), Sampler(small, 44100)
    for program in (14, 23, 73):
        sounds = [sampler.note(program, 64, 11025) for sampler in (before, after)]
        assert np.corrcoef(*sounds)[0, 1] > 0.97


def test_a_program_can_be_raised_and_the_others_stay(font, script):
    sampler = Sampler(script.trim(font, [68, 73], raised={73: 12, 40: 3}), 44100)
    for program, hertz in ((73, 880), (68, 440)):
        spectrum = np.abs(np.fft.rfft(sampler.note(program, 69, 44100)[:44100]))
        assert spectrum[20 : hertz - 20].max() < 0.2 * spectrum.max()
        assert spectrum[hertz - 10 : hertz + 10].max() > 0.1 * spectrum.max()


def test_a_program_without_a_preset(font, script):
    with pytest.raises(InputError, match="no preset in bank 0 for program 2, 127"):
        script.trim(font, [0, 127, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(SCRIPT), "{}/out.sf3"], "is not a readable SF3 soundfont (it does not start as one)"),
        (["{}/none.sf3", "{}/out.sf3"], "missing soundfont"),
        ([str(FONT), "{}/out.sf3", "--quality", "2"], "--quality is 2.0; expected 0 to 1"),
    ],
)
def test_bad_input_is_one_line(script, tmp_path, capsys, arguments, message):
    assert script.main([argument.format(tmp_path) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert not (tmp_path / "out.sf3").exists()
