import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sae_cases
import torch

from music_interpret.sae import topk
from music_interpret.sae.architectures import ARCHITECTURES
from music_interpret.sae.token_baseline import TokenBaseline
from music_interpret.sae.training import DivergedError, Trainer

D_IN, D_SAE = 16, 64
OBJECTIVE = sae_cases.objective(alpha=1e-2, k=6, bandwidth=0.5)


def make(name="topk", objective=OBJECTIVE, baseline=None, encoder_bias=-0.5, **changes):
    generator = torch.Generator().manual_seed(0)
    parameters = ARCHITECTURES[name].initial(
        D_IN, D_SAE, encoder_bias=encoder_bias, encoder_scale=1.0, generator=generator
    )
    settings = {"lr": 3e-3, "n_steps": 200, "window_tokens": 500} | changes
    return Trainer(name, parameters, objective, sae_cases.hyperparameters(**settings), baseline)


def data(n=400, seed=0):
    """Rows of unit variance made of 24 directions of which three are on at a time."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(24, D_IN, generator=torch.Generator().manual_seed(99))
    chosen = torch.rand(n, 24, generator=generator).topk(3, dim=1).indices
    rows = torch.zeros(n, 24).scatter_(1, chosen, torch.rand(n, 3, generator=generator) + 0.5) @ directions
    return (rows - rows.mean(0)) / rows.std(0)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_architecture_learns(name, dtype):
    trainer, x = make(name, sae_cases.objective(alpha=1e-2, k=6, bandwidth=0.5, dtype=dtype), aux_weight=1 / 32), data()
    first = trainer.scalars(trainer.step(x), x)
    for _ in range(199):
        result = trainer.step(x)
    last = trainer.scalars(result, x)
    assert last["quality/fvu"] < 0.3 < first["quality/fvu"]
    assert last["loss/mse"] == pytest.approx(float(result.error.square().mean()))
    torch.testing.assert_close(trainer.parameters["W_dec"].norm(dim=1), torch.ones(D_SAE))


def test_the_fused_optimiser_is_adam_in_spite_of_the_encoders_layout():
    """Against torch's plain Adam on contiguous copies, given the same gradients."""
    trainer, x = make(), data()
    copies = {name: t.clone().contiguous().requires_grad_() for name, t in trainer.trained.items()}
    plain = torch.optim.Adam(list(copies.values()), lr=3e-3, fused=False, foreach=False)
    for step in range(5):
        trainer.step(x)
        for name, copy in copies.items():
            copy.grad = trainer.trained[name].grad.clone().contiguous()
        plain.step()
        with torch.no_grad():
            copies["W_dec"] /= copies["W_dec"].norm(dim=1, keepdim=True)
        for name, copy in copies.items():
            torch.testing.assert_close(trainer.trained[name], copy.detach(), atol=1e-5, rtol=1e-4, msg=f"{name} {step}")


def adam_by_hand(name, objective, x, *, parallel, steps=4):
    """The decoder after some steps of Adam on all parameters, with or without the part of its gradient along its rows;
    without it, rows have norm 1 after each step.
    """
    start = make(name, objective)
    p, (m, v) = start.parameters, ({n: torch.zeros_like(t) for n, t in start.trained.items()} for _ in range(2))
    for step in range(1, steps + 1):
        gradients = {n: g.clone() for n, g in start.architecture.step(p, x, objective).gradients.items()}
        if not parallel:
            rows = p["W_dec"]
            gradients["W_dec"] -= torch.diag((gradients["W_dec"] * rows).sum(1) / rows.square().sum(1)) @ rows
        for n, g in gradients.items():
            m[n] = 0.9 * m[n] + 0.1 * g
            v[n] = 0.999 * v[n] + 0.001 * g.square()
            p[n] -= 3e-3 * m[n] / (1 - 0.9**step) / ((v[n] / (1 - 0.999**step)).sqrt() + 1e-8)
        if not parallel:
            p["W_dec"] /= p["W_dec"].norm(dim=1, keepdim=True)
    return p["W_dec"]


@pytest.mark.parametrize(("name", "free"), [*((name, False) for name in ARCHITECTURES), ("relu", True)])
def test_the_gradient_along_decoder_rows_is_removed_where_their_norm_is_kept(name, free):
    objective, x = sae_cases.objective(alpha=1e-2, k=6, bandwidth=0.5, by_decoder_norm=free), data()
    trainer = make(name, objective)
    for _ in range(4):
        trainer.step(x)
    expected = adam_by_hand(name, objective, x, parallel=free)
    torch.testing.assert_close(trainer.parameters["W_dec"], expected, atol=2e-5, rtol=0)
    norms = expected.norm(dim=1)
    assert (norms - 1).abs().max() > 1e-3 if free else torch.allclose(norms, torch.ones(D_SAE))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dead_latents_come_back_to_life(name):
    """With a bias (or threshold) that nothing overcomes latents stay dead without the auxiliary loss."""

    def dead_after_training(aux_weight):
        trainer = make(name, window_tokens=1000, aux_weight=aux_weight, n_steps=400, lr=1e-2)
        parameters, x = trainer.parameters, data(200)
        bias = trainer.architecture.bias
        parameters[bias][:32] = -4.0
        if "b_mag" in parameters:
            parameters["b_mag"][:32] = -1.0
        for _ in range(400):
            trainer.step(x)
        return int((trainer.dead() < 32).sum())

    without, with_aux = dead_after_training(0.0), dead_after_training(1.0)
    assert without >= 31 and with_aux < 16


@pytest.mark.parametrize("upwards", [True, False])
def test_jumprelus_threshold_moves_towards_its_target(upwards):
    x = data()
    start = 0.1 if upwards else 2.0
    trainer = make(
        "jumprelu", sae_cases.objective(alpha=1.0, k=6, bandwidth=0.5), encoder_bias=-start, lr=1e-2, n_steps=400
    )
    l0_before = float(trainer.step(x).counts.sum()) / len(x)
    for _ in range(399):
        result = trainer.step(x)
    l0 = float(result.counts.sum()) / len(x)
    assert abs(l0 - 6) < 1.5 < abs(l0_before - 6)
    moved = trainer.parameters["log_threshold"].exp() - start
    assert moved.abs().min() > 0 and (float(moved.mean()) > 0) == upwards


def test_batchtopks_threshold_is_a_moving_average_of_the_smallest_values_let_through():
    trainer, x = make("batchtopk"), data()
    expected = float(trainer.step(x[:100]).threshold)
    assert float(trainer.parameters["threshold"][0]) == pytest.approx(expected)  # the first is taken as it is
    for start in range(0, 400, 100):
        expected += 0.05 * (float(trainer.step(x[start : start + 100]).threshold) - expected)
    torch.testing.assert_close(trainer.parameters["threshold"], torch.full((D_SAE,), expected))


def test_batchtopks_threshold_lets_k_through_one_token_at_a_time():
    trainer, x = make("batchtopk"), data()
    for _ in range(200):
        trainer.step(x)
    threshold = trainer.parameters["threshold"]
    assert float(threshold.min()) == float(threshold.max()) > 0
    before = x @ trainer.parameters["W_enc"] + trainer.parameters["b_enc"]
    assert float((before > threshold).sum(1).float().mean()) == pytest.approx(6, rel=0.1)


def test_matryoshkas_first_latents_reconstruct_more_on_their_own():
    def fvu_of_first(name, prefixes):
        trainer, x = make(name, sae_cases.objective(k=6, prefixes=prefixes), n_steps=300), data()
        for _ in range(300):
            trainer.step(x)
        p = trainer.parameters
        z = (x @ p["W_enc"] + p["b_enc"]).relu()
        z = (z * (z > p["threshold"]))[:, :16]
        return float((z @ p["W_dec"][:16] + p["b_dec"] - x).square().sum() / x.square().sum())

    assert fvu_of_first("matryoshka", (8, 16, 32, 64)) < 0.7 * fvu_of_first("batchtopk", ())


def test_a_token_baseline_is_trained_along():
    sizes, n = (3, 4), 400
    generator = torch.Generator().manual_seed(5)
    codes = torch.stack([torch.randint(0, size, (n,), generator=generator) for size in sizes], dim=1)
    truth = TokenBaseline(torch.randn(sum(sizes), D_IN, generator=generator), sizes)
    x = data(n) + truth(codes)
    trainer = make(baseline=TokenBaseline(torch.zeros(sum(sizes), D_IN), sizes), n_steps=400)
    for _ in range(400):
        result = trainer.step(x, codes)
    assert float(result.error.square().sum() / x.square().sum()) < 0.1
    rest = x - trainer.baseline(codes)
    assert float((rest - rest.mean(0)).square().sum()) < 0.8 * float((x - x.mean(0)).square().sum())


def test_gradients_are_clipped():
    trainer, x = make(clip_norm=1e-3), data()
    trainer.step(x)
    norm = torch.stack([t.grad.norm() for t in trainer.trained.values()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_schedules():
    settings = sae_cases.hyperparameters(lr=1.0, n_steps=100, lr_warmup=0.1, lr_decay=0.2, sparsity_warmup=0.5)
    assert [settings.lr_at(step) for step in (0, 9, 50, 80, 99)] == pytest.approx([0.1, 1, 1, 1, 0.05])
    assert [settings.sparsity_at(step) for step in (0, 25, 50, 99)] == [0, 0.5, 1, 1]
    assert sae_cases.hyperparameters(lr=1.0, n_steps=100).sparsity_at(0) == 1
    half = sae_cases.objective(alpha=2, k=8).at(0.5)
    assert (half.alpha, half.k) == (1, 20) and sae_cases.objective(alpha=2, k=8).at(1.0).k == 8


@pytest.mark.parametrize("n_done", [0, 50, 190])
def test_a_step_follows_the_schedules(n_done):
    """Of the learning rate, which is how far Adam's first step moves any number, and of the sparsity's weight."""
    settings = {"lr_warmup": 0.1, "lr_decay": 0.2, "sparsity_warmup": 0.5}
    trainer, x = make("relu", sae_cases.objective(alpha=10.0), **settings), data()
    trainer.n_done, before = n_done, trainer.parameters["W_enc"].clone()
    result = trainer.step(x)
    farthest = (trainer.parameters["W_enc"] - before).abs().max()
    assert float(farthest) == pytest.approx({0: 1 / 20, 50: 1, 190: 10 / 40}[n_done] * 3e-3, rel=1e-2)
    penalty = float(result.loss - result.parts["mse"]) / float(result.parts["l1"])
    assert penalty == pytest.approx({0: 0, 50: 5, 190: 10}[n_done], abs=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e8])
def test_divergence_changes_nothing(value):
    trainer, x = make("relu"), data()
    trainer.step(x)
    trainer.parameters["W_dec"][0] = value
    before = trainer.state()
    with pytest.raises(DivergedError, match="at step 2; a --lr lower than 0.003"):
        trainer.step(x)
    assert trainer.n_done == 1
    assert all(
        torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(before.values(), trainer.state().values(), strict=True)
    )


@pytest.mark.parametrize("name", ["topk", "batchtopk", "matryoshka"])
def test_trainers_in_two_threads_do_not_disturb_each_other(name, monkeypatch):
    """Each step of one is held up after its encoder's product until the other has computed its own."""
    both = threading.Barrier(2)
    batches = [data(seed=0), data(seed=1)]
    alone = [make(name) for _ in batches]
    for trainer, x in zip(alone, batches, strict=True):
        for _ in range(3):
            trainer.step(x)

    original = topk._pre_activations

    def meeting(*rest):
        before = original(*rest)
        both.wait(timeout=60)
        return before

    monkeypatch.setattr(topk, "_pre_activations", meeting)
    together = [make(name) for _ in batches]

    def work(trainer, x):
        for _ in range(3):
            trainer.step(x)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, together, batches))
    for one, other in zip(alone, together, strict=True):
        for key, tensor in one.state().items():
            assert torch.equal(tensor, other.state()[key]), key


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_trainer_goes_on_from_its_state_bit_for_bit(name):
    x = data()

    def context():
        return TokenBaseline(torch.zeros(3, D_IN), (3,))

    codes = torch.randint(0, 3, (len(x), 1), generator=torch.Generator().manual_seed(1))
    one, other = (make(name, baseline=context(), aux_weight=0.1) for _ in range(2))
    for _ in range(30):
        one.step(x, codes)
    other.load_state({key: tensor.clone().contiguous() for key, tensor in one.state().items()})
    for trainer in (one, other):
        for _ in range(30):
            trainer.step(x, codes)
    for key, tensor in one.state().items():
        assert torch.equal(tensor, other.state()[key]), key
