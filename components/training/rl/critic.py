"""PPO's critic: a value model that estimates a batch token by token and then learns from it.

The formulas are in :mod:`r1flow.components.training.rl.ppo`; here they meet the batch: values are computed once, before any
update, and hold for all mini-batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from r1flow.components.core.rollout import Group
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine
from r1flow.components.training.rl.frozen import frozen
from r1flow.components.training.rl.loss import token_weights
from r1flow.components.training.rl.ppo import gae, token_rewards, value_loss, whiten
from r1flow.components.training.rl.update import TokenEstimates, Trained
from r1flow.components.training.rl.value_model import completion_values


@dataclass(frozen=True)
class Ppo:
    """The plain numbers; what they mean: :class:`r1flow.components.recipe.ppo.PpoConfig`. ``kl_weight`` is beta in the reward."""

    gamma: float = 1.0
    lam: float = 1.0
    whiten: bool = True
    value_clip: float = 0.2
    kl_weight: float = 0.0


class Critic:
    """A value model under an engine of its own, beside the policy's. All ranks call the same methods in the same order."""

    def __init__(self, engine: Engine, settings: Ppo, *, pad_id: int, micro_tokens: int) -> None:
        self.engine = engine
        self.settings = settings
        self.pad_id = pad_id
        self.micro_tokens = micro_tokens

    def estimate(self, batch: Sequence[Trained]) -> tuple[list[Trained], dict[str, float]]:
        """The batch with values, returns and advantages for every token, and metrics about the value model.

        Every completion has a reward; with ``kl_weight`` it has ``old_logprobs`` and ``ref_logprobs`` too. Whitening and
        metrics are over all of the batch's tokens. ``value/explained_variance``: ``1 - Var(R - V) / Var(R)``, 1 where the
        values foresee the returns, 0 where they are as good as a constant, 0 also where all returns are equal.
        """
        if not batch:
            return [], _metrics(torch.zeros(0), torch.zeros(0))
        settings, sizes = self.settings, [len(t.rollout.ids) for t in batch]
        values = torch.cat(
            frozen(
                lambda part: self.engine.forward(completion_values, part, pad_id=self.pad_id),
                [t.rollout for t in batch],
                micro_tokens=self.micro_tokens,
            )
        )
        lengths = torch.tensor(sizes, device=values.device)
        rewards = token_rewards(
            values.new_tensor([t.rollout.reward for t in batch]),
            *self._logprobs(batch, values),
            lengths,
            kl_weight=settings.kl_weight,
        )
        advantages, returns = gae(rewards, values, lengths, gamma=settings.gamma, lam=settings.lam)
        if settings.whiten:
            advantages = whiten(advantages)
        parts = zip(*(column.split(sizes) for column in (advantages, values, returns)), strict=True)
        estimated = [
            replace(t, estimates=TokenEstimates(*part), advantage=float(part[0].mean()) if len(part[0]) else 0.0)
            for t, part in zip(batch, parts, strict=True)
        ]
        return estimated, _metrics(values, returns)

    def _logprobs(self, batch: Sequence[Trained], values: Tensor) -> tuple[Tensor, Tensor]:
        """Of the policy that sampled and of the reference; twice nothing without a divergence in the reward."""
        old = [t.old_logprobs for t in batch if t.old_logprobs is not None]
        ref = [t.ref_logprobs for t in batch if t.ref_logprobs is not None]
        if not self.settings.kl_weight:
            return torch.zeros_like(values), torch.zeros_like(values)
        return torch.cat(old), torch.cat(ref)

    def update(self, batch: Sequence[Trained]) -> dict[str, float]:
        """One step of the value model on a (mini-)batch that has estimates, in micro-batches.

        ``value/loss`` and ``value/clip_ratio`` (the share of tokens whose clip acts) are means over the batch's tokens.
        """
        sums = {"loss": 0.0, "clip_ratio": 0.0}
        tokens = sum(len(t.rollout.ids) for t in batch)
        turns = ranks.turns([t.length for t in batch], self.micro_tokens, rank=ranks.rank(), world=ranks.world_size())
        for turn in turns:
            part = [batch[i] for i in turn.rows]
            values = self.engine.forward(completion_values, [t.rollout for t in part], pad_id=self.pad_id)
            known = [t.estimates for t in part if t.estimates is not None]
            lengths = torch.tensor([len(t.rollout.ids) for t in part], device=values.device)
            loss, clipped = value_loss(
                values,
                torch.cat([j.values for j in known]),
                torch.cat([j.returns for j in known]),
                token_weights(lengths, "token", completions=len(batch), tokens=tokens, max_tokens=1),
                clip=self.settings.value_clip,
            )
            self.engine.backward(turn.weigh(loss))
            if turn.counts:
                sums["loss"] += float(loss.detach())
                sums["clip_ratio"] += float(clipped) / max(1, tokens)
        outcome = self.engine.step()
        return {f"value/{name}": value for name, value in ranks.add_up(sums).items()} | {
            "value/grad_norm": outcome.grad_norm,
            "value/learning_rate": outcome.learning_rate,
            "value/skipped": float(not outcome.applied),
        }


def with_means(groups: Sequence[Group], batch: Sequence[Trained]) -> list[Group]:
    """The groups with each completion's mean advantage; 0 for what is not in the batch."""
    found = {id(t.rollout): t.advantage for t in batch}
    return [replace(g, advantages=tuple(found.get(id(r), 0.0) for r in g.rollouts)) for g in groups]


def _metrics(values: Tensor, returns: Tensor) -> dict[str, float]:
    spread = float(returns.var()) if len(returns) > 1 else 0.0
    return {
        "value/explained_variance": 1 - float((returns - values).var()) / spread if spread else 0.0,
        "value/mean": float(values.mean()) if len(values) else 0.0,
        "value/return": float(returns.mean()) if len(returns) else 0.0,
    }
