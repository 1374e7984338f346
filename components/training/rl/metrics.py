"""What people watch in RL, over one step's completions."""

from collections.abc import Iterator, Sequence

import torch

from r1flow.components.core.rollout import Group
from r1flow.components.training.rl.batch import teaches


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Rewards, pass@1, lengths, language, signal: means over all completions that were sampled.

    Named as TRL names them where it has them. ``length`` and ``truncated`` are there under TRL's names too
    (``completions/mean_length``, ``completions/clipped_ratio``), since evaluations have these; TRL's
    ``frac_reward_zero_std`` is ``groups_without_signal``, for groups are compared by their rewards. "Terminated" completions
    are those that ended by themselves.
    """
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
        "groups_without_signal": _share(not teaches(g.rollouts) for g in groups),
    }
    for name in members[0].rewards:
        values = torch.tensor([v for r in members if (v := r.rewards[name]) is not None], dtype=torch.float64)
        metrics[f"rewards/{name}/mean"] = float(values.mean()) if len(values) else 0.0
        metrics[f"rewards/{name}/std"] = float(values.std()) if len(values) > 1 else 0.0
    metrics["completions/clipped_ratio"] = metrics["truncated"]
    metrics |= _lengths([len(r.ids) for r in members], "length")
    return metrics | _lengths([len(r.ids) for r in members if r.finished], "terminated_length")


def _lengths(lengths: Sequence[int], name: str) -> dict[str, float]:
    """Mean, least and greatest; 0 where there is none."""
    found = lengths or [0]
    metrics = {"mean": sum(found) / len(found), "min": float(min(found)), "max": float(max(found))}
    return {f"completions/{metric}_{name}": value for metric, value in metrics.items()}


def _share(flags: Iterator[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values)
