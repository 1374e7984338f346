"""Reinforcement learning by GRPO or PPO: a policy and a dataset in, a better policy, its lake and its history out."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from r1flow.components.core.artifacts import Dataset, Policy
from r1flow.components.core.cuda import resolve_device
from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import load_model, save_model
from r1flow.components.core.rollout import Group
from r1flow.components.core.schedule import learning_rate
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import python_rng
from r1flow.components.data.files import load_rows
from r1flow.components.processes.ranks import Layout, am_rank, run_ranks
from r1flow.components.programs.context import problems_with_room
from r1flow.components.programs.critic import open_critic
from r1flow.components.programs.failed_batch import saving_failed_batch
from r1flow.components.programs.journal import Journal
from r1flow.components.programs.language_model import LanguageModel, open_model, scoring
from r1flow.components.programs.pools import training_pools
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.stages import RlStage
from r1flow.components.rewards.score import Scorer
from r1flow.components.sampling.base import Sampler, Sampling
from r1flow.components.store.rollouts import TABLE
from r1flow.components.store.rollouts.table import completions_table
from r1flow.components.training.engines import machine, ranks
from r1flow.components.training.engines.open import open_engine
from r1flow.components.training.rl.asynchronous import AsyncTrainer
from r1flow.components.training.rl.doctor import diagnose
from r1flow.components.training.rl.loss import Loss
from r1flow.components.training.rl.meter import reproducible
from r1flow.components.training.rl.metrics import rollout_metrics
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective

_log = logging.getLogger(__name__)

PREFLIGHT_PROMPTS, PREFLIGHT_SAMPLES = 48, 8


def main(raw: dict[str, Any]) -> dict[str, Any]:
    spec = Spec.model_validate(raw)
    engine = spec.run.engine
    if engine.kind == "deepspeed" and not am_rank():
        layout = Layout(engine.ranks, engine.nodes, engine.rendezvous, engine.hostfile)
        return run_ranks("r1flow.components.programs.rl", raw, work=spec.work, layout=layout)
    # digests of rewards of one's own stand in the fingerprint and are no setting
    config = RlStage.model_validate({name: value for name, value in spec.config.items() if name != "reward_sources"})
    with ranks.join(resolve_device(spec.run.device), engine.timeout_s) as device:
        held = machine.held_memory(torch.device(device))
        lm = open_model(spec, spec.inputs[config.model], device=str(device), dtype=engine.dtype)
        with scoring(spec, lm, config.rewards.weights(), config) as score, lm.sampler(spec, config) as sampler:
            return train(spec, config, lm, score, sampler, held)


def train(
    spec: Spec, config: RlStage, lm: LanguageModel, score: Scorer, sampler: Sampler, held: float
) -> dict[str, float]:
    """All steps from the last checkpoint on; the closing metrics. ``held``: GiB of the process before it had a model."""
    rate = partial(
        learning_rate,
        peak=config.learning_rate,
        total_steps=config.steps * config.mini_batches,
        warmup_steps=config.warmup_steps,
        schedule=config.schedule,
    )
    engine = open_engine(spec.run.engine, lm.model, rate, max_grad_norm=config.max_grad_norm)
    if spec.run.engine.kind == "single" and spec.run.engine.dtype == "bfloat16":
        unrounded = load_model(lm.directory, tokenizer=lm.tokenizer)
        engine.load_weights(dict(unrounded.named_parameters()))  # masters begin so
        del unrounded
    reference = None
    if config.kl_weight:
        dtype, device = str(lm.model.dtype).removeprefix("torch."), str(lm.model.device)
        reference = load_model(lm.directory, dtype=dtype, device=device, tokenizer=lm.tokenizer)
    critic = open_critic(spec, config, lm, rate) if config.ppo else None
    problems = load_rows(Dataset(spec.inputs[config.data]).train)
    skills = {skill for skill, share in config.mixture.items() if share}
    fitting, left_out = problems_with_room(spec, lm, problems, config.max_tokens, skills)
    pools, chosen = training_pools(spec, config, fitting)
    trainer = (AsyncTrainer if config.staleness else GrpoTrainer)(
        engine,
        lm.model,
        sampler,
        reference=reference,
        pools=pools,
        encode=lm.encode_prompt,
        decode=lm.decode,
        score=score,
        objective=objective(config),
        pad_id=lm.pad_id,
        seed=spec.seed,
        critic=critic,
    )
    value = critic.engine if critic else None
    journal = Journal(spec, engine, every=config.checkpoint_every, last_step=config.steps, value=value)
    ahead = trainer if isinstance(trainer, AsyncTrainer) else None
    done = journal.resume(reference, ahead)
    trainer.sync(done)
    if done == 0:
        journal.record(0, preflight(trainer, pools, config, spec.seed) | left_out | chosen | {"memory/start_gib": held})
    if ahead is not None:
        ahead.start(done, config.steps)
    metrics: dict[str, float] = {}
    seen: list[dict[str, float]] = []
    for step in range(done + 1, config.steps + 1):
        with saving_failed_batch(spec.work, trainer, step):
            groups, metrics = trainer.step(step)
        journal.record(step, metrics, groups)
        seen.append(metrics)
        if step % config.checkpoint_every == 0:
            warn(seen)
    journal.finish()
    weights = engine.master_parameters()
    if ranks.rank() == 0:
        save_model(lm.model, lm.tokenizer, Policy(spec.out).model, weights)
        shown = completions_table(spec.out / "lake", lm.decode)
        (spec.work / TABLE).write_text(json.dumps(shown), encoding="utf-8")
    return reproducible(metrics)


def warn(history: Sequence[Mapping[str, float]]) -> None:
    """Say in the program's log what the steps of this process show to be wrong."""
    for finding in diagnose(history):
        _log.warning("after %d steps: %s", len(history), finding)


def objective(config: GrpoConfig) -> Objective:
    """The trainer's plain numbers from the stage's settings."""
    return Objective(
        Sampling(config.max_tokens, config.temperature),
        prompts_per_step=config.prompts_per_step,
        samples_per_prompt=config.samples_per_prompt,
        mixture=config.mixture,
        loss=loss(config),
        advantage=config.advantage,
        mini_batches=config.mini_batches,
        reference_every=config.reference_every,
        shuffled=config.difficulty is None or config.difficulty.order == "shuffled",
        refill_rounds=config.refill_rounds,
        staleness=config.staleness,
        drop_truncated=config.drop_truncated,
        max_mismatch=config.max_mismatch,
        micro_tokens=config.micro_tokens,
    )


def loss(config: GrpoConfig) -> Loss:
    """The loss from the stage's settings."""
    return Loss(
        surrogate="cispo" if config.algorithm == "cispo" else "clip",
        ratio="sequence" if config.algorithm == "gspo" else "token",
        normalization=config.normalization,
        max_tokens=config.max_tokens,
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        dual_clip=config.dual_clip,
        kl_weight=0.0 if config.ppo else config.kl_weight,  # PPO has it in the reward
        kl_estimator=config.kl_estimator,
        kl_unbiased=config.kl_unbiased,
        entropy_weight=config.entropy_weight,
        correction=config.correction,
        correction_bounds=config.correction_bounds or Loss.correction_bounds,
    )


def preflight(trainer: GrpoTrainer, pools: dict[str, list[Row]], config: GrpoConfig, seed: int) -> dict[str, float]:
    """Can RL work from here? pass@1 and pass@k of the start model on a few training prompts, before any step.

    Measured at this scale: below 2 % pass@1 RL leaves a model as it is or unlearns what thinking it had; at 20 % it
    flies. Raises :class:`ModelError` below ``min_pass_rate``.
    """
    rows = [row for skill, share in config.mixture.items() if share for row in pools.get(skill, ())]
    chosen = python_rng(seed, "preflight").sample(rows, min(PREFLIGHT_PROMPTS, len(rows)))
    rollouts = trainer.rollouts(chosen, PREFLIGHT_SAMPLES, "preflight")
    groups = [
        Group(tuple(rollouts[i : i + PREFLIGHT_SAMPLES]), (0.0,) * PREFLIGHT_SAMPLES)
        for i in range(0, len(rollouts), PREFLIGHT_SAMPLES)
    ]
    metrics = {f"preflight/{name}": value for name, value in rollout_metrics(groups).items()}
    solved = sum(any(r.correct for r in g.rollouts) for g in groups) / len(groups)
    rate = metrics["preflight/pass_at_1"]
    if rate < config.min_pass_rate:
        raise ModelError(
            f"RL cannot work from this model: it solves {rate:.1%} of its training problems (pass@{PREFLIGHT_SAMPLES} "
            f"{solved:.1%}), and below {config.min_pass_rate:.1%} there is nothing to reinforce. Use easier problems, a cold "
            "start or a stronger base; min_pass_rate = 0 tries all the same"
        )
    return metrics | {f"preflight/pass_at_{PREFLIGHT_SAMPLES}": solved}
