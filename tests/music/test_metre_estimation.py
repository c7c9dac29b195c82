"""Estimates of metres: hand-made pieces in each metre, with upbeats, changes and short bars; what must not matter."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fit_metre_estimation import Known, Network, batch, batches, lessons, medley, near_duplicates, often, scaled
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from music_interpret.music import metre_network
from music_interpret.music.metre_estimation import FRAMES_AT_ONCE, estimate_metres, stretches
from music_interpret.music.metre_evidence import GAP, HEARD, N_EVIDENCE, Frames, evidence, lay_out
from music_interpret.music.metre_network import BAR_OF_SIGNATURE, LENGTHS, SIGNATURES, Opinion
from music_interpret.music.notes import PITCH, sort_notes
from music_interpret.tokens.mmt_tables import mmt_encoding

NONE = np.zeros((0, 5), np.int64)
ROOTS = (48, 53, 55, 48, 45, 50, 55, 48)
"""Of a bar's chord each, C major."""
Notes = list[tuple[int, int, int]]
"""(step, pitch, duration) of each note, 12 steps a quarter."""


def rows(notes: Notes, resolution: int = 12) -> np.ndarray:
    """Note array whose first beat is the one in which the first note starts."""
    step, pitch, duration = np.array(notes, np.int64).reshape(-1, 3).T * np.array([[resolution // 12], [1], [1]])
    step = step - step.min() // resolution * resolution
    columns = (step // resolution, step % resolution, pitch, duration * resolution // 12, np.zeros_like(step))
    return sort_notes(np.stack(columns, axis=1))


def bars(beats: list[int], n_bars: int, at: int = 0) -> Notes:
    """Bars of such beats, in steps: a bass note, chords after it, and a melody of one long note and shorter ones."""
    notes: Notes = []
    starts = np.cumsum([0, *beats[:-1]]).tolist()
    for number in range(n_bars):
        root, downbeat = ROOTS[number % len(ROOTS)], at + number * sum(beats)
        notes += [(downbeat, root, beats[0]), (downbeat, root + 28 - number % 3, beats[0])]
        for start, length in zip(starts[1:], beats[1:], strict=True):
            notes += [(downbeat + start, root + above, length) for above in (12, 16)]
            parts = 3 if length % 18 == 0 else 2
            notes += [
                (downbeat + start + part * length // parts, root + 26 - part, length // parts) for part in range(parts)
            ]
    return notes


def estimate(*songs: np.ndarray, resolution: int = 12) -> list[list[list[int]]]:
    """Estimated stretches of each song."""
    found, first = estimate_metres(np.concatenate(songs), np.cumsum([0, *map(len, songs)]), resolution)
    return [found[a:b].tolist() for a, b in itertools.pairwise(first)]


def line(*lengths: int) -> Frames:
    """Songs of so many frames."""
    each = np.array(lengths, np.int64)
    return Frames(GAP + np.cumsum(each + GAP) - (each + GAP), each, np.zeros_like(each), int((each + GAP).sum()) + GAP)


def opinion(frames: Frames, songs: list[list[tuple[int, int]]]) -> Opinion:
    """Of a network that knows the bars of songs: (frame of the downbeat, length) of each."""
    shape = (frames.total, len(LENGTHS))
    said = Opinion(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros((frames.total, len(SIGNATURES))))
    for first, total, song_bars in zip(frames.first, frames.length, songs, strict=True):
        said.downbeat[first : first + total] = -1
        for at, length in song_bars:
            said.length[first + max(at, 0) : first + at + length] += 0.1 * (np.array(LENGTHS) == length)
            if at >= 0:
                said.downbeat[first + at] = 3
    return said


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("upbeat", [0, 1, 4, 5])
def test_bars_of_each_length_with_upbeats(length: int, upbeat: int) -> None:
    frames = line(20 * length + upbeat)
    bars_there = [(at, length) for at in range(upbeat - length, 20 * length, length)]
    song, frame, metre = stretches(opinion(frames, [bars_there]), frames)
    assert song.tolist() == [0]
    assert frame.tolist() == [upbeat]
    assert BAR_OF_SIGNATURE[metre].tolist() == [length]


def test_changes_of_metre_and_short_bars_begin_new_stretches() -> None:
    """4/4 to 3/4; a bar of 3/4 that lacks a beat; and a song that does not change, alongside."""
    frames = line(16 * 10 + 12 * 10, 12 * 10 + 8 + 12 * 10, 64)
    change = [(16 * n, 16) for n in range(10)] + [(160 + 12 * n, 12) for n in range(10)]
    short = [(12 * n, 12) for n in range(10)] + [(120, 8)] + [(128 + 12 * n, 12) for n in range(10)]
    plain = [(16 * n, 16) for n in range(4)]
    song, frame, metre = stretches(opinion(frames, [change, short, plain]), frames)
    assert song.tolist() == [0, 0, 1, 1, 2]
    assert frame.tolist() == [0, 160, 0, 128, 0]
    assert BAR_OF_SIGNATURE[metre].tolist() == [16, 12, 12, 12, 16]


def test_one_odd_accent_is_no_change() -> None:
    frames = line(160)
    said = opinion(frames, [[(16 * n, 16) for n in range(10)]])
    said.downbeat[frames.first[0] + 71] = 3
    song, frame, _ = stretches(said, frames)
    assert frame.tolist() == [0]


def test_the_signature_is_the_likeliest_with_such_bars() -> None:
    frames = line(120)
    said = opinion(frames, [[(12 * n, 12) for n in range(10)]])
    said.signature[:, SIGNATURES.index((4, 4))] = 9
    said.signature[:, SIGNATURES.index((6, 8))] = 1
    _, _, metre = stretches(said, frames)
    assert SIGNATURES[metre[0]] == (6, 8)


@pytest.mark.parametrize("resolution", [12, 24])
@pytest.mark.parametrize(
    "beats, signature",
    [([12, 12, 12], (3, 4)), ([12, 12, 12, 12], (4, 4)), ([18, 18], (6, 8)), ([18] * 3, (9, 8)), ([18] * 4, (12, 8))],
)
@pytest.mark.parametrize("upbeat", [0, 6, 12])
def test_hand_made_pieces(beats: list[int], signature: tuple[int, int], upbeat: int, resolution: int) -> None:
    """A bar of the upbeat's beat and the next downbeat: an eighth starts half a beat into the song's first beat."""
    begun = [(-upbeat, 79, upbeat)] if upbeat else []
    (found,) = estimate(rows(begun + bars(beats, 16), resolution), resolution=resolution)
    downbeat = (12 if upbeat else 0) - (sum(beats) if upbeat else 0)
    assert found == [[downbeat * resolution // 12, *signature]]


def test_hand_made_changes() -> None:
    """A new metre, found at most a bar early, and a bar of 3/4 that lacks a beat, after twelve bars each."""
    change = rows(bars([12] * 4, 12) + bars([12] * 3, 12, 12 * 48))
    short = rows(bars([12] * 3, 12) + bars([12] * 3, 12, 12 * 36 - 12))
    (first, second), found = estimate(change, short)
    assert first == [0, 4, 4]
    assert second[1:] == [3, 4]
    assert second[0] in (12 * 48 - 36, 12 * 48)
    assert found == [[0, 3, 4], [12 * 36 - 12, 3, 4]]


def test_no_song_no_note_and_one_onset() -> None:
    chord = np.array([[0, 3, 60, 12, 0], [0, 3, 64, 12, 0]])
    found, first = estimate_metres(NONE, np.array([0]), 12)
    assert found.shape == (0, 3)
    assert first.tolist() == [0]
    assert estimate(NONE, chord, NONE, chord[:1]) == [[[0, 4, 4]]] * 4
    waltz = rows(bars([12] * 3, 8))
    assert estimate(NONE, waltz, chord, NONE)[1] == estimate(waltz)[0]


def test_frames_are_laid_apart_from_the_first_onset_on() -> None:
    song = np.array([[0, 6, 60, 12, 0], [0, 7, 40, 3, 0], [1, 0, 62, 1200, 0]])
    frames, onsets = lay_out(np.concatenate([song, song]), np.array([0, 3, 3, 6]), 12)
    assert frames.first.tolist() == [GAP, 2 * GAP + 3, 3 * GAP + 3]
    assert frames.length.tolist() == [3, 0, 3]
    assert frames.origin.tolist() == [2, 0, 2]
    assert np.flatnonzero(frames.inside()).tolist() == [*range(GAP, GAP + 3), *range(3 * GAP + 3, 3 * GAP + 6)]
    assert (onsets.frame[:3] - GAP).tolist() == [0, 0, 2]
    assert onsets.pitch[:3].tolist() == [40, 60, 62]
    assert onsets.on_grid[:3].tolist() == [False, True, True]
    assert (onsets.end[:3] - GAP).tolist() == [1, 3, 3]  # no longer than the song
    values = evidence(frames, onsets)
    assert values.shape == (frames.total, N_EVIDENCE)
    assert np.isfinite(values).all()
    assert not values[~frames.inside()].any()
    np.testing.assert_array_equal(values[GAP : GAP + 3], values[3 * GAP + 3 : 3 * GAP + 6])


def test_notes_far_away_cost_nothing() -> None:
    far = np.array([[0, 0, 60, 12, 0], [2**31 - 1, 0, 60, 2**31 - 1, 0]])
    frames, onsets = lay_out(far, np.array([0, 2]), 12)
    assert frames.length.tolist() == [1]
    assert len(onsets.frame) == 1
    assert len(estimate(far)[0]) == 1
    assert HEARD * 3 < FRAMES_AT_ONCE


songs_of_notes = st.lists(
    st.tuples(st.integers(0, 300), st.integers(30, 90), st.integers(1, 60)), min_size=2, max_size=60
).map(rows)


@settings(max_examples=25, deadline=None)
@given(songs_of_notes, st.integers(-30, 30), st.integers(0, 9))
def test_neither_pitch_nor_beginning_matters(song: np.ndarray, transposed: int, beats_late: int) -> None:
    """Evidence is the same of a song that is transposed; estimates are, of one that begins later and has company."""
    frames, onsets = lay_out(song, np.array([0, len(song)]), 12)
    other = onsets._replace(pitch=onsets.pitch + transposed)
    np.testing.assert_allclose(evidence(frames, onsets), evidence(frames, other), atol=1e-5)
    assume(frames.length[0] > 1)
    alone = estimate(song)[0]
    later = estimate(rows(bars([12] * 3, 9)), song + [beats_late, 0, 0, 0, 0])[1]
    bar = alone[0][1] * 48 // alone[0][2]
    assert (later[0][0] - alone[0][0] - beats_late * 12) % bar == 0
    assert later[0][1:] == alone[0][1:]
    assert later[1:] == [[start + beats_late * 12, *signature] for start, *signature in alone[1:]]


def test_the_package_computes_what_was_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy and torch agree on two songs on one line, with weights at random."""
    torch.manual_seed(3)
    network = Network(8)
    network.save(tmp_path / "weights.safetensors")
    monkeypatch.setattr(metre_network, "WEIGHTS", tmp_path / "weights.safetensors")
    metre_network._weights.cache_clear()
    try:
        songs = [rows(bars([12] * 3, 5)), rows(bars([18] * 2, 7))]
        frames, onsets = lay_out(np.concatenate(songs), np.cumsum([0, *map(len, songs)]), 12)
        said = metre_network.judge(evidence(frames, onsets), frames)
        there = batch(lessons([(song, np.array([[0, 3, 4]])) for song in songs], 12))
        with torch.no_grad():
            expected = network(there.evidence, there.song).numpy()
    finally:
        metre_network._weights.cache_clear()
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.concatenate(said, axis=1), expected, atol=0.01)


def known_song(beats: list[int], *signature: int, upbeat: int = 0) -> Known:
    """24 bars of such beats, of which the first is one bar late but for `upbeat` steps, at which a note starts."""
    song = rows([(-upbeat, 79, upbeat)] * (upbeat > 0) + bars(beats, 24))
    start = (12 - sum(beats) if upbeat else 0, *signature)
    return Known(song[:, 0] * 12 + song[:, 1], song, np.array([start]), 12)


def test_medleys_join_at_a_downbeat_or_early() -> None:
    """The lessons that teach changes: what they say is a downbeat is one in the song it is from."""
    four, three = known_song([12] * 4, 4, 4), known_song([12] * 3, 3, 4)
    rng = np.random.default_rng(0)
    for _ in range(20):
        joined = medley(four, three, rng)
        assert joined
        notes, metres = joined
        assert metres[:, 1].tolist() == [4, 3]
        step = notes[:, 0] * 12 + notes[:, 1]
        assert (np.diff(step) >= 0).all()
        assert (notes[:, 3] > 0).all()
        at_join = notes[step == metres[1, 0]]
        assert at_join[:, PITCH].min() in ROOTS  # the bass of a downbeat


@pytest.mark.parametrize("doubled, signature", [(True, [3, 2]), (False, [3, 8])])
def test_a_song_in_other_note_values_has_the_same_downbeats(doubled: bool, signature: list[int]) -> None:
    song = known_song([12] * 3, 3, 4, upbeat=6)
    other = scaled(song, doubled)
    assert other
    assert other.metres[0, 1:].tolist() == signature
    found, expected = (lessons([(known.notes, known.metres)], known.resolution)[0] for known in (other, song))
    factor = 2 if doubled else 0.5
    assert len(found.length) == (len(expected.length) - 1) * factor + 1
    assert SIGNATURES[found.signature[0]] == tuple(signature)
    at = [np.flatnonzero(lesson.since == 0) for lesson in (found, expected)]
    assert at[0].tolist() == (at[1] * factor).tolist()
    assert (other.notes[:, 3] * 12 / other.resolution == song.notes[:, 3] * factor).all()
    assert (other.notes[:, PITCH] == song.notes[:, PITCH]).all()


def test_songs_with_bars_or_notes_too_long_or_short_keep_their_values() -> None:
    assert scaled(known_song([12] * 3, 3, 4), False)
    assert scaled(known_song([24, 24, 24, 24], 4, 2), True) is None  # bars of 64 sixteenths
    assert scaled(known_song([12] * 2, 2, 4), False) is None
    three = known_song([12] * 3, 3, 4)
    fine = three._replace(step=three.step + 3, notes=three.notes + [0, 3, 0, 0, 0])
    assert scaled(fine, False) is None
    assert scaled(fine, True)


def test_rare_metres_come_oftener_than_common_ones() -> None:
    four, three = known_song([12] * 4, 4, 4), known_song([12] * 3, 3, 4)
    corpora = [lessons([(song.notes, song.metres) for song in songs], 12) for songs in ([four] * 256 + [three], [four])]
    times = often(corpora)
    assert times.tolist() == [0.5] * 256 + [4.0, 4.0]
    drawn = [song for line in batches(sum(corpora, []), times, np.random.default_rng(0)) for song in line]
    assert sum(song is corpora[0][-1] for song in drawn) == 4
    assert 100 < sum(len(song.length) == len(corpora[0][0].length) for song in drawn) - 4 < 156


def test_near_duplicates_are_found_across_data_sets(tmp_path: Path) -> None:
    """A tune of one collection and the same, transposed, of another."""
    rng = np.random.default_rng(0)
    tune, other = (
        rows([(12 * n, int(pitch), 12) for n, pitch in enumerate(rng.integers(60, 72, 80))]) for _ in range(2)
    )
    for folder, songs in {"a": {"tune": tune, "other": other}, "b": {"same": tune + [0, 0, 5, 0, 0]}}.items():
        (tmp_path / folder / "notes").mkdir(parents=True)
        for name, notes in songs.items():
            np.save(tmp_path / folder / "notes" / f"{name}.npy", notes)
        (tmp_path / folder / "names.txt").write_text("".join(f"{name}\n" for name in sorted(songs)))
        (tmp_path / folder / "notes" / "encoding.json").write_text(json.dumps(mmt_encoding(12)))
    found = near_duplicates([tmp_path / "a", tmp_path / "b"])
    assert set(found) == {("a", "tune"), ("b", "same")}
    assert len(set(found.values())) == 1
