"""Layout and precision of training."""

import torch

from unfreeze.training.precision import arithmetics, in_layout, inputs_in_layout
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
