"""Next-token loss over the tokens that are trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.data.batching import pad_right
from components.rl.logprobs import token_logprobs


@dataclass(frozen=True)
class Example:
    """Token ids and how many of them, from the start, are context that is read but not trained on."""

    ids: tuple[int, ...]
    num_context: int

    @property
    def num_trained(self) -> int:
        return max(0, len(self.ids) - max(1, self.num_context))


def summed_nll(model: PreTrainedModel, examples: Sequence[Example], *, pad_id: int) -> Tensor:
    """Sum over trained tokens of -log p(token | what stands before it), in nats.

    The caller divides by the number of trained tokens in the *whole* batch, not in this part of it. Rows are padded on
    the right, so causal attention alone keeps padding out of every trained position and no mask is needed.
    """
    ids = pad_right([e.ids for e in examples], pad_id).to(model.device)
    lengths = torch.tensor([[len(e.ids)] for e in examples], device=model.device)
    starts = torch.tensor([[max(1, e.num_context)] for e in examples], device=model.device)
    position = torch.arange(ids.shape[1], device=model.device)[None]
    trained = (position >= starts) & (position < lengths)
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    chosen = trained[:, 1:]
    logp, _ = token_logprobs(hidden[chosen], model.get_output_embeddings().weight, ids[:, 1:][chosen])
    return -logp.sum()
