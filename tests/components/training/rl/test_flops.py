"""Operations by hand, and against torch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from r1flow.components.training.rl.flops import Cost, group_flops, step_flops
from r1flow.components.training.rl.meter import cost_of
from tests.fakes.tiny import VOCAB, tiny_model


def test_a_group_by_hand() -> None:
    # Prompt 4, completions 3 and 1. Body: 4 + 2 + 0 tokens. Head: 3 + 1 tokens. Pairs: 8 + 3 (4 + 1.5) + 1 (4 + 0.5).
    assert group_flops(Cost(100, 10, 1), 4, [3, 1]) == 2 * 100 * 6 + 2 * 10 * 4 + 4 * (8 + 16.5 + 4.5)


def test_a_step_is_sampling_frozen_passes_and_three_times_training() -> None:
    assert step_flops(10.0, 6.0, frozen_passes=2) == 10 + 20 + 18
    assert group_flops(Cost(1, 1, 1), 5, []) == 0


def test_the_matrix_products_of_a_forward_pass_are_those_that_torch_counts() -> None:
    model, length = tiny_model(), 32
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.randint(2, VOCAB, (1, length)), use_cache=False)
    products = sum(num for name, num in counter.get_flop_counts()["Global"].items() if "attention" not in str(name))
    cost = cost_of(model)
    assert products == 2 * length * (cost.body + cost.head)


def test_attention_is_layers_times_heads_times_head_size() -> None:
    config = tiny_model().config
    assert cost_of(tiny_model()).attention == config.num_hidden_layers * config.num_attention_heads * config.head_dim


@pytest.mark.parametrize("tied", [True, False])
def test_a_head_counts_once_whether_it_is_tied_or_not(tied: bool) -> None:
    model = tiny_model()
    if not tied:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    assert cost_of(model) == cost_of(tiny_model())
