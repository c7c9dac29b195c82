import re

from music_interpret.features.label_words import best_names, described
from music_interpret.music.concepts.reliability import noted

BASE = {
    "why": "kept: it is so",
    "mcc": 0.7,
    "f1": 0.7,
    "always_on_f1": 0.1,
    "precision": 0.8,
    "recall": 0.6,
    "base_rate": 0.05,
    "identity": "pitch: C4",
    "identity_f1": 0.2,
    "gain": 0.5,
    "needs": "past",
}


def name(latent, words, low, **changes):
    columns = words.split(" and ")
    return (
        BASE | {"latent": latent, "name": words, "rule": words, "columns": columns, "mcc_interval": (low, 1)} | changes
    )


def test_the_best_names_vary_and_the_first_half_says_more_than_the_token():
    names = [
        name(0, "bass: C", 0.9),
        name(1, "bass: D", 0.8),
        name(2, "downbeat", 0.4),
        name(3, "pitch: C4", 0.95, needs="given", gain=0.0),
        name(4, "next token: bass: E", 0.7, needs="next", gain=0.05),
        name(5, "leading tone", 0.6) | {"name": None},
    ]
    assert [chosen["latent"] for chosen in best_names(names, 4)] == [0, 2, 3, 1]
    assert [chosen["latent"] for chosen in best_names(names, 12)] == [0, 2, 1, 3, 4]
    assert best_names([], 12) == []


def test_a_name_in_words():
    text = described(name(7, "bass: C and downbeat", 0.5), {})
    assert text.startswith("latent 7: bass: C and downbeat\n") and "MCC 0.70 [0.50, 1.00]" in text
    assert "needs tokens before it; the token's own pitch: C4 reaches F1 0.20; kept: it is so" in text
    assert "no name; the nearest is: downbeat" in described(name(7, "downbeat", 0.1) | {"name": None}, {})
    nothing = described({"latent": 3, "rule": "", "why": "none: no concept goes with it"}, {})
    assert nothing == "latent 3: no name (none: no concept goes with it)"
    assert "states this itself" in described(name(7, "pitch: C4", 0.5, needs="given"), {})


def test_a_name_says_how_far_its_concepts_agree_with_experts():
    known = {"chord root": noted("chord root", 0, 4), "pitch": None}
    text = described(name(7, "chord root: C and next token: chord root: G and pitch: C4", 0.5), known)
    assert len(text.splitlines()) == 4
    assert re.search(r"\n  chord root agrees with experts on \d\d–\d\d % of notes \(Corelli, Beethoven, .*\)$", text)
