"""The settings of a GRPO stage. The algorithm fills what is not given; settings that contradict each other are refused."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from r1flow.components.core.schedule import Schedule
from r1flow.components.recipe.difficulty import DifficultyConfig
from r1flow.components.recipe.ppo import PpoConfig
from r1flow.components.recipe.rewards import RewardWeights, ShapingConfig
from r1flow.components.recipe.section import Count, Positive, Section, Share, Weight

Algorithm = Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo", "ppo"]
Correction = Literal["none", "tis", "sequence_tis", "icepop", "sequence_mask", "geometric_mask"]

OWN: dict[str, dict[str, Any]] = {
    "dr_grpo": {"advantage": "mean", "normalization": "constant"},
    "dapo": {"normalization": "token", "clip_high": 0.28},
    "gspo": {"clip_low": 3e-4, "clip_high": 4e-4},
    "cispo": {"normalization": "token", "clip_low": 1.0, "clip_high": 4.0},
    "ppo": {"advantage": "gae"},
}
"""What each algorithm's paper sets otherwise than GRPO. CISPO: no lower bound, and TRL's highest weight 5."""

BOUNDS: dict[str, tuple[float, float]] = {
    "tis": (0.0, 2.0),
    "sequence_tis": (0.0, 2.0),
    "icepop": (0.5, 5.0),
    "sequence_mask": (0.0, 3.0),
    "geometric_mask": (0.5, 5.0),
}
"""Usual bounds. TIS: its authors' cap 2; IcePop and the geometric mask: OpenRLHF's range; sequence_mask: TRL's cap 3."""


class GrpoConfig(Section):
    """Group relative policy optimisation (DeepSeekMath eq. 3, R1 eq. 1 to 3) and its relatives."""

    algorithm: Algorithm = "grpo"
    """Sets the loss, and the defaults of `advantage`, `normalization`, `clip_low` and `clip_high`."""
    steps: Count
    """Rollout batches."""
    prompts_per_step: Count = 32
    samples_per_prompt: Annotated[int, Field(ge=2)] = 16
    """G, the size of a group."""
    mini_batches: Count = 1
    """Optimizer steps per rollout batch; 1 is on-policy. The paper takes 16."""
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Schedule = "constant"
    max_grad_norm: Positive = 1.0
    advantage: Literal["group_std", "batch_std", "mean", "leave_one_out", "gae"] = "group_std"
    """Reward minus the group's mean, over the group's deviation, the batch's, or neither; or minus the others' mean; or
    (`ppo` alone) a value model's estimate for every token."""
    normalization: Literal["sequence", "token", "constant"] = "sequence"
    """Mean over completions of token means; mean over all tokens; sum over tokens by completions times `max_tokens`."""
    clip_low: Positive = 0.2
    clip_high: Positive = 0.2
    """Both are distances of the ratio from 1."""
    dual_clip: Positive | None = None
    """c: highest ratio that counts for a token with negative advantage. Usual: 3."""
    kl_weight: Weight = 0.0
    """beta of the KL term, in the form of `kl_estimator`; 0 keeps no reference. The paper: 0.001. In PPO part of every reward."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    kl_unbiased: bool = False
    """Multiply the divergence by the ratio, so that its gradient is unbiased (DeepSeek-V3.2)."""
    reference_every: Annotated[int, Field(ge=0)] = 0
    """Steps after which the reference becomes the latest policy; 0 = never. The paper: 400."""
    entropy_weight: Weight = 0.0
    """Bonus for entropy."""
    correction: Correction = "none"
    """For a sampler that computes otherwise than the trainer, or with older weights (then `tis` unless given): weigh tokens
    by the ratio of the two probabilities."""
    correction_bounds: tuple[Weight, Positive] | None = None
    """Lowest and highest ratio that is believed. Empty = the usual ones of the correction."""
    max_mismatch: Positive = 0.1
    """Nats between the log-probabilities of sampler and trainer at which a run stops. float32: on any token (a CPU stays under
    1e-4); bfloat16: on average (on an H100 0.010 for a 0.5B and 0.023 for a 1.5B model of random weights, 0.13 on the worst
    token)."""
    staleness: Annotated[int, Field(ge=0)] = 0
    """k: step n trains on rollouts of the policy before step n - k, sampled meanwhile by a process of its own; 0 = take turns."""
    refill_rounds: Annotated[int, Field(ge=0)] = 0
    """Dynamic sampling: so many times further prompts are drawn for groups without signal; 0 = off."""
    drop_truncated: bool = False
    """Leave completions that hit `max_tokens` out of the loss (they stay in their group's mean)."""
    ppo: PpoConfig | None = None
    """The value model's settings; with `algorithm = "ppo"` alone, which fills them in."""
    temperature: Positive = 1.0
    max_tokens: Count
    """Longest completion."""
    rewards: RewardWeights = RewardWeights()
    reward_gates: dict[str, str] = Field(default_factory=dict)
    """A reward counts only where another is above 0: `{language = "accuracy"}` pays for language in right answers."""
    shaping: ShapingConfig = ShapingConfig()
    mixture: dict[str, Weight] = Field(default_factory=lambda: {"main": 1.0})
    """Share of each skill among the prompts."""
    difficulty: DifficultyConfig | None = None
    """Draw from problems of some difficulty, or in its order; empty = from all, shuffled."""
    min_pass_rate: Share = 0.02
    """Below this pass@1 of the start model RL is refused: there is nothing to reinforce."""
    micro_tokens: Count = 16384
    """Padded tokens per backward pass; memory, not mathematics."""
    checkpoint_every: Count = 20

    @model_validator(mode="before")
    @classmethod
    def _fill_from_algorithm(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        filled = OWN.get(str(data.get("algorithm")), {}) | data
        if filled.get("staleness"):
            filled.setdefault("correction", "tis")
        if filled.get("correction_bounds") is None and filled.get("correction") in BOUNDS:
            filled["correction_bounds"] = BOUNDS[filled["correction"]]
        if filled.get("ppo") is None and filled.get("algorithm") == "ppo":
            filled["ppo"] = {}
        return filled

    @model_validator(mode="after")
    def _makes_sense(self) -> "GrpoConfig":
        for reason in (*self._unused(), *self._contradictions()):
            raise ValueError(reason)
        return self

    def _unused(self) -> Iterator[str]:
        """Settings that nothing would read."""
        if self.reference_every and not self.kl_weight:
            yield "reference_every refreshes a reference that kl_weight = 0 never uses"
        if not self.kl_weight and (self.kl_unbiased or self.kl_estimator != "k3"):
            yield "kl_estimator and kl_unbiased shape a divergence that kl_weight = 0 leaves out"
        if self.ppo and self.algorithm != "ppo":
            yield f"ppo holds settings of a value model, and algorithm '{self.algorithm}' has none: set algorithm = 'ppo'"
        if self.ppo and self.kl_weight and self.kl_estimator != "k3":
            yield "kl_estimator shapes a divergence in the loss; algorithm 'ppo' has log pi - log pi_ref in the reward"
        if self.ppo and self.refill_rounds:
            yield (
                "refill_rounds draws prompts for groups whose rewards are all equal; algorithm 'ppo' compares with values, "
                "not within groups, and learns from such groups too"
            )
        if self.correction_bounds and self.correction == "none":
            yield "correction_bounds belong to a correction, and correction is 'none'"
        if self.dual_clip and self.algorithm == "cispo":
            yield "dual_clip bounds a ratio that algorithm 'cispo' has capped already, for either sign: set clip_high"
        for name, gate in self.reward_gates.items():
            if unknown := {name, gate} - set(self.rewards.weights()):
                yield f"reward_gates names {', '.join(sorted(unknown))}, which is no reward of this stage"

    def _contradictions(self) -> Iterator[str]:
        """Settings whose combination is not what either of them promises."""
        if self.mini_batches > self.prompts_per_step * self.samples_per_prompt:
            yield f"mini_batches ({self.mini_batches}) is more than the completions of one step"
        yield from self._stale()
        if self.dual_clip is not None and self.dual_clip <= 1:
            yield f"dual_clip {self.dual_clip} would silence bad tokens that have not even become likelier: it must be above 1"
        if self.algorithm == "gspo" and self.normalization != "sequence":
            yield (
                f"algorithm 'gspo' has one ratio per completion; normalization '{self.normalization}' would weigh it by its "
                "length. Take 'sequence'"
            )
        if self.algorithm == "cispo" and self.normalization == "sequence":
            yield (
                "algorithm 'cispo' keeps every token's gradient with its own weight; normalization 'sequence' would weigh the "
                "tokens of long completions down. Take 'token' or 'constant'"
            )
        if (self.advantage == "gae") != (self.algorithm == "ppo"):
            yield (
                f"algorithm '{self.algorithm}' and advantage '{self.advantage}' exclude each other: 'ppo' has 'gae', from its "
                "value model, and the others compare within a group. Leave advantage out"
            )
        if self.algorithm == "ppo" and self.kl_unbiased:
            yield "kl_unbiased weighs a divergence in the loss by the ratio; algorithm 'ppo' has it in the reward, as a constant"
        if self.kl_estimator == "k1" and not self.kl_unbiased:
            yield "kl_estimator 'k1' has an expected gradient of 0 as a loss term: take 'k2' or 'k3', or kl_unbiased = true"
        if self.correction_bounds:
            low, high = self.correction_bounds
            if not low < 1 < high:
                yield f"correction_bounds {low} to {high} must enclose 1, the ratio of two that agree"
            if low and self.correction.endswith("tis"):
                yield f"correction '{self.correction}' only cuts off above; {low} must be 0, or take a mask"
        if self.refill_rounds and self.difficulty and self.difficulty.order == "easy_to_hard":
            yield (
                "refill_rounds and difficulty.order 'easy_to_hard' exclude each other: refills are drawn out of turn, from "
                "problems of any difficulty"
            )
        if sum(self.mixture.values()) <= 0:
            yield "mixture needs one skill with a weight above 0"

    def _stale(self) -> Iterator[str]:
        """What rollouts of an older policy do not go with."""
        if self.staleness and self.correction == "none":
            yield (
                f"staleness {self.staleness} trains on what an older policy has sampled; correction 'none' would take it for "
                "the policy's own. Take 'tis', or leave correction out"
            )
        if self.staleness and self.refill_rounds:
            yield (
                "staleness and refill_rounds exclude each other: how many further prompts a step needs is known only when "
                "its rewards are, so it could not be sampled ahead in one go"
            )
        if self.staleness and self.algorithm == "ppo":
            yield (
                "staleness and algorithm 'ppo' exclude each other: returns of an older policy would teach the value model "
                "uncorrected"
            )
        if self.staleness >= self.steps:
            yield f"staleness ({self.staleness}) is not below steps ({self.steps}): the start model would sample all of them"
