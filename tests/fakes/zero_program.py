"""The program that test_engines_deepspeed runs in one and in two ranks: all engines on the same batch, metrics out."""

import math
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from r1flow.components.core.errors import NumericsError
from r1flow.components.core.schedule import learning_rate
from r1flow.components.processes.ranks import Layout, am_rank, run_ranks
from r1flow.components.sampling.transformers import tensors_digest
from r1flow.components.training.engines import ranks
from r1flow.components.training.engines.deepspeed import DeepSpeedEngine, Zero
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.rl.frozen import frozen_logprobs, on
from tests.fakes.tiny import make_rollout, tiny_model

STEPS, SAVED_AT = 3, 2
RATE = partial(learning_rate, peak=1e-2, total_steps=6, warmup_steps=2, schedule="cosine")
ADAMW = {"weight_decay": 0.1, "max_grad_norm": 0.5}
# DeepSpeed leaves tensors of under 100,000 numbers whole under stage 3; here that would be all of them.
WHOLE = {"stage3_param_persistence_threshold": 0}


def main(spec: dict[str, Any]) -> dict[str, Any]:
    if not am_rank():
        return run_ranks("tests.fakes.zero_program", spec, work=Path(spec["work"]), layout=Layout(spec["ranks"]))
    with ranks.join("cpu", 120):
        want = single()
        found: dict[str, Any] = {f"zero {stage}": compare(settings(stage), want, spec) for stage in (0, 1, 2, 3)}
        for stage in (1, 2, 3):
            found[f"bfloat16 {stage}"] = compare(settings(stage, dtype="bfloat16"), want, spec)
        found["checkpointing"] = compare(settings(3, gradient_checkpointing=True), want, spec, resume=False)
        found["packed"] = compare(settings(3, gradient_checkpointing=True), want, spec, resume=False, packed=True)
        found["passes"] = [passes_per_backward(flag) for flag in (False, True)]
        found["frozen"] = frozen()
        found["offload 2"] = compare(settings(2, offload="optimizer"), want, spec, resume=False)
        found["offload 3"] = compare(settings(3, offload="all"), want, spec, resume=False)
        found["not finite"] = {stage: not_finite(stage) for stage in (0, 1, 2, 3)}
        found["turns"] = ranks.gather([len(my_turns()), sum(turn.counts for turn in my_turns())])
    return found


def settings(stage: Any, **rest: Any) -> Zero:
    return Zero(stage=stage, settings=WHOLE if stage == 3 else {}, timeout_s=60, **rest)


def rollouts(seed: int) -> list[Any]:
    rng = random.Random(seed)
    draw = lambda n: [rng.randrange(2, 40) for _ in range(n)]  # noqa: E731
    return [make_rollout(draw(4), draw(rng.randint(3, 14))) for _ in range(7)]


def my_turns(world: int | None = None) -> list[ranks.Turn]:
    lengths = [4 + len(r.ids) for r in rollouts(0)]
    rank, world = (ranks.rank(), ranks.world_size()) if world is None else (0, world)
    return ranks.turns(lengths, 1, rank=rank, world=world)  # every row alone: seven, so one of two ranks has a filler


def step(engine: Any, turns: list[ranks.Turn], forward: Any, factor: float = 1.0, packed: bool | None = None) -> Any:
    """One step on the policy gradient of the seven rollouts, with the whole batch's denominator."""
    batch = rollouts(0)
    tokens = sum(len(r.ids) for r in batch)
    for turn in turns:
        logp, entropy = forward(
            completion_logprobs, [batch[i] for i in turn.rows], pad_id=0, temperature=1.0, packed=packed
        )
        advantage = torch.cat([torch.full((len(batch[i].ids),), (-1.0) ** i * (1 + i / 4)) for i in turn.rows])
        engine.backward(turn.weigh(factor * (-(logp * advantage).sum() - 0.1 * entropy.sum()) / tokens))
    return engine.step()


def single() -> tuple[dict[str, Any], list[float]]:
    """Weights, moments and norms of the plain engine on the whole batch."""
    model = tiny_model()
    engine = SingleEngine(model, RATE, **ADAMW)
    norms = [step(engine, my_turns(1), lambda f, *a, **k: f(model, *a, **k)).grad_norm for _ in range(STEPS)]
    tensors = {**dict(model.named_parameters()), **engine.optimizer_tensors()}
    return {name: t.detach().clone() for name, t in tensors.items()}, norms


def make(zero: Zero, seed: int = 0) -> DeepSpeedEngine:
    model = tiny_model(seed)
    return DeepSpeedEngine(model.bfloat16() if zero.dtype == "bfloat16" else model, RATE, zero, **ADAMW)


def compare(zero: Zero, want: Any, spec: dict[str, Any], resume: bool = True, packed: bool | None = None) -> Any:
    engine = make(zero)
    name = f"{zero.stage}-{zero.dtype}-{zero.offload}-{zero.gradient_checkpointing}"
    place = Path(spec["work"]) / name
    norms = []
    for number in range(1, STEPS + 1):
        norms.append(step(engine, my_turns(), engine.forward, packed=packed).grad_norm)
        if number == SAVED_AT and resume:
            save(engine, place)
    state = {**engine.master_parameters(), **engine.optimizer_tensors()}
    full = dict(engine.full_parameters())
    found = {
        "norms": max(abs(a / b - 1) for a, b in zip(norms, want[1], strict=True)),
        "served": len(set(ranks.gather(tensors_digest(full.items())))),
        "dtypes": sorted({str(t.dtype) for t in full.values()}),
        "empty": all(p.numel() == 0 for p in engine.model.parameters()),
    }
    if ranks.rank() == 0:
        assert set(state) == set(want[0])
        found["weights"] = distance(state, want[0], lambda key: "/" not in key)
        found["moments"] = distance(state, want[0], lambda key: "/exp_avg" in key)
        found["counters"] = sorted({float(t) for key, t in state.items() if key.endswith("/step")})
        found["copies"] = all(torch.equal(full[n], state[n].to(full[n].dtype)) for n in full)
    if resume:
        found["resumed"] = resumed(zero, place, tensors_digest(state.items()))
        if ranks.rank() == 0 and zero.dtype == "float32":
            found["resumed alone"] = resumed_by_single(place, want[0])
    return found


def distance(got: dict[str, Any], want: dict[str, Any], which: Any) -> float:
    """||got - want|| / ||want|| over all tensors that are meant."""
    pairs = [(got[key].double(), want[key].double()) for key in want if which(key)]
    return math.sqrt(
        sum(float((a - b).square().sum()) for a, b in pairs) / sum(float(b.square().sum()) for _, b in pairs)
    )


def save(engine: DeepSpeedEngine, place: Path) -> None:
    weights, moments = engine.master_parameters(), engine.optimizer_tensors()
    if ranks.rank() == 0:
        place.mkdir(parents=True)
        save_file(weights, place / "model.safetensors")
        save_file(moments, place / "optimizer.safetensors")
    ranks.barrier()


def resumed(zero: Zero, place: Path, digest: str) -> bool:
    """Whether other weights, another engine and the saved state end in the same bits."""
    engine = make(zero, seed=99)
    engine.load_weights(load_file(place / "model.safetensors"))
    engine.load(load_file(place / "optimizer.safetensors"), SAVED_AT)
    for _ in range(SAVED_AT, STEPS):
        step(engine, my_turns(), engine.forward)
    state = {**engine.master_parameters(), **engine.optimizer_tensors()}
    return tensors_digest(state.items()) == digest and engine.steps_taken == STEPS


def resumed_by_single(place: Path, want: dict[str, Any]) -> float:
    """How far the plain engine ends from where it would have, when it goes on from this engine's checkpoint."""
    model = tiny_model(99)
    model.load_state_dict(load_file(place / "model.safetensors"), strict=False)
    engine = SingleEngine(model, RATE, **ADAMW)
    engine.load(load_file(place / "optimizer.safetensors"), SAVED_AT)
    for _ in range(SAVED_AT, STEPS):
        step(engine, my_turns(1), lambda f, *a, **k: f(model, *a, **k))
    return distance(dict(model.named_parameters()), want, lambda key: "/" not in key)


def passes_per_backward(gradient_checkpointing: bool) -> int:
    """How often a layer's inner part runs for one forward and backward of a model in evaluation mode."""
    engine = make(settings(2, gradient_checkpointing=gradient_checkpointing))
    engine.model.eval()
    passes: list[int] = []
    engine.model.base_model.layers[0].mlp.register_forward_pre_hook(lambda *_: passes.append(1))
    step(engine, my_turns()[:1], engine.forward)
    return len(passes)


def frozen() -> float:
    """Log-probabilities without a gradient, partitioned and whole: the largest difference, also after a step."""
    engine, batch = make(settings(3)), rollouts(0)
    worst = 0.0
    for _ in range(2):
        got = frozen_logprobs(engine.forward, batch, pad_id=0, temperature=1.0, micro_tokens=40)
        plain = tiny_model(5)
        plain.load_state_dict(dict(engine.full_parameters()), strict=False)
        want = frozen_logprobs(on(plain), batch, pad_id=0, temperature=1.0, micro_tokens=40)
        worst = max(worst, float((torch.cat(got) - torch.cat(want)).abs().max()))
        step(engine, my_turns(), engine.forward)
    return worst


def not_finite(stage: int) -> Any:
    """A NaN in the last rank's last micro-batch; then a good step; then more bad ones than are allowed."""
    zero = replace(settings(stage), timeout_s=30)
    engine = make(zero)
    before = tensors_digest(engine.full_parameters())
    last = ranks.rank() == ranks.world_size() - 1
    bad = math.nan if last else 1.0
    first = step(engine, my_turns(), engine.forward, bad)
    kept = tensors_digest(engine.full_parameters()) == before and not engine.optimizer_tensors()
    good = step(engine, my_turns(), engine.forward)
    moved = tensors_digest(engine.full_parameters()) != before
    flags = [step(engine, my_turns(), engine.forward, bad).applied for _ in range(3)]
    try:
        step(engine, my_turns(), engine.forward, bad)
        message = ""
    except NumericsError as error:
        message = str(error)
    mine = [
        first.applied,
        math.isfinite(first.grad_norm),
        kept,
        good.applied,
        moved,
        flags,
        engine.steps_taken,
        message[:38],
    ]
    return ranks.gather(mine)
