import json

import numpy as np
import pytest
from conftest import GOLDEN
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from music_interpret.errors import InputError
from music_interpret.music.dataset import open_dataset
from music_interpret.music.instruments import PROGRAMS
from music_interpret.music.pitches import pitch_name
from music_interpret.tokens.mmt import MMTScheme, load
from music_interpret.tokens.mmt_tables import KNOWN_DURATIONS, mmt_encoding
from music_interpret.tokens.scheme import Limits

TABLE = json.loads((GOLDEN / "data/base/sod/notes/encoding.json").read_text())
ENCODINGS = {resolution: MMTScheme.from_json(mmt_encoding(resolution), "table") for resolution in (12, 24)}
GOLDEN_CODES = np.load(GOLDEN / "golden_sod_ape.npz")
SCHEME = load(GOLDEN / "data/base/sod/notes")


def golden_songs():
    dataset = open_dataset(GOLDEN / "data/base/sod")
    for name, codes, mask in zip(GOLDEN_CODES["names"], GOLDEN_CODES["codes"], GOLDEN_CODES["mask"], strict=True):
        yield dataset, dataset.notes(str(name)), codes[mask]


def test_codes_are_the_original_implementations():
    for _, notes, codes in golden_songs():
        np.testing.assert_array_equal(SCHEME.encode(notes, Limits(96, 64)), codes)


def test_dump_is_the_original_implementations():
    dumps = [SCHEME.dump(codes) for _, _, codes in golden_songs()]
    assert "\n\n".join(dumps) == (GOLDEN / "golden_sod_dump.txt").read_text()


def test_our_table_at_resolution_12_is_the_authors():
    assert mmt_encoding(12) == TABLE


def test_resolutions_have_different_tables():
    assert ENCODINGS[24].sizes == (5, 1026, 25, 129, 25, 65)
    assert ENCODINGS[12].duration_codes[24] == 18 and ENCODINGS[24].duration_codes[24] == 10
    with pytest.raises(InputError, match="expected 12 or 24"):
        mmt_encoding(16)


def slow_encode(notes, table):
    """The encoding as section 3.1 of the paper tells it, a note at a time."""
    rows = [[0, 0, 0, 0, 0, 0]]
    instruments = {table["program_instrument_map"][str(program)] for program in notes[:, 4]} - {None}
    rows += sorted([1, 0, 0, 0, 0, table["instrument_code_map"][name]] for name in instruments)
    rows.append([2, 0, 0, 0, 0, 0])
    for beat, position, pitch, duration, program in notes.tolist():
        name = table["program_instrument_map"][str(program)]
        if name is not None and beat <= table["max_beat"]:
            duration = str(min(duration, table["max_duration"]))
            rows.append(
                [3, table["beat_code_map"][str(beat)], table["position_code_map"][str(position)]]
                + [table["pitch_code_map"][str(pitch)], table["duration_code_map"][duration]]
                + [table["instrument_code_map"][name]]
            )
    return np.array([*rows, [4, 0, 0, 0, 0, 0]])


def note_arrays(resolution, durations, programs):
    columns = [st.integers(0, 1100), st.integers(0, resolution - 1), st.integers(0, 127), durations, programs]
    rows = st.lists(st.tuples(*columns), min_size=1, max_size=40)
    return rows.map(lambda r: np.unique(np.array(r, np.int64), axis=0))


@given(note_arrays(12, st.integers(0, 500), st.integers(0, 127)))
def test_encoding_equals_the_definition(notes):
    np.testing.assert_array_equal(ENCODINGS[12].encode(notes), slow_encode(notes, TABLE))


FIRST_PROGRAMS = sorted(TABLE["instrument_program_map"].values())


@pytest.mark.parametrize("resolution", [12, 24])
@given(data=st.data())
def test_decoding_undoes_encoding(resolution, data):
    known = st.sampled_from(KNOWN_DURATIONS[resolution])
    notes = data.draw(note_arrays(resolution, known, st.sampled_from(FIRST_PROGRAMS)))
    notes = notes[notes[:, 0] <= 1024]
    encoding = ENCODINGS[resolution]
    np.testing.assert_array_equal(encoding.decode(encoding.encode(notes)), notes)


@given(note_arrays(12, st.integers(0, 500), st.integers(0, 127)))
def test_decoded_notes_encode_to_the_same_codes(notes):
    encoding = ENCODINGS[12]
    codes = encoding.encode(notes)
    again = encoding.encode(encoding.decode(codes))
    np.testing.assert_array_equal(again[again[:, 0] == 3], codes[codes[:, 0] == 3])


@given(hnp.arrays(np.int16, st.tuples(st.integers(0, 20), st.just(6)), elements=st.integers(0, 4)))
def test_any_codes_have_a_line_each(codes):
    assert len(ENCODINGS[12].lines(codes)) == len(codes)


def test_song_of_unknown_instruments_has_no_notes():
    codes = ENCODINGS[12].encode(np.array([[0, 0, 60, 12, 120], [1, 0, 60, 12, 127]]))
    np.testing.assert_array_equal(codes[:, 0], [0, 2, 4])
    assert ENCODINGS[12].decode(codes).shape == (0, 5)


def test_cut_song_keeps_its_end_and_its_instruments():
    notes = np.array([[beat, 0, 60, 12, program] for beat, program in ((0, 0), (1, 0), (2, 40), (9, 52))])
    codes = ENCODINGS[12].encode(notes, Limits(5, 9))
    np.testing.assert_array_equal(codes[:, 0], [0, 1, 1, 2, 4])  # voices come after the last beat, violin does not


def test_codes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="token 0: pitch 129 is out of range; expected 0 to 128"):
        ENCODINGS[12].lines(np.array([[3, 1, 1, 129, 1, 1]]))
    with pytest.raises(ValueError, match="has a field with no value"):
        ENCODINGS[12].decode(np.array([[3, 0, 1, 1, 1, 1]]))


def test_pitch_names():
    assert [pitch_name(p) for p in (0, 60, 61, 127)] == ["C-1", "C4", "C♯4", "G9"]


def test_known_programs():
    assert len(PROGRAMS) == sum(name is not None for name in TABLE["program_instrument_map"].values())


@pytest.mark.parametrize("key", ["resolution", "pitch_code_map", "instrument_program_map", "dimensions"])
def test_incomplete_table_is_refused(key):
    table = {k: v for k, v in TABLE.items() if k != key}
    with pytest.raises(InputError, match="x.json is not an MMT encoding .*" + key):
        MMTScheme.from_json(table, "x.json")


@given(st.data())
def test_a_line_is_the_same_alone(data):
    encoding = MMTScheme.from_json(mmt_encoding(), "")
    kind = data.draw(st.integers(0, 4))
    codes = np.array([[kind, *(data.draw(st.integers(0, n - 1)) for n in encoding.sizes[1:])]], np.int16)
    assert encoding.line(codes[0]) == encoding.lines(codes)[0]


@given(st.lists(note_arrays(12, st.integers(0, 500), st.integers(0, 127)), max_size=4))
def test_every_note_belongs_to_the_token_that_completes_it(songs):
    """Of many songs at once as of each alone; other tokens belong to no note."""
    scheme = ENCODINGS[12]
    tokens = [scheme.encode(notes) for notes in songs]
    first = np.cumsum([0, *map(len, tokens)])
    aligned = scheme.aligned(np.concatenate([np.zeros((0, 6), np.int16), *tokens]), first)
    note = 0
    for number, song in enumerate(tokens):
        np.testing.assert_array_equal(
            aligned.notes[aligned.first_note[number] : aligned.first_note[number + 1]], scheme.decode(song)
        )
        for place, token in enumerate(song):
            expected = note if token[0] == 3 else -1
            assert aligned.note[first[number] + place] == expected
            if expected >= 0:
                assert aligned.completing[note] == first[number] + place
                note += 1
    assert len(aligned.notes) == len(aligned.completing) == note


def test_the_tables_are_saved_as_they_were_read(tmp_path):
    SCHEME.save(tmp_path)
    source = GOLDEN / "data/base/sod/notes/encoding.json"
    assert (tmp_path / "encoding.json").read_bytes() == source.read_bytes()
    assert load(tmp_path).fields == SCHEME.fields


def test_short_text():
    notes = np.array([[beat, 0, 60 + 2 * (beat % 6), 12, 0] for beat in range(12)])
    tokens = ENCODINGS[12].encode(notes)[[0, 1, 2, 4, -1]]
    expected = ["start of song", "instrument: piano", "start of notes", "D4@1.0", "end of song"]
    assert ENCODINGS[12].short(tokens) == expected
