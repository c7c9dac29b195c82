"""The real sparsify loads what we export, and we what it saves."""

import pytest
import torch
from sae_cases import assert_close, assert_same, case
from sparsify import SparseCoder, SparseCoderConfig

from music_interpret.errors import InputError
from music_interpret.sae import foreign


def dense(coder, x):
    """Latents as we have them: (n, d_sae) with zeros."""
    values, places, _ = coder.encode(x)
    return torch.zeros(len(x), coder.num_latents).scatter_(1, places, values)


@pytest.mark.parametrize("context", [False, True])
def test_it_loads_our_export(context, tmp_path):
    ours, x, codes = case("topk", context=context)
    foreign.export(ours, "sparsify", tmp_path)
    theirs = SparseCoder.load_from_disk(tmp_path)
    assert (theirs.d_in, theirs.num_latents, theirs.cfg.k) == (ours.d_in, ours.d_sae, ours.k)
    taken_off = ours.baseline(codes) if context else 0.0
    with torch.no_grad():
        values, places, _ = theirs.encode(x - taken_off)
        assert_close(dense(theirs, x - taken_off), ours.encode(x, codes))
        assert_close(theirs.decode(values, places) + taken_off, ours(x, codes))
    assert_same(foreign.load(tmp_path), ours)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_we_load_what_it_saves(dtype, tmp_path):
    torch.manual_seed(0)
    theirs = SparseCoder(24, SparseCoderConfig(expansion_factor=3, k=5), dtype=dtype)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape).to(dtype))
    theirs.save_to_disk(tmp_path)
    theirs, ours = SparseCoder.load_from_disk(tmp_path).float(), foreign.load(tmp_path)
    x = 2 + 3 * torch.randn(300, 24)
    with torch.no_grad():
        assert_close(ours.encode(x), dense(theirs, x))
        assert_close(ours(x), theirs(x).sae_out)


@pytest.mark.parametrize("setting", [{"transcode": True}, {"skip_connection": True}, {"activation": "groupmax"}])
def test_what_is_no_topk_autoencoder_is_refused(setting, tmp_path):
    SparseCoder(24, SparseCoderConfig(expansion_factor=3, k=6, **setting)).save_to_disk(tmp_path)
    with pytest.raises(InputError, match=f"cfg.json: {next(iter(setting))} is "):
        foreign.load(tmp_path)
