"""Layout, precision and threads of training."""

import pytest
import torch

from unfreeze.training.precision import arithmetics, in_layout, inputs_in_layout, threads
from unfreeze.zoo.devices import CPU


def test_the_first_candidate_is_exact_and_all_differ() -> None:
    """Float32 comes first, so that a tie goes to it; nothing is measured twice."""
    found = arithmetics(CPU)

    assert found[0].precision == "float32"
    assert len(set(found)) == len(found)


def test_a_layout_changes_memory_and_no_value() -> None:
    """Weights and inputs have the wanted strides, and a convolution gives the same numbers to rounding."""
    conv, maps = torch.nn.Conv2d(3, 4, 3), torch.rand(2, 3, 8, 8)
    expected = conv(maps)
    for layout, memory_format in (("channels_last", torch.channels_last), ("NCHW", torch.contiguous_format)):
        inputs = inputs_in_layout(maps, layout)
        assert inputs.is_contiguous(memory_format=memory_format)
        assert in_layout(conv, layout) is conv
        assert conv.weight.is_contiguous(memory_format=memory_format)
        torch.testing.assert_close(conv(inputs), expected)


def test_codes_have_no_layout() -> None:
    """What is no map stays as it is."""
    codes = torch.rand(2, 5)

    assert inputs_in_layout(codes, "channels_last") is codes


@pytest.mark.parametrize(("asked", "inside"), [(1, 1), (3, 3), (None, 2)])
def test_threads_are_those_asked_for_inside_and_as_many_as_before_outside(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, inside: int
) -> None:
    """None leaves them as they are, and an error inside leaves none behind."""
    now = [2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: now.__setitem__(0, number))

    with pytest.raises(KeyError), threads(asked):
        assert now == [inside]
        raise KeyError
    assert now == [2]
