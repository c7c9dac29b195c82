"""Every architecture on activations whose features are known: does it find them, and do its latents fire with them?

48 unit directions in 32 dimensions, three of them on at a time with strengths between 1 and 2, and a little noise:
more features than dimensions, sparse and non-negative, which is what sparse autoencoders assume (the synthetic test of
Sharkey, Braun & Millidge, 2022).
"""

import pytest
import sae_cases
import torch
from scipy.optimize import linear_sum_assignment

from music_interpret.sae import jumprelu
from music_interpret.sae.architectures import ARCHITECTURES, ENCODERS
from music_interpret.sae.matching import likeness
from music_interpret.sae.training import Trainer

D_IN, N_FEATURES, ACTIVE = 32, 48, 3
STEPS, BATCH = 600, 512
# Latents beyond the number of features have nothing to find; the matching leaves them out.
D_SAE = 64
MCC, F1 = 0.9, 0.85


def draw(n, generator):
    """Activations (n, D_IN), and which feature is on, bool (n, N_FEATURES)."""
    chosen = torch.rand(n, N_FEATURES, generator=generator).topk(ACTIVE, dim=1).indices
    strengths = torch.zeros(n, N_FEATURES).scatter_(1, chosen, 1 + torch.rand(n, ACTIVE, generator=generator))
    noise = 0.02 * torch.randn(n, D_IN, generator=generator)
    return strengths @ features() + noise, strengths > 0


def features():
    directions = torch.randn(N_FEATURES, D_IN, generator=torch.Generator().manual_seed(11))
    return directions / directions.norm(dim=1, keepdim=True)


def train(name):
    generator = torch.Generator().manual_seed(0)
    start = ARCHITECTURES[name].initial(D_IN, D_SAE, encoder_bias=-0.2, encoder_scale=1.0, generator=generator)
    objective = sae_cases.objective(
        alpha={"relu": 0.035, "gated": 0.03, "jumprelu": 0.1}.get(name, 0.0),
        k=ACTIVE,
        bandwidth=0.3,
        prefixes=(48, 64) if name == "matryoshka" else (),
    )
    settings = sae_cases.hyperparameters(
        lr=1e-2, n_steps=STEPS, lr_warmup=0.05, lr_decay=0.3, sparsity_warmup=0.2, aux_weight=1 / 32, window_tokens=5000
    )
    trainer = Trainer(name, start, objective, settings)
    for _ in range(STEPS):
        trainer.step(draw(BATCH, generator)[0])
    parameters = trainer.parameters
    return jumprelu.trained_form(parameters) if name == "jumprelu" else parameters


def recovered(parameters, kind):
    """MCC with the true directions, and mean F1 of firing with the true feature over the pairs that it makes."""
    truth = features()
    mcc = likeness(truth, parameters["W_dec"]).mcc
    pairs = linear_sum_assignment((truth @ parameters["W_dec"].T).numpy(), maximize=True)
    x, on = draw(4000, torch.Generator().manual_seed(1))
    fires = (ENCODERS[kind](parameters, x, ACTIVE) > 0)[:, torch.from_numpy(pairs[1])]
    hits = (fires & on).sum(0)
    return mcc, float((2 * hits / (fires.sum(0) + on.sum(0))).mean())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_known_features_are_found(name):
    mcc, f1 = recovered(train(name), ARCHITECTURES[name].saved_as)
    print(f"{name}: MCC {mcc:.3f}, F1 {f1:.3f}")
    assert mcc > MCC and f1 > F1


def test_chance_finds_none():
    generator = torch.Generator().manual_seed(0)
    start = ARCHITECTURES["topk"].initial(D_IN, D_SAE, encoder_bias=0, encoder_scale=1.0, generator=generator)
    mcc, f1 = recovered(start, "topk")
    assert mcc < 0.6 and f1 < 0.4
