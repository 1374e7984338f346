"""The GRPO loop: sample, score, compare within the group, step. It knows no store, no flow and no file."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.data.schema import Row
from components.engines.single import SingleEngine
from components.errors import WeightSyncError
from components.rewards.score import Scorer
from components.rl.advantage import group_advantages, has_signal
from components.rl.batch import prompts_of_step
from components.rl.forward import frozen_logprobs
from components.rl.update import Trained, split_at_random, update_policy
from components.rollout.types import Group, Rollout
from components.sampling.base import Request, Sampler, Sampling
from components.seeds import derive_seed

MAX_MISMATCH = 0.05  # nats; float32 on CPU stays under 1e-4, stale weights are off by 1 to 2


@dataclass(frozen=True)
class Objective:
    """The plain numbers of objective and sampling; what they mean: :class:`components.config.stages.GrpoConfig`."""

    sampling: Sampling
    prompts_per_step: int
    samples_per_prompt: int
    mixture: Mapping[str, float]
    mini_batches: int = 1
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_weight: float = 0.0
    reference_every: int = 0
    scale_advantages: bool = True
    micro_tokens: int = 16384


class GrpoTrainer:
    """One policy in training. ``step(n)`` is a function of weights and (seed, n) alone, so a resumed run repeats it.

    ``encode`` renders a row to prompt token ids, ``decode`` turns completion ids into text, ``score`` rewards texts.
    ``reference`` is a frozen model of the same shape, or None when ``kl_weight`` is 0.
    """

    def __init__(
        self,
        engine: SingleEngine,
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

    def step(self, step: int) -> tuple[list[Group], dict[str, float]]:
        """Step ``step`` (from 1): the groups that were sampled and the step's metrics."""
        started = time.monotonic()
        objective = self.objective
        rows = prompts_of_step(self.pools, objective.mixture, step=step, num=objective.prompts_per_step, seed=self.seed)
        rollouts = self.rollouts(rows, objective.samples_per_prompt, "step", step)
        sampled = time.monotonic()
        groups = list(_groups(rollouts, objective.samples_per_prompt, scale=objective.scale_advantages))
        metrics = self._update(groups, step)
        if objective.reference_every and step % objective.reference_every == 0 and self.reference is not None:
            self.reference.load_state_dict(self.model.state_dict())
        ended = time.monotonic()
        tokens = sum(len(r.ids) for r in rollouts)
        return groups, rollout_metrics(groups) | metrics | {
            "tokens": float(tokens),
            "time/step_s": ended - started,
            "time/sample_s": sampled - started,
            "time/update_s": ended - sampled,
            "time/tokens_per_s": tokens / (ended - started),
        }

    def rollouts(self, rows: Sequence[Row], samples: int, *purpose: str | int) -> list[Rollout]:
        """``samples`` scored completions of every row, row by row. Seeds depend on (run, purpose, row, sample) only."""
        prompts = [self.encode(row) for row in rows]
        requests = [
            Request(prompt, derive_seed(self.seed, *purpose, row.id, index, sample))
            for index, (row, prompt) in enumerate(zip(rows, prompts, strict=True))
            for sample in range(samples)
        ]
        repeated = [row for row in rows for _ in range(samples)]
        completions = self.sampler.generate(
            requests,
            self.objective.sampling,
            finished=lambda index, ids: self.score.ahead(self.decode(ids), repeated[index]),
        )
        texts = [self.decode(c.ids) for c in completions]
        scores = self.score(texts, repeated, lengths=[len(c.ids) for c in completions], samples=samples)
        return [
            Rollout(
                prompt_id=row.id,
                sample=index % samples,
                prompt_ids=request.prompt_ids,
                ids=completion.ids,
                logprobs=completion.logprobs,
                finished=completion.finished,
                text=text,
                reward=score.total,
                rewards=score.components,
                verdict=score.verdict,
                language=score.language,
                format_ok=score.format_ok,
                reflections=score.reflections,
            )
            for index, (row, request, completion, text, score) in enumerate(
                zip(repeated, requests, completions, texts, scores, strict=True)
            )
        ]

    def _update(self, groups: Sequence[Group], step: int) -> dict[str, float]:
        objective = self.objective
        batch = [
            Trained(rollout, advantage)
            for group in groups
            for rollout, advantage in zip(group.rollouts, group.advantages, strict=True)
            if rollout.reward is not None
        ]
        self.model.eval()  # no dropout: the ratio compares like with like
        if objective.mini_batches > 1:
            old = self._logprobs(self.model, batch)
            batch = [replace(t, old_logprobs=logp) for t, logp in zip(batch, old, strict=True)]
        if self.reference is not None:
            ref = self._logprobs(self.reference, batch)
            batch = [replace(t, ref_logprobs=logp) for t, logp in zip(batch, ref, strict=True)]
        outcomes = [
            update_policy(
                self.engine,
                self.model,
                part,
                pad_id=self.pad_id,
                temperature=objective.sampling.temperature,
                clip_low=objective.clip_low,
                clip_high=objective.clip_high,
                kl_weight=objective.kl_weight,
                max_tokens=objective.micro_tokens,
            )
            for part in split_at_random(batch, objective.mini_batches, derive_seed(self.seed, "mini-batches", step))
        ]
        # Only the first mini-batch is still on the policy that sampled: it is the weight-sync proof.
        mismatch = outcomes[0]["mismatch"]
        if mismatch > MAX_MISMATCH:
            raise WeightSyncError(
                f"step {step}: trainer and sampler disagree by {mismatch:.3f} nats on a sampled token (limit "
                f"{MAX_MISMATCH}); the sampler does not serve the trainer's weights"
            )
        self.sampler.load_weights(self.model.named_parameters(), version=step)
        mean = {name: sum(o[name] for o in outcomes) / len(outcomes) for name in outcomes[0]}
        return mean | {"mismatch": mismatch}

    def _logprobs(self, model: PreTrainedModel, batch: Sequence[Trained]) -> list[Tensor]:
        return frozen_logprobs(
            model,
            [t.rollout for t in batch],
            pad_id=self.pad_id,
            temperature=self.objective.sampling.temperature,
            max_tokens=self.objective.micro_tokens,
        )


def _groups(rollouts: Sequence[Rollout], size: int, *, scale: bool) -> Iterator[Group]:
    for start in range(0, len(rollouts), size):
        members = tuple(rollouts[start : start + size])
        yield Group(members, tuple(group_advantages([r.reward for r in members], scale=scale)))


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """What people watch in RL, over one step's completions: rewards, pass@1, lengths, language, signal."""
    members = [r for g in groups for r in g.rollouts]
    scored = [r for r in members if r.reward is not None]
    spoken = [r.language for r in members if r.language is not None]
    rewards = torch.tensor([r.reward for r in scored], dtype=torch.float64)
    metrics = {
        "reward": float(rewards.mean()) if scored else 0.0,
        "reward_std": float(rewards.std()) if len(scored) > 1 else 0.0,
        "pass_at_1": _share(r.correct for r in members),
        "format": _share(r.format_ok for r in members),
        "language": sum(spoken) / len(spoken) if spoken else 0.0,
        "length": sum(len(r.ids) for r in members) / len(members),
        # The mean of -log p over sampled tokens estimates the policy's entropy without bias, and costs nothing.
        "entropy": -sum(map(sum, (r.logprobs for r in members))) / sum(len(r.ids) for r in members),
        "truncated": _share(not r.finished for r in members),
        "reflection": _share(r.reflections > 0 for r in members),
        "unscored": 1 - len(scored) / len(members),
        "groups_without_signal": _share(not has_signal([r.reward for r in g.rollouts]) for g in groups),
    }
    for name in members[0].rewards:
        values = [v for r in members if (v := r.rewards[name]) is not None]
        metrics[f"rewards/{name}"] = sum(values) / len(values) if values else 0.0
    return metrics


def _share(flags: Iterator[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values)
