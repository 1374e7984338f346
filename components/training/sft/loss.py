"""Next-token loss over the tokens that are trained on, from padded rows or from one packed row."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.batching import pad_right
from r1flow.components.core.logits import head_of, token_logprobs
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.packed import Documents, packed_hidden


def summed_nll(model: PreTrainedModel, examples: Sequence[Example], *, pad_id: int) -> Tensor:
    """Sum over trained tokens of -log p(token | what stands before it), in nats.

    The caller divides by the number of trained tokens in the *whole* batch, not in this part of it. Rows are padded on
    the right, so causal attention alone keeps padding out of every trained position and no mask is needed.
    """
    ids = pad_right([e.ids for e in examples], pad_id).to(model.device)
    chosen = pad_right([e.trained for e in examples], False).to(model.device, torch.bool)[:, 1:]
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return _nll(model, hidden[chosen], ids[:, 1:][chosen])


def packed_nll(model: PreTrainedModel, examples: Sequence[Example]) -> Tensor:
    """The same sum from one packed row, equal to rounding.

    ``model`` must take ``attend`` (:mod:`r1flow.components.core.attention`).
    """
    documents = Documents.of([e for e in examples if e.num_trained], model.device)
    return _nll(model, packed_hidden(model, documents), documents.targets)


def _nll(model: PreTrainedModel, hidden: Tensor, targets: Tensor) -> Tensor:
    logp, _ = token_logprobs(hidden, head_of(model), targets)
    return -logp.sum()
