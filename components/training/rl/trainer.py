"""The GRPO loop: sample, score, compare within the group (in PPO with values), step. It knows no store, no flow and no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.core.seeds import derive_seed
from r1flow.components.rewards.score import Scorer
from r1flow.components.sampling.base import Sampler, Sampling
from r1flow.components.sampling.collect import collect
from r1flow.components.sampling.proof import model_logprobs, prove_weights
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.base import Engine
from r1flow.components.training.rl.advantage import Advantage, batch_advantages
from r1flow.components.training.rl.batch import Groups, fill_groups, prompts_of_step, teaches
from r1flow.components.training.rl.critic import Critic, with_means
from r1flow.components.training.rl.frozen import Run, frozen_logprobs, on
from r1flow.components.training.rl.loss import Loss
from r1flow.components.training.rl.meter import Meter
from r1flow.components.training.rl.metrics import rollout_metrics
from r1flow.components.training.rl.update import Trained, split_at_random, update_policy

if TYPE_CHECKING:
    from r1flow.components.core.schema import Row

GRPO = Loss()


@dataclass(frozen=True)
class Objective:
    """The plain numbers of a step; what they mean: :class:`r1flow.components.recipe.grpo.GrpoConfig`."""

    sampling: Sampling
    prompts_per_step: int
    samples_per_prompt: int
    mixture: Mapping[str, float]
    loss: Loss = GRPO
    advantage: Advantage = "group_std"
    mini_batches: int = 1
    reference_every: int = 0
    shuffled: bool = True
    refill_rounds: int = 0
    staleness: int = 0
    drop_truncated: bool = False
    max_mismatch: float = 0.1
    micro_tokens: int = 16384


class GrpoTrainer:
    """One policy in training. ``step(n)`` is a function of weights and (seed, n) alone, so a resumed run repeats it.

    ``encode`` renders a row to prompt token ids, ``decode`` turns completion ids into text, ``score`` rewards texts.
    ``reference`` is a frozen model of the same shape, or None when there is no divergence. ``critic`` makes it PPO.
    """

    def __init__(
        self,
        engine: Engine,
        model: PreTrainedModel,
        sampler: Sampler,
        *,
        reference: PreTrainedModel | None,
        pools: Mapping[str, Sequence[Row]],
        encode: Callable[[Row], tuple[int, ...]],
        decode: Callable[[Sequence[int]], str],
        score: Scorer,
        objective: Objective,
        pad_id: int,
        seed: int,
        critic: Critic | None = None,
    ) -> None:
        self.engine = engine
        self.model = model
        self.sampler = sampler
        self.reference = reference
        self.pools = pools
        self.encode = encode
        self.decode = decode
        self.score = score
        self.objective = objective
        self.pad_id = pad_id
        self.seed = seed
        self.meter = Meter(model)
        self.critic = critic
        self.groups: list[Group] = []
        """Of the step under way: what a step that fails has to show."""

    def step(self, step: int) -> tuple[list[Group], dict[str, float]]:
        """Step ``step`` (from 1): the groups that were sampled and the step's metrics."""
        self.meter.begin()
        objective = self.objective
        drawn = self.draw(step)
        advantages = batch_advantages([[r.reward for r in g] for g in drawn], objective.advantage)
        self.groups = groups = [Group(m, tuple(values)) for m, values in zip(drawn, advantages, strict=True)]
        with self.meter.phase("update"):
            groups, metrics = self._update(groups, step)
        with self.meter.phase("sync"):
            metrics |= self.sync(step)
        if objective.reference_every and step % objective.reference_every == 0 and self.reference is not None:
            self.reference.load_state_dict(dict(self.engine.full_parameters()), strict=False)  # tied heads come along
        costs = self.meter.metrics(
            groups,
            # The value model estimates in one pass, and its update costs three.
            frozen_passes=self._recomputes_old + (self.reference is not None) + 4 * (self.critic is not None),
            idle_moves=bool(objective.loss.entropy_weight or self.reference or self.critic),
        )
        return groups, rollout_metrics(groups) | metrics | costs | {
            "refills": float(len(drawn) - objective.prompts_per_step),
            "tokens": float(sum(len(r.ids) for g in drawn for r in g)),
        }

    def draw(self, step: int) -> Groups:
        """The step's scored groups, sampled now."""
        objective = self.objective
        return fill_groups(
            lambda refill, num: self._draw(step, refill, num), objective.prompts_per_step, objective.refill_rounds
        )

    def _draw(self, step: int, refill: int, num: int) -> Groups:
        """``num`` groups: of the step's own prompts, or of further ones, which depend on (seed, step, refill) alone."""
        size = self.objective.samples_per_prompt
        mixture, seed = self.objective.mixture, self.seed
        if refill == 0:
            rows = self.prompts(step)
            rollouts = self.rollouts(rows, size, "step", step)
        else:
            seed = derive_seed(seed, "refill", step, refill)
            rows = prompts_of_step(self.pools, mixture, step=1, num=num, seed=seed)
            rollouts = self.rollouts(rows, size, "step", step, "refill", refill)
        return grouped(rollouts, size)

    def prompts(self, step: int) -> list[Row]:
        """The step's own prompts."""
        objective = self.objective
        return prompts_of_step(
            self.pools,
            objective.mixture,
            step=step,
            num=objective.prompts_per_step,
            seed=self.seed,
            shuffled=objective.shuffled,
        )

    def rollouts(self, rows: Sequence[Row], samples: int, *purpose: str | int) -> list[Rollout]:
        """``samples`` scored completions of every row, row by row. Seeds depend on (run, purpose, row, sample) only.

        Each rank samples and scores every n-th row; all ranks get all.
        """
        return gathered(self.share(rows, samples, *purpose), len(rows), samples)

    def share(self, rows: Sequence[Row], samples: int, *purpose: str | int) -> list[Rollout]:
        """This rank's part of :meth:`rollouts`, without a word to the others."""
        mine = list(enumerate(rows))[ranks.rank() :: ranks.world_size()]
        return collect(
            self.sampler,
            self.score,
            [row for _, row in mine],
            self.objective.sampling,
            samples=samples,
            seeds=[
                derive_seed(self.seed, *purpose, row.id, index, sample)
                for index, row in mine
                for sample in range(samples)
            ],
            encode=self.encode,
            decode=self.decode,
            phase=self.meter.phase,
        )

    def sync(self, version: int) -> dict[str, float]:
        """Serve the policy as ``version``; where the sampler has a copy of the weights, prove that it is one.

        Returns the proof's ``weight_sync/mismatch`` (nats), nothing where the sampler computes with the trainer's own
        tensors. Raises :class:`WeightSyncError` naming what differs.
        """
        self.sampler.load_weights(self.engine.full_parameters(), version=version)
        if getattr(self.sampler, "model", None) is self.model:
            return {}
        prompt = self.encode(next(row for pool in self.pools.values() for row in pool))
        proof = prove_weights(
            self.sampler,
            self.engine.full_parameters(),
            version,
            logprobs=lambda prompt_ids, ids: self.engine.forward(_plain_logprobs, prompt_ids, ids),
            prompt_ids=prompt,
            dtype=self.model.dtype,
        )
        return {"weight_sync/mismatch": proof.mismatch}

    def max_mismatch(self, step: int) -> float:
        """Nats by which sampler and trainer may disagree in step ``step``: on any token, and in bfloat16, whose rounding alone
        moves single tokens by more, in the mean of all."""
        return self.objective.max_mismatch

    def _update(self, groups: list[Group], step: int) -> tuple[list[Group], dict[str, float]]:
        """One step on the groups; they come back with the advantages that it had."""
        objective = self.objective
        batch = self._batch(groups)
        estimated: dict[str, float] = {}
        if self.critic is not None:
            batch, estimated = self.critic.estimate(batch)
            groups = with_means(groups, batch)
        outcomes = [
            update_policy(
                self.engine,
                part,
                loss=objective.loss,
                pad_id=self.pad_id,
                temperature=objective.sampling.temperature,
                micro_tokens=objective.micro_tokens,
            )
            | (self.critic.update(part) if self.critic else {})
            for part in split_at_random(batch, objective.mini_batches, derive_seed(self.seed, "mini-batches", step))
        ]
        mismatch = max(o["mismatch"] for o in outcomes)
        rounded = self.model.dtype == torch.bfloat16
        apart = max(o["mismatch_mean"] for o in outcomes) if rounded else mismatch
        if not apart <= self.max_mismatch(step):  # NaN is a mismatch
            raise WeightSyncError(
                f"step {step}: trainer and sampler disagree by {apart:.3f} nats {'on average' if rounded else 'on a token'} "
                f"(limit {objective.max_mismatch}); the sampler does not serve the trainer's weights. Where it merely computes "
                "in another precision, raise max_mismatch and set a correction"
            )
        mean = {name: sum(o[name] for o in outcomes) / len(outcomes) for name in outcomes[0]}
        dropped = 1 - len(batch) / sum(len(g.rollouts) for g in groups)
        return groups, mean | estimated | {"mismatch": mismatch, "dropped": dropped}

    @property
    def _recomputes_old(self) -> bool:
        """Several mini-batches compare with the policy before the first; PPO's rewards compare it with the reference."""
        return self.objective.mini_batches > 1 or (self.critic is not None and self.reference is not None)

    def _batch(self, groups: Sequence[Group]) -> list[Trained]:
        """What is trained on, with the log-probabilities that the loss compares with.

        Out of numerator and denominator: what was not scored; what was cut short, with ``drop_truncated`` (it keeps its part
        in its group's mean); with dynamic sampling, groups without signal, because others were drawn for them.
        """
        objective = self.objective
        batch = [
            Trained(rollout, advantage)
            for group in groups
            if not objective.refill_rounds or teaches(group.rollouts)
            for rollout, advantage in zip(group.rollouts, group.advantages, strict=True)
            if rollout.reward is not None and (rollout.finished or not objective.drop_truncated)
        ]
        self.model.eval()  # no dropout: the ratio compares like with like
        if self._recomputes_old:
            old = self._logprobs(self.engine.forward, batch)
            batch = [replace(t, old_logprobs=logp) for t, logp in zip(batch, old, strict=True)]
        if self.reference is not None:
            ref = self._logprobs(on(self.reference), batch)
            batch = [replace(t, ref_logprobs=logp) for t, logp in zip(batch, ref, strict=True)]
        return batch

    def _logprobs(self, run: Run, batch: Sequence[Trained]) -> list[Tensor]:
        return frozen_logprobs(
            run,
            [t.rollout for t in batch],
            pad_id=self.pad_id,
            temperature=self.objective.sampling.temperature,
            micro_tokens=self.objective.micro_tokens,
        )


def grouped(rollouts: Sequence[Rollout], size: int) -> Groups:
    """Rollouts that come prompt by prompt as groups of ``size``."""
    return [tuple(rollouts[i : i + size]) for i in range(0, len(rollouts), size)]


def gathered(mine: list[Rollout], prompts: int, samples: int) -> list[Rollout]:
    """All ranks' shares of ``prompts`` in the prompts' order. All ranks call it, in their main threads."""
    world = ranks.world_size()
    if world == 1:
        return mine
    told = [vars(r) | {"ids": list(r.ids), "logprobs": list(r.logprobs)} for r in mine]
    dealt = [[Rollout(**values) for values in of_rank] for of_rank in ranks.gather(told)]
    turns = [divmod(index, world) for index in range(prompts)]
    return [r for turn, owner in turns for r in dealt[owner][turn * samples : (turn + 1) * samples]]


def _plain_logprobs(model: PreTrainedModel, prompt_ids: tuple[int, ...], ids: tuple[int, ...]) -> Sequence[float]:
    return model_logprobs(model)(prompt_ids, ids)
