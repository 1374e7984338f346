"""The batch of which every gradient is taken: completions of mixed lengths, with ratios on every side of every bound."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.logits import form_of
from r1flow.components.core.rollout import Rollout
from r1flow.components.core.seeds import derive_seed
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.rl.loss import Loss
from r1flow.components.training.rl.update import Trained

SIZE, GROUP = 64, 8
LONGEST_PROMPT, LONGEST = 12, 24
PLACES = (-2.0, -0.5, 0.0, 0.5, 2.0)
"""Log-ratios in units of the clip's own: inside and well outside, never near, where rounding would choose the branch."""


def draw_rollouts(model: PreTrainedModel, seed: int) -> list[Rollout]:
    """SIZE completions of 1 to LONGEST tokens, GROUP behind each of some random prompts; no log-probabilities yet.

    The model's own samples, cut to mixed lengths: on text that a trained model finds absurd, float32 itself is 1e-5 off.
    """
    rng = Random(seed)
    size, pad, end = model.config.vocab_size, model.config.pad_token_id, model.config.eos_token_id
    words = [token for token in range(size) if token != pad]  # the padding's embedding is 0 and gets no gradient
    prompts = [tuple(rng.choices(words, k=rng.randint(1, LONGEST_PROMPT))) for _ in range(SIZE // GROUP)]
    lengths = [1, LONGEST, *(rng.randint(1, LONGEST) for _ in range(SIZE - 2))]
    sampler = TransformersSampler(model, eos_id=end if isinstance(end, int) else -1, pad_id=0)
    requests = [Request(prompts[i // GROUP], derive_seed(seed, "proof", i)) for i in range(SIZE)]
    sampled = [c.ids for c in sampler.generate(requests, Sampling(LONGEST))]
    cut = [[words[0] if token == pad else token for token in ids[:n]] for ids, n in zip(sampled, lengths, strict=True)]
    return [_rollout(i, prompts[i // GROUP], ids) for i, ids in enumerate(cut)]


def exact_logprobs(model: PreTrainedModel, rollout: Rollout, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of every token by the model's own logits: one row, no padding, no packing, no chunks."""
    row = torch.tensor([[*rollout.prompt_ids, *rollout.ids]], device=model.device)
    logits = form_of(model).kept(model(input_ids=row, use_cache=False).logits[0, len(rollout.prompt_ids) - 1 : -1])
    table = (logits / temperature).log_softmax(-1)
    logp = table.gather(-1, row[0, len(rollout.prompt_ids) :, None]).squeeze(-1)
    return logp, -(table.exp() * table).sum(-1)


@torch.no_grad()
def batch_for(
    loss: Loss, model: PreTrainedModel, rollouts: Sequence[Rollout], *, temperature: float, on_policy: bool, seed: int
) -> list[Trained]:
    """The rollouts with advantages, and the log-probabilities that ``loss`` compares with; ``model`` is the float64 one.

    The old policy is put where each ratio has one of PLACES, a reference within 0.3 nats, the sampler within 0.02. One
    group has no signal. On-policy there are no old log-probabilities, as in training.
    """
    rng = Random(seed)
    batch = []
    for number, rollout in enumerate(rollouts):
        logp = exact_logprobs(model, rollout, temperature)[0].tolist()
        moves = [0.0] * len(logp) if on_policy else _moves(loss, len(logp), rng)
        old = [p - move for p, move in zip(logp, moves, strict=True)]
        reference = [p + rng.gauss(0, 0.3) for p in logp]
        trained = Trained(
            replace(rollout, logprobs=[p + rng.gauss(0, 0.02) for p in old]),
            0.0 if number < GROUP else rng.gauss(0, 1),
            None if on_policy else torch.tensor(old, device=model.device),
            torch.tensor(reference, device=model.device) if loss.kl_weight else None,
        )
        batch.append(trained)
    return batch


def _moves(loss: Loss, length: int, rng: Random) -> list[float]:
    """Log-ratios of a completion's tokens; where the ratio is the completion's, their mean is what is placed."""
    if loss.ratio == "token":
        return [_place(loss, rng) for _ in range(length)]
    noise = [rng.gauss(0, 0.1) for _ in range(length)]
    mean = sum(noise) / length
    target = _place(loss, rng)
    return [target + value - mean for value in noise]


def _place(loss: Loss, rng: Random) -> float:
    places = [p * math.log1p(loss.clip_high) for p in PLACES if p >= 0]
    lowest = -math.log1p(-loss.clip_low) if loss.clip_low < 1 else 1.0  # CISPO has no lower bound
    places += [p * lowest for p in PLACES if p < 0]
    if loss.dual_clip is not None:
        places.append(1.5 * math.log(loss.dual_clip))
    return rng.choice(places)


def _rollout(number: int, prompt_ids: tuple[int, ...], ids: Sequence[int]) -> Rollout:
    return Rollout(
        prompt_id=str(number // GROUP),
        sample=number % GROUP,
        prompt_ids=prompt_ids,
        ids=ids,
        logprobs=(),
        finished=True,
        text="",
        reward=0.0,
        rewards={},
        verdict=None,
        language=None,
        format_ok=True,
        reflections=0,
        policy_version=0,
    )
