"""Which device an option means, on machines with other GPUs than this one."""

import pytest
import torch

from music_interpret.errors import InputError
from music_interpret.models.device import pick_device


@pytest.fixture
def gpus(monkeypatch):
    def pretend(number):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)

    return pretend


@pytest.mark.parametrize(
    ("number", "name", "device"),
    [(0, "auto", "cpu"), (0, "cpu", "cpu"), (2, "cpu", "cpu")]
    + [(2, name, name) for name in ("cuda", "cuda:0", "cuda:1")]
    + [(2, "auto", "cuda")],
)
def test_an_option_means_a_device(gpus, number, name, device):
    gpus(number)
    assert pick_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("number", "name", "known"),
    [(0, "cuda", "auto, cpu"), (0, "cuda:0", "auto, cpu"), (2, "cuda:2", "auto, cpu, cuda:0, cuda:1")]
    + [(1, "cuda:300", "auto, cpu, cuda:0")],
)
def test_a_gpu_that_is_not_there_is_refused(gpus, number, name, known):
    gpus(number)
    with pytest.raises(InputError, match=f"^--device {name}: this machine has no such GPU; expected one of {known}$"):
        pick_device(name)


def test_a_command_refuses_a_gpu_that_is_not_there(gpus, many_songs, command):
    gpus(1)
    line = command("extract", "sod", "ape", "--layers", 1, "--device", "cuda:1").refused()
    assert line == "error: --device cuda:1: this machine has no such GPU; expected one of auto, cpu, cuda:0"
