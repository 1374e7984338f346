"""r1flow's advantages, corrections and losses beside TRL's own code, on the same float64 tensors.

    python benchmarks/parity_trl.py [--groups N] [--seed N]

A real ``GRPOTrainer`` is built on the shipped tiny model; its sampling, its rewards and its log-probabilities are replaced by
given tensors, everything else is TRL's: ``_generate_and_score_completions`` makes advantages and sampler corrections,
``_compute_loss`` the loss. The table has the largest difference of advantages, of the loss and of its gradient by every
token's log-probability (relative to the largest entry). A difference above 1e-6 ends the program with exit code 1.

Where the two mean different things they are not compared: TRL multiplies GSPO's divergence by the sequence's ratio (here the
token's), averages the entropy bonus over tokens whatever the loss (here with the loss's own weights; equal for DAPO), counts
completions that were cut short in the means of ``grpo`` (here not; equal for DAPO), and has no leave-one-out, k1, k2, or
geometric mask in this trainer.
"""

import argparse
import random
import sys
import tempfile
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

LIMIT = 1e-6
L_MAX = 12
G = 4


@dataclass(frozen=True)
class Case:
    """One row of the table: our loss and advantage, and the same in TRL's words."""

    name: str
    loss: Any
    trl: dict[str, Any]
    advantage: str = "group_std"
    options: dict[str, Any] = field(default_factory=dict)
    drop_truncated: bool = False


def cases() -> list[Case]:
    from r1flow.components.training.rl.loss import Loss

    grpo = Case("grpo", Loss(), {"loss_type": "grpo"})
    dr_grpo = Case(
        "dr_grpo",
        Loss(normalization="constant", max_tokens=L_MAX),
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        advantage="mean",
    )
    dapo = Case("dapo", Loss(normalization="token", clip_high=0.28), {"loss_type": "dapo", "epsilon_high": 0.28})
    gspo = Case(
        "gspo",
        Loss(ratio="sequence", clip_low=0.03, clip_high=0.04),
        {"importance_sampling_level": "sequence", "epsilon_low": 0.03, "epsilon_high": 0.04},
    )
    cispo = Case(
        "cispo",
        Loss(surrogate="cispo", normalization="token", clip_low=1.0, clip_high=0.5),
        {"loss_type": "cispo", "epsilon_high": 1.5},
    )
    named = [grpo, dr_grpo, dapo, gspo, cispo]
    rows = list(named)
    rows += [extended(c, "k3", {"kl_weight": 0.04}, {"beta": 0.04}) for c in named]
    rows += [
        extended(c, "unbiased k3", {"kl_weight": 0.1, "kl_unbiased": True}, {"beta": 0.1}, use_bias_correction_kl=True)
        for c in (grpo, dr_grpo, dapo, cispo)
    ]
    rows += [extended(c, "dual clip", {"dual_clip": 1.5}, {}, delta=1.5) for c in (grpo, dr_grpo, dapo, gspo)]
    for method, theirs, low, high in (
        ("tis", "token_truncate", None, 1.1),
        ("icepop", "token_mask", 0.8, 1.25),
        ("sequence_tis", "sequence_truncate", None, 1.2),
        ("sequence_mask", "sequence_mask", 0.7, 1.5),
    ):
        rows += [
            extended(
                c,
                method,
                {"correction": method, "correction_bounds": (low or 0.0, high), "kl_weight": 0.02},
                {
                    "use_vllm": True,
                    "vllm_importance_sampling_correction": True,
                    "vllm_importance_sampling_mode": theirs,
                    "vllm_importance_sampling_clip_min": low,
                    "vllm_importance_sampling_clip_max": high,
                    "beta": 0.02,
                },
            )
            for c in named
        ]
    rows.append(extended(dapo, "entropy bonus", {"entropy_weight": 0.05}, {"entropy_coef": 0.05}))
    rows.append(replace(extended(grpo, "batch std", {}, {"scale_rewards": "batch"}), advantage="batch_std"))
    rows.append(
        replace(extended(dapo, "drop truncated", {}, {"mask_truncated_completions": True}), drop_truncated=True)
    )
    return rows


def extended(case: Case, name: str, ours: dict[str, Any], theirs: dict[str, Any], **options: Any) -> Case:
    return replace(
        case,
        name=f"{case.name} + {name}",
        loss=replace(case.loss, **ours),
        trl=case.trl | theirs,
        options=case.options | options,
    )


@dataclass(frozen=True)
class Batch:
    """Completions as plain lists: rewards, and per token log-probabilities of four models and the entropy."""

    rewards: list[float | None]
    tokens: list[list[tuple[float, float, float, float, float]]]
    finished: list[bool]


def make_batch(groups: int, seed: int) -> Batch:
    """Mixed lengths from 1 on, a group without signal, unscored completions, some cut short."""
    import numpy as np

    rng = random.Random(seed)
    rewards: list[float | None] = [float(rng.random() < 0.4) + 0.1 * rng.random() for _ in range(groups * G)]
    rewards[:G] = [0.3] * G
    rewards[G + 1] = None
    tokens = []
    for i in range(groups * G):
        row = []
        for _ in range(1 if i == G else rng.randint(1, L_MAX)):
            logp = -rng.uniform(0.05, 5)
            old = logp + rng.gauss(0, 0.3)
            sampled = float(np.float32(old + rng.gauss(0, 0.15)))  # TRL keeps these in float32
            row.append((logp, old, logp + rng.gauss(0, 0.4), sampled, rng.uniform(0, 3)))
        tokens.append(row)
    return Batch(rewards, tokens, [rng.random() < 0.8 for _ in tokens])


def ours(case: Case, batch: Batch) -> tuple[list[float], float, list[list[float]]]:
    """Advantages, loss and the gradient by every completion's log-probabilities. What TRL counts is counted here."""
    import torch

    from r1flow.components.training.rl.advantage import batch_advantages
    from r1flow.components.training.rl.loss import Tokens, policy_loss, token_weights

    groups = [batch.rewards[i : i + G] for i in range(0, len(batch.rewards), G)]
    advantages = [a for row in batch_advantages(groups, case.advantage) for a in row]
    kept = [i for i, done in enumerate(batch.finished) if done or not case.drop_truncated]
    columns = [
        torch.tensor([token[c] for i in kept for token in batch.tokens[i]], dtype=torch.float64) for c in range(5)
    ]
    lengths = torch.tensor([len(batch.tokens[i]) for i in kept])
    logp = columns[0].requires_grad_()
    advantage = torch.tensor([advantages[i] for i in kept], dtype=torch.float64).repeat_interleave(lengths)
    reference = columns[2] if case.loss.kl_weight else None
    flat = Tokens(logp, columns[4], columns[1], columns[3], advantage, lengths, reference)
    weight = token_weights(
        lengths,
        case.loss.normalization,
        completions=len(kept),
        tokens=int(lengths.sum()),
        max_tokens=case.loss.max_tokens,
    )
    loss = policy_loss(flat, weight, case.loss).loss
    loss.backward()
    by_row = dict(zip(kept, logp.grad.split(lengths.tolist()), strict=True))
    gradient = [by_row[i].tolist() if i in by_row else [0.0] * len(row) for i, row in enumerate(batch.tokens)]
    return advantages, float(loss.detach()), gradient


class Theirs:
    """TRL's trainer with given completions, rewards and log-probabilities."""

    def __init__(self, directory: str) -> None:
        from datasets import Dataset
        from transformers import AutoTokenizer
        from trl import GRPOConfig, GRPOTrainer

        from r1flow.components.core.models import BUILTIN, load_model

        model = load_model(BUILTIN["tiny-base"], dtype="float32", device="cpu")
        tokenizer = AutoTokenizer.from_pretrained(BUILTIN["tiny-base"])
        self.eos = tokenizer.eos_token_id
        settings = GRPOConfig(
            output_dir=directory,
            report_to=[],
            use_cpu=True,
            bf16=False,
            num_generations=G,
            per_device_train_batch_size=G,
            gradient_accumulation_steps=1,
            max_completion_length=L_MAX,
            disable_dropout=True,
        )
        rows = Dataset.from_dict({"prompt": ["1+1=", "2+2="]})
        self.trainer = GRPOTrainer(
            model, reward_funcs=self._nothing, args=settings, train_dataset=rows, processing_class=tokenizer
        )
        self.trainer.model.train()
        self.trainer.ref_model = self.trainer.model  # asked for log-probabilities, which are given
        self.plain = {name: getattr(self.trainer, name) for name in PLAIN}

    @staticmethod
    def _nothing(completions: list[str], **_: Any) -> list[float]:
        return [0.0] * len(completions)

    def __call__(self, case: Case, batch: Batch) -> tuple[list[float], float, list[list[float]]]:
        import torch

        trainer = self.trainer
        for name, value in (self.plain | PLAIN | case.trl).items():
            setattr(trainer, name, value)
        trainer._entropy_bonus_enabled = trainer.entropy_coef != 0
        trainer.args.delta = case.options.get("delta")
        trainer.args.use_bias_correction_kl = case.options.get("use_bias_correction_kl", False)
        trainer.current_gradient_accumulation_steps = 1
        lengths = [len(row) for row in batch.tokens]
        padded = torch.zeros(5, len(lengths), max(lengths), dtype=torch.float64)
        for i, row in enumerate(batch.tokens):
            padded[:, i, : len(row)] = torch.tensor(row, dtype=torch.float64).T
        logp, old, reference, sampled, entropy = padded
        trainer._generate = lambda prompts: self._completions(batch, sampled, lengths)
        trainer._calculate_rewards = lambda *_: torch.tensor(
            [[float("nan") if r is None else r] for r in batch.rewards], dtype=torch.float64
        )
        trainer.reward_weights = torch.ones(1, dtype=torch.float64)
        trainer._get_per_token_logps_and_entropies = lambda *_, **__: (old, None, None)
        inputs = trainer._generate_and_score_completions([{"prompt": "1+1="} for _ in lengths])
        inputs |= {"old_per_token_logps": old, "ref_per_token_logps": reference}
        leaf = logp.clone().requires_grad_()
        trainer._get_per_token_logps_and_entropies = lambda *_, **__: (leaf, entropy, None)
        loss = trainer._compute_loss(trainer.model, inputs)
        loss.backward()
        gradient = [row[:length].tolist() for row, length in zip(leaf.grad, lengths, strict=True)]
        return inputs["advantages"].tolist(), float(loss.detach()), gradient

    def _completions(self, batch: Batch, sampled: Any, lengths: list[int]) -> tuple[Any, ...]:
        other = self.eos + 1
        ids = [
            [other] * (length - 1) + [self.eos if done else other]
            for length, done in zip(lengths, batch.finished, strict=True)
        ]
        logprobs = [row[:length].tolist() for row, length in zip(sampled, lengths, strict=True)]
        return [[other]] * len(ids), ids, None, ["" for _ in ids], logprobs, {}, None, None


PLAIN: dict[str, Any] = {
    "loss_type": "grpo",
    "scale_rewards": "group",
    "beta": 0.0,
    "epsilon_low": 0.2,
    "epsilon_high": 0.2,
    "importance_sampling_level": "token",
    "entropy_coef": 0.0,
    "use_vllm": False,
    "vllm_importance_sampling_correction": False,
    "vllm_importance_sampling_mode": "sequence_mask",
    "vllm_importance_sampling_clip_min": None,
    "vllm_importance_sampling_clip_max": 3.0,
    "mask_truncated_completions": False,
}
"""The trainer's attributes as every case starts from."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=6, help=f"groups of {G} completions")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import torch
    import trl

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    batch = make_batch(options.groups, options.seed)
    print(f"TRL {trl.__version__}; {len(batch.tokens)} completions, {sum(map(len, batch.tokens))} tokens, float64")
    print(f"{'':30}{'advantage':>12}{'loss':>12}{'gradient':>12}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        theirs = Theirs(directory)
        for case in cases():
            differences = compare(ours(case, batch), theirs(case, batch))
            worst = max(worst, *differences)
            print(f"{case.name:30}" + "".join(f"{d:12.1e}" for d in differences), flush=True)
    print(f"largest difference {worst:.1e} (limit {LIMIT:.0e})")
    return int(not worst <= LIMIT)


def compare(left: tuple[Any, float, Any], right: tuple[Any, float, Any]) -> tuple[float, float, float]:
    """Largest difference of advantages, of the loss, of the gradient, each relative to the largest number there."""
    flat = [([*a], [b], [g for row in c for g in row]) for a, b, c in (left, right)]
    found = []
    for one, other in zip(*flat, strict=True):
        scale = max(map(abs, one)) or 1.0
        found.append(max(abs(a - b) for a, b in zip(one, other, strict=True)) / scale)
    return found[0], found[1], found[2]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(main())
