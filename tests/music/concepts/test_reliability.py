"""What is known of agreement with experts is of concepts that there are, and can be read."""

import numpy as np

from music_interpret.music.concepts.library import BUILT_IN
from music_interpret.music.concepts.reliability import HIDDEN, RESTS_ON, measured_concepts, reliability


def test_agreement_is_of_concepts_and_within_its_interval() -> None:
    names = {concept.name for concept in BUILT_IN}
    for name in measured_concepts():
        assert name.split(", ")[0] in names
        for agreement in reliability(name):
            assert agreement.measure in ("accuracy", "F1", "MCC")
            assert agreement.notes > 0
            low, high = agreement.interval
            assert -1 <= low <= agreement.value <= high <= 1


def test_what_was_aimed_at_is_what_is_reported() -> None:
    """On the three corpora that the first version of these concepts was measured on."""
    for name, least in (("chord root", 0.8), ("chord quality", 0.7), ("inversion", 0.75), ("non-chord note", 0.5)):
        values = {agreement.corpus: agreement.value for agreement in reliability(name)}
        assert np.all(np.array([values[corpus] for corpus in ("corelli", "ABC", "mozart_piano_sonatas")]) >= least)
    assert reliability("no such concept") == []


def test_what_rests_on_a_measured_concept_is_a_concept_of_its_own() -> None:
    names, measured = {concept.name for concept in BUILT_IN}, set(measured_concepts())
    assert set(RESTS_ON) <= names - measured
    assert set(RESTS_ON.values()) <= measured
    of_metre = {concept.name for concept in BUILT_IN if concept.group == "metre"}
    assert of_metre <= {name for name, of in RESTS_ON.items() if of.endswith(HIDDEN)}
    of_key = {concept.name for concept in BUILT_IN if concept.group == "key"}
    assert of_key <= set(RESTS_ON) | measured
