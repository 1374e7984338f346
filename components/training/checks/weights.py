"""The weight proof put to the test: what a sampler serves is proved, and every way of serving something else is caught.

``prove_weights`` runs after every load in training. Here it meets samplers that went wrong on purpose, each behind the
back of the sampler's own checks where it has some: what is left is the proof itself.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.sampling.base import Sampler
from r1flow.components.sampling.proof import WeightProof, model_logprobs, prove_weights
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.checks.finding import Finding

OLD, NEW = 1, 2
"""The versions: what is served first, and what the trainer has come to."""
HEAD = "lm_head.weight"
PROMPT_TOKENS = 40  # more than one block of vLLM's prefix cache


class Trainer(NamedTuple):
    """A policy one step ago and now."""

    old: PreTrainedModel
    new: PreTrainedModel

    def tensors(self, of: PreTrainedModel) -> dict[str, Tensor]:
        return dict(of.named_parameters())

    def prove(self, sampler: Sampler) -> WeightProof:
        """Prove that ``sampler`` serves the policy as it is now."""
        size = self.new.config.vocab_size
        prompt = [2 + 7 * i % (size - 2) for i in range(PROMPT_TOKENS)]
        return prove_weights(
            sampler, self.new.named_parameters(), NEW, logprobs=model_logprobs(self.new), prompt_ids=prompt
        )


@torch.no_grad()
def step(model: PreTrainedModel, *, seed: int = 0) -> None:
    """Move every tensor a little, as a step of the optimizer does."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.add_((0.1 * parameter.std() + 0.01) * torch.randn_like(parameter))  # norms may start all alike


def honest(sampler: Sampler, trainer: Trainer) -> Finding:
    """New weights sent as they should be: the proof holds."""
    tensors = trainer.tensors(trainer.new)
    try:
        sampler.load_weights(tensors.items(), NEW)
        proof = trainer.prove(sampler)
    except WeightSyncError as error:
        return Finding("weights as trained", False, str(error))
    tied = ", the tied head among them" if is_tied(trainer.new) else ""
    return Finding(
        "weights as trained",
        True,
        f"{len(tensors)} tensors served{tied}; log-probabilities within {proof.mismatch:.1e} nats",
    )


def sabotaged(sampler: Sampler, trainer: Trainer) -> Iterator[Finding]:
    """Every sabotage, each after an honest load of the old weights; it holds where the proof names what is wrong."""
    for what, (act, expected) in sabotages(trainer).items():
        sampler.load_weights(trainer.tensors(trainer.old).items(), OLD)
        try:
            act(sampler)
            trainer.prove(sampler)
            yield Finding(what, False, "nothing was noticed")
        except WeightSyncError as error:
            yield Finding(what, expected in str(error), str(error))


Sabotage = tuple[Callable[[Sampler], None], str]


def sabotages(trainer: Trainer) -> dict[str, Sabotage]:
    """What is done to a sampler of the old weights, and what the complaint must name."""
    old, new = trainer.tensors(trainer.old), trainer.tensors(trainer.new)
    name = next(n for n, t in new.items() if t.ndim == 2 and "embed" not in n and n != HEAD)
    transposed = new[name].T.reshape(new[name].shape)  # poured into the right shape, or it would be refused for that
    rest = {n: t for n, t in new.items() if n != name}
    found: dict[str, Sabotage] = {
        "a tensor left out": (lambda s: s.load_weights(rest.items(), NEW), name),
        "a tensor that kept its old values": (lambda s: s.load_weights((new | {name: old[name]}).items(), NEW), name),
        "a stale version": (lambda s: None, f"serves version {OLD}, the trainer is at {NEW}"),
        "stale weights as the new version": (lambda s: s.load_weights(old.items(), NEW), "more"),
        "a transposed tensor": (lambda s: s.load_weights((new | {name: transposed}).items(), NEW), name),
    }
    if is_tied(trainer.new):
        found["a tied lm_head not sent"] = (lambda s: _without_head(s, trainer), HEAD)
    return found


def is_tied(model: PreTrainedModel) -> bool:
    return bool(model.get_output_embeddings().weight is model.get_input_embeddings().weight)


def _without_head(sampler: Sampler, trainer: Trainer) -> None:
    """The new embedding is looked up, the old one is multiplied by: what an engine does that unties them in silence."""
    new = trainer.tensors(trainer.new)
    if isinstance(sampler, TransformersSampler):
        sampler.load_weights(new.items(), NEW)
        head: Any = sampler.model.get_output_embeddings()
        head.weight = nn.Parameter(trainer.old.get_output_embeddings().weight.detach().clone())
        return
    engine: Any = sampler  # vLLM's, which is sent the head beside the embedding unless it takes them for untied
    engine._tied = False
    try:
        sampler.load_weights(new.items(), NEW)
    finally:
        engine._tied = True
