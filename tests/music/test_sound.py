import io
import sys
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music_interpret.errors import InputError
from music_interpret.music import ogg, sound
from music_interpret.music.instruments import INSTRUMENTS
from music_interpret.music.sound import PEAK, RATE, RELEASE_SECONDS, Sound, ogg_bytes, render, wav_bytes

FIRST_PROGRAMS = {name: programs[0] for name, programs in INSTRUMENTS}
TAIL = round(RELEASE_SECONDS * RATE)
# Drums, bells and hits have no harmonic spectrum to measure a pitch by.
UNPITCHED = {"timpani", "tubular-bells", "glockenspiel", "orchestra-hit", "melodic-tom", "synth-drums"}


@pytest.fixture
def other_font(monkeypatch):
    """Call it with a path: sounds are then made with the soundfont there."""

    def use(path):
        monkeypatch.setattr(sound, "FONT", path)
        sound._player.cache_clear()

    yield use
    sound._player.cache_clear()


def one(pitch=69, program=0, beat=0, position=0, duration=24):
    return np.array([[beat, position, pitch, duration, program]])


def at_120(notes, **options):
    """Rendered at 12 steps per beat and 24 steps a second."""
    return render(notes, resolution=12, tempo_qpm=120, **options).samples


def cents_off(samples, pitch):
    """How far the harmonics that fit a sound best are from those of a pitch, within ± 150 cents, in steps of 2."""
    n = 1 << 15
    spectrum = np.abs(np.fft.rfft(samples[:n] * np.hanning(len(samples[:n])), 8 * n))
    cents = np.arange(-150, 151, 2)
    hertz = 440 * 2 ** ((pitch - 69) / 12 + cents / 1200)
    places = np.arange(len(spectrum)) * RATE / (8 * n)
    return cents[np.argmax(sum(np.interp(h * hertz, places, spectrum) / h for h in range(1, 7)))]


@pytest.mark.parametrize("name", FIRST_PROGRAMS)
def test_every_instrument_sounds_from_the_lowest_pitch_to_the_highest(name):
    for pitch in (0, 21, 48, 60, 72, 108, 127):
        samples = at_120(one(pitch, FIRST_PROGRAMS[name], duration=12))
        assert samples.dtype == np.float32 and np.isfinite(samples).all()
        # At 8 or 12,500 Hz little is left of most instruments.
        assert (0.02 if 36 <= pitch <= 96 else 0.002) < np.abs(samples).max() <= PEAK


@pytest.mark.parametrize("name", sorted(set(FIRST_PROGRAMS) - UNPITCHED))
def test_every_instrument_is_in_tune(name):
    samples = at_120(one(69, FIRST_PROGRAMS[name]))
    assert abs(cents_off(samples[4410:], 69)) <= 30


@pytest.mark.parametrize("name", sorted(set(FIRST_PROGRAMS) - UNPITCHED - {"organ"}))
def test_every_instrument_sounds_in_its_octave(name):
    spectrum = np.abs(np.fft.rfft(at_120(one(81, FIRST_PROGRAMS[name]))[1000:45100]))
    # A second of sound: the index is the frequency in hertz.
    assert spectrum[20:830].max() < 0.35 * spectrum.max()
    assert spectrum[860:900].max() > 0.1 * spectrum.max()


def test_the_organ_plays_its_note_and_the_octave_below():
    spectrum = np.abs(np.fft.rfft(at_120(one(60, FIRST_PROGRAMS["organ"]))[1000:45100]))
    assert spectrum[20:120].max() < 0.1 * spectrum.max()
    for octave in (131, 262):
        assert spectrum[octave - 5 : octave + 6].max() > 0.5 * spectrum.max()


def test_pitches_of_one_instrument_are_in_tune():
    for pitch in range(36, 96, 7):
        assert abs(cents_off(at_120(one(pitch, 0))[2000:], pitch)) <= 8


@pytest.mark.parametrize(
    ("position", "tempo", "resolution", "frame"),
    [(0, 120, 12, 44100), (3, 120, 12, 49612), (6, 60, 12, 110250), (1, 90, 24, 60025)],
)
def test_a_note_starts_on_its_frame(position, tempo, resolution, frame):
    samples = render(one(84, 13, beat=2, position=position), resolution=resolution, tempo_qpm=tempo).samples
    assert not samples[: frame - 1].any()
    # A xylophone is as loud as it gets within 5 ms.
    assert np.abs(samples[frame : frame + 220]).max() > 0.5 * np.abs(samples).max()


def test_an_excerpt_begins_at_its_first_step_and_leaves_out_what_began_before():
    notes = np.array([[0, 0, 48, 48, 0], [2, 0, 72, 12, 0], [4, 0, 84, 12, 0]])
    samples = at_120(notes, start=24, end=48)
    assert len(samples) == 44100 + TAIL
    np.testing.assert_array_equal(samples, at_120(one(72, duration=12), end=24))


def test_notes_are_cut_at_the_end_and_the_sound_fades_out():
    samples = at_120(one(60, 19, duration=240), end=24)
    assert len(samples) == 44100 + TAIL
    assert np.abs(samples[43000:44100]).max() > 0.02
    assert np.abs(samples[-50:]).max() < 1e-3
    quarters = [np.abs(part).max() for part in np.split(samples[44100 : 44100 + TAIL // 4 * 4], 4)]
    assert quarters == sorted(quarters, reverse=True)


def test_without_an_end_the_sound_lasts_until_the_last_note_ends():
    notes = np.array([[0, 0, 60, 96, 0], [1, 0, 64, 12, 0]])
    assert len(at_120(notes)) == 4 * 44100 + TAIL
    assert len(at_120(notes, start=48)) == 2 * 44100 + TAIL
    assert not at_120(notes, start=48).any()


def test_no_notes_are_silence_of_the_right_length():
    nothing = np.zeros((0, 5), np.int64)
    samples = at_120(nothing, start=12, end=36)
    assert samples.shape == (44100 + TAIL,) and not samples.any()
    assert len(at_120(nothing)) == TAIL


def test_voices_add_up_and_one_left_out_leaves_the_others_as_loud():
    both = np.array([[0, 0, 60, 24, 52], [0, 0, 67, 24, 40]])
    total = at_120(both[:1], end=24) + at_120(both[1:], end=24)
    np.testing.assert_allclose(at_120(both, end=24), total, atol=1e-6)


def test_equal_and_overlapping_notes_of_one_pitch_all_sound():
    twice = np.array([[0, 0, 60, 48, 0], [1, 0, 60, 48, 0]])
    first, second = at_120(twice[:1], end=72), at_120(twice[1:], end=72)
    np.testing.assert_allclose(at_120(twice, end=72), first + second, atol=1e-6)


def test_a_crowd_of_notes_does_not_clip():
    crowd = np.array([[0, 0, pitch, 24, program] for pitch in range(30, 100, 2) for program in (19, 56, 61, 74)])
    assert np.abs(at_120(crowd)).max() == pytest.approx(PEAK, abs=1e-4)


def test_other_programs_sound_as_their_instrument_and_unknown_ones_as_the_nearest():
    np.testing.assert_array_equal(at_120(one(program=48)), at_120(one(program=49)))
    np.testing.assert_array_equal(at_120(one(program=127)), at_120(one(program=118)))


def test_the_order_of_notes_makes_no_difference_and_each_time_is_the_same():
    rng = np.random.default_rng(3)
    notes = np.stack([rng.integers(0, high, 40) for high in (8, 12, 128, 30, 128)], axis=1)
    np.testing.assert_array_equal(at_120(notes), at_120(notes[rng.permutation(40)]))
    assert ogg_bytes(Sound(at_120(notes), RATE)) == ogg_bytes(Sound(at_120(notes), RATE))


NOTES = st.lists(
    st.tuples(*[st.integers(0, top) for top in (12, 11, 127, 60, 127)]).filter(lambda note: note[3] > 0), max_size=12
).map(lambda rows: np.array(rows, np.int64).reshape(-1, 5))


@settings(max_examples=40, deadline=None)
@given(NOTES, st.integers(0, 100), st.integers(0, 100), st.floats(60, 240))
def test_any_notes_render_finite_and_unclipped_and_never_silent(notes, start, steps, tempo):
    samples = render(notes, resolution=12, tempo_qpm=tempo, start=start, end=start + steps).samples
    onsets = notes[:, 0] * 12 + notes[:, 1]
    assert len(samples) == round(steps * 60 / tempo / 12 * RATE) + TAIL
    assert np.isfinite(samples).all() and np.abs(samples).max(initial=0) <= PEAK + 1e-6
    assert samples.any() == ((onsets >= start) & (onsets < start + steps)).any()


def test_a_note_of_no_length_is_heard():
    assert np.abs(at_120(one(duration=0), end=12)).max() > 0.02


@pytest.mark.parametrize(("start", "end"), [(24, 12), (0, 24 * 60 * 31)])
def test_an_excerpt_that_cannot_be_played(start, end):
    with pytest.raises(InputError, match=f"steps {start} to {end} are no excerpt .* expected 0 to 30 minutes"):
        at_120(one(), start=start, end=end)


def test_threads_make_the_same_sounds(other_font):
    songs = [
        np.array([[0, 0, 50 + i, 12, program], [1, 0, 60, 12, 19]]) for i, program in enumerate((0, 40, 52, 73) * 4)
    ]
    expected = [at_120(notes) for notes in songs]
    # As when a server has just started: all of them want the soundfont at once.
    other_font(sound.FONT)
    with ThreadPoolExecutor(8) as threads:
        for samples, right in zip(threads.map(at_120, songs), expected, strict=True):
            np.testing.assert_array_equal(samples, right)


def test_wav_is_the_sound_in_16_bits():
    made = render(one(), resolution=12, tempo_qpm=120)
    with wave.open(io.BytesIO(wav_bytes(made))) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2") / 32767
    np.testing.assert_allclose(samples, made.samples, atol=1 / 32767)


def test_ogg_has_the_length_and_the_sound():
    made = render(one(60, 73), resolution=12, tempo_qpm=120)
    decoded = ogg.decode_ogg(ogg_bytes(made))
    assert len(decoded) == len(made.samples)
    assert np.corrcoef(decoded, made.samples)[0, 1] > 0.98


def test_minutes_of_sound_can_be_compressed():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * 120).astype(np.float32)
    assert len(ogg.decode_ogg(ogg_bytes(Sound(noise, RATE)))) == len(noise)


def test_ogg_without_soundfile_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match=r"pip install 'music-interpret\[explore\]'"):
        ogg_bytes(Sound(np.zeros(100, np.float32), RATE))


def test_an_ogg_that_is_none():
    with pytest.raises(InputError, match="not a readable Ogg sound"):
        ogg.decode_ogg(b"OggS and no more")


def test_the_font_that_comes_with_the_package_is_in_use():
    sound.warm()
    assert sound.font_problem() is None


def test_without_a_font_there_are_tones_and_a_sentence(other_font, tmp_path):
    other_font(tmp_path / "none.sf3")
    problem = sound.font_problem()
    assert problem == (
        f"Sounds are plain tones, because the soundfont cannot be used: missing soundfont {tmp_path / 'none.sf3'}."
    )
    sound.warm()
    samples = at_120(one(69, beat=2))
    assert not samples[:44100].any() and abs(cents_off(samples[44100:], 69)) <= 2
    for pitch in (0, 127):
        assert 0.01 < np.abs(at_120(one(pitch))).max() <= PEAK


def test_without_soundfile_there_are_tones_and_a_sentence(other_font, monkeypatch):
    other_font(sound.FONT)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert "needs the package soundfile" in (sound.font_problem() or "")
    assert at_120(one()).any()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"RIFF" + data[4:8] + b"WAVE" + data[12:],
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"igen", b"nope"),
        lambda data: data.replace(b"OggS", b"Sggo"),
        lambda data: data[:-92] + b"\xff" * 46 + data[-46:],
    ],
    ids=["empty", "other kind", "cut short", "table missing", "samples damaged", "table damaged"],
)
def test_a_damaged_font_gives_tones_and_a_sentence(other_font, tmp_path, damage):
    (tmp_path / "damaged.sf3").write_bytes(damage(sound.FONT.read_bytes()))
    other_font(tmp_path / "damaged.sf3")
    assert "the soundfont cannot be used" in (sound.font_problem() or "")
    assert at_120(one()).any()
