"""Plain words for the numbers and choices on the pages, for people who have never seen a sparse autoencoder."""

from music_interpret.features.reliability_words import value_range
from music_interpret.music.concepts.reliability import DOWNBEAT, of_measured

CHOSEN = {
    "top": ("Strongest", "The tokens with the largest activations, one of each song."),
    "quantiles": (
        "From strong to weak",
        "Firings at even steps from the strongest to the weakest: a clear feature keeps its meaning all the way down.",
    ),
    "random": ("By chance", "Firings drawn at random, however strong: what it mostly does."),
}
FIRES_WHEN = (
    "Bar: the fraction of its firings that have this value. Tick: the fraction of all tokens that have it. "
    "A bar that reaches beyond its tick means that it prefers this value."
)
HELP = {
    "latent": "A latent is one direction that the autoencoder found in what the model computes. It is off (0) for most "
    "tokens, and on, more or less strongly, for some. A feature is a latent that carries a name.",
    "activation": "How strongly the latent is on for a token. 0 is off; the scale is the latent's own.",
    "density": "The fraction of all tokens that it fires on, that is, is above 0.",
    "max": "Its largest activation over all songs.",
    "mean": "Its mean activation over the tokens it fires on.",
    "dead": "Fraction of latents that fire on no token. They are wasted.",
    "l0": "How many latents are on for a token, on average. Fewer are easier to read.",
    "fvu": "Fraction of variance unexplained: what is lost when the activations are rebuilt from the latents. 0 is a "
    "perfect copy, 1 no better than the mean.",
    "losses": "How much worse the model predicts the next token when the rebuilt activations take the place of its "
    "own, in nats per token.",
    "recovered": "Fraction of the model's ability that the rebuilt activations keep: 100 % as good as its own, 0 % as "
    "bad as no information at all.",
    "coverage": "Fraction of music-theory concept values that some latent finds with F1 over 0.5 on held-out songs. "
    "The controls show what other directions reach by the same test.",
    "context": "The same for concepts that a token does not state itself: they need the tokens around it, so the model "
    "had to compute them.",
    "named": "Fraction of live latents with a name that the test songs support.",
    "named_context": "The same, counting only names that need more than the token itself: the tokens around it, or the "
    "one that comes next.",
    "beyond_identity": "The same, counting only what is found better than by any property of the token itself, such as "
    "its pitch.",
    "monosemanticity": "For a latent's 20 strongest tokens of the test songs, the fraction for which its rule is true; "
    "the mean over latents.",
    "rule": "One to three music-theory concepts, joined by and / or, that say when this latent fires.",
    "precision": "Of the tokens on which the latent is on, the fraction for which the name is true.",
    "recall": "Of the tokens for which the name is true, the fraction on which the latent is on.",
    "f1": "Harmonic mean of precision and recall, from 0 to 1.",
    "mcc": "Matthews' correlation of “the latent is on” with “the name is true”: 1 always together, 0 chance. Unlike "
    "F1 it is not high for a latent that is always on.",
    "interval": "Where the figure lies for 95 % of re-drawn sets of test songs.",
    "always_on_f1": "The F1 of a latent that fires on every token: what F1 is worth here.",
    "base_rate": "Fraction of all tokens for which the name is true.",
    "gain": "F1 above that of the best property of the token itself, such as its pitch. At 0 or below, the name says "
    "no more than the token does.",
    "q": "False discovery rate: the fraction of such findings that chance gives. Below 0.05 counts as significant.",
    "needs": "What the name can be computed from: given – the token itself; past – the tokens before it; future – "
    "those after it too; next – it is a statement about the token that comes next.",
    "threshold": "The latent counts as on where its activation is at least this.",
    "agreement": "How far the program that finds this concept agrees with experts who annotated the same thing, on "
    "classical corpora that nothing was fitted on (pop and jazz were not measured). The scores of a name say how well "
    "the latent follows what the program finds, and that is not always what an expert says. Concepts without ≈ were "
    "not compared with experts; most of them follow from the notes by their definition.",
    "bars_estimated": "The source does not say where bars begin, so that is estimated from the notes. With the metre "
    f"of scores hidden, estimated downbeats agreed with the scores' own with {value_range(of_measured(DOWNBEAT))}, "
    "depending on the corpus (Matthews' correlation: 1 always, 0 chance).",
    "effects": "What the latent, at its strongest, adds to the model's scores (logits) for the next token, directly; "
    "what later layers make of it is not counted. Right: more likely; left: less likely.",
    "nearest_decoder": "Latents whose direction is most like this one's (cosine, 1 is the same direction).",
    "nearest_coactivation": "Latents that fire on the same tokens (1 always together, 0 never).",
    "histogram": "How many firings have which strength; the scale is logarithmic.",
    "map": "Each dot is a latent; latents whose directions are alike lie near each other (t-SNE). Only nearness has a "
    "meaning, not the axes.",
    "scatter": "Each dot is a latent: how often it fires, and how strong it gets.",
    "split": "train: the autoencoder learned from these songs; valid: names and thresholds were chosen on them; test: "
    "scores were measured on them.",
    "compare": "For each latent of this run the latent of the other whose activations go most with it over the same "
    "tokens (Pearson correlation, 1 is the same up to a factor).",
    "own": "Your own label, note and star. They stay in this run's folder.",
}
