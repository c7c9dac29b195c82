import pytest
import torch
from torch import nn

from music_interpret.models.hooks import record, replaced


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + 1


@pytest.fixture
def blocks():
    return nn.Sequential(*[Counting() for _ in range(4)])


def hooks_left(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_it_records_and_stops_when_it_has_all(blocks):
    with record({0: blocks[0], 2: blocks[2]}) as outputs:
        blocks(torch.zeros(1))
        raise AssertionError("the forward pass should have been left")
    assert {layer: float(value) for layer, value in outputs.items()} == {0: 1.0, 2: 3.0}
    assert [block.calls for block in blocks] == [1, 1, 1, 0]
    assert hooks_left(blocks) == 0


def test_it_can_run_to_the_end(blocks):
    with record({1: blocks[1]}, stop=False) as outputs:
        result = blocks(torch.zeros(1))
    assert float(result) == 4 and float(outputs[1]) == 2


def test_hooks_go_also_after_an_error(blocks):
    with pytest.raises(ZeroDivisionError), record({1: blocks[1]}):
        raise ZeroDivisionError
    assert hooks_left(blocks) == 0


def test_a_module_that_never_runs_is_noticed(blocks):
    with pytest.raises(RuntimeError, match="7 did not run"), record({7: Counting()}, stop=False):
        blocks(torch.zeros(1))
    assert hooks_left(blocks) == 0


def test_an_output_is_replaced_for_what_follows(blocks):
    with replaced({1: (blocks[1], lambda output: output * 10)}):
        assert float(blocks(torch.zeros(1))) == 22
    assert float(blocks(torch.zeros(1))) == 4 and hooks_left(blocks) == 0


def test_recording_sees_what_was_put_in(blocks):
    with replaced({0: (blocks[0], torch.zeros_like)}), record({1: blocks[1]}) as outputs:
        blocks(torch.ones(1))
    assert float(outputs[1]) == 1


def test_a_replacement_that_never_comes_to_pass_is_noticed(blocks):
    with pytest.raises(RuntimeError, match="did not run"), replaced({7: (Counting(), torch.zeros_like)}):
        blocks(torch.zeros(1))
    with pytest.raises(ZeroDivisionError), replaced({0: (blocks[0], torch.zeros_like)}):
        raise ZeroDivisionError
    assert hooks_left(blocks) == 0
