"""Latents are set to 0, and nothing else changes."""

import pytest
import sae_cases
import torch

from music_interpret.errors import InputError
from music_interpret.interventions.ablation import without
from music_interpret.runs.run import open_run


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("kind", sae_cases.KINDS)
def test_what_is_left_is_x_with_other_latents_and_the_same_error(kind, context):
    case = sae_cases.case(kind, context=context)
    autoencoder, x, tokens = case
    z = autoencoder.encode(x, tokens)
    latents = z.sum(dim=0).argsort(descending=True)[:3].tolist()
    left = z.clone()
    left[:, latents] = 0
    expected = autoencoder.decode(left, tokens) + (x - autoencoder.decode(z, tokens))
    found = without(autoencoder, latents)(x, tokens)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(found, x, atol=1e-2)


def test_of_a_run(labelled):
    run = open_run("s/e")
    strongest = int(run.index.statistics.mean.argmax())
    assert run.ablate([strongest]).kl["total"] > run.ablate([]).kl["total"] == 0
    with pytest.raises(InputError, match="latent 96 is out of range; expected 0 to 95"):
        run.ablate([96])
