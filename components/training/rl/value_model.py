"""PPO's value model: the policy's architecture with one number per token in place of the vocabulary."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from transformers import PretrainedConfig, PreTrainedModel

from r1flow.components.core.rollout import Rollout
from r1flow.components.training.rl.forward import completion_hidden
from r1flow.components.training.rl.ppo import ValueHead


class ValueModel(Module):
    """The body of a causal language model and a :class:`ValueHead`; the output head over the vocabulary is let go.

    It takes over ``model``'s body, so give it a copy of the policy and not the policy. An engine may hold it wherever it may
    hold a language model.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.base_model = model.base_model
        self.value_head = ValueHead(model.config.hidden_size).to(model.device, model.dtype)

    @property
    def config(self) -> PretrainedConfig:
        return self.base_model.config

    @property
    def device(self) -> torch.device:
        return self.base_model.device

    def get_output_embeddings(self) -> None:
        """None: nothing outside the modules' own forward passes reads a weight."""

    def gradient_checkpointing_enable(self, **named: Any) -> None:
        self.base_model.gradient_checkpointing_enable(**named)


def completion_values(model: ValueModel, rollouts: Sequence[Rollout], *, pad_id: int) -> Tensor:
    """``V(s_t)`` for every completion token, flat over the rollouts in order, shape (tokens,), in float32 at least.

    ``s_t`` is the prompt and the completion *before* token t: the state in which the token is chosen.
    """
    values: Tensor = model.value_head(completion_hidden(model, rollouts, pad_id=pad_id))
    return values.to(torch.promote_types(values.dtype, torch.float32))
