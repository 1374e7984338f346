"""Sampler, trainer and engine on a GPU: they agree with each other, learn, and go on where they were."""

import copy

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.core.rollout import Rollout
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.engines.state import load_state, save_state
from r1flow.components.training.rl.forward import completion_logprobs
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective
from tests.gpu.conftest import World

SAMPLING = Sampling(max_tokens=40)
MOST, MEAN = {torch.float32: 1e-3, torch.bfloat16: 0.5}, {torch.float32: 1e-5, torch.bfloat16: 0.02}
"""Nats between two ways to compute log p of a token; wrong weights are off by 1 to 2 on average."""


def sampled(world: World, num: int = 24, samples: int = 4) -> list[Rollout]:
    prompts = [world.encode(row) for row in world.rows[:num]]
    requests = [Request(prompt, 100 * i + s) for i, prompt in enumerate(prompts) for s in range(samples)]
    sampler = TransformersSampler(world.model, eos_id=world.eos, pad_id=world.pad)
    return [
        Rollout("p", 0, r.prompt_ids, c.ids, c.logprobs, c.finished, "", 1.0, {}, None, None, False, 0, 0)
        for r, c in zip(requests, sampler.generate(requests, SAMPLING), strict=True)
    ]


def logprobs(world: World, rollouts: list[Rollout], packed: bool) -> torch.Tensor:
    found, _ = completion_logprobs(world.model, rollouts, pad_id=world.pad, temperature=1.0, packed=packed)
    return found


def apart(world: World, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    difference = (ours.float() - theirs.float()).abs()
    assert float(difference.max()) <= MOST[world.model.dtype]
    assert float(difference.mean()) <= MEAN[world.model.dtype]


@pytest.mark.parametrize("packed", [False, True])
@torch.no_grad()
def test_trainer_and_sampler_compute_the_same_log_probabilities(world: World, packed: bool) -> None:
    rollouts = sampled(world)
    said = torch.tensor([p for r in rollouts for p in r.logprobs], device=world.model.device)
    apart(world, logprobs(world, rollouts, packed), said)
    assert len({tuple(r.ids) for r in rollouts}) > 24


def test_packed_rows_give_what_padded_rows_give_gradient_included(world: World) -> None:
    rollouts = sampled(world)
    both = []
    for packed in (False, True):
        world.model.zero_grad()
        found = logprobs(world, rollouts, packed)
        found.mean().backward()
        gradient = torch.cat([p.grad.flatten().float() for p in world.model.parameters()])
        both.append((found.detach(), gradient))
    apart(world, both[0][0], both[1][0])
    off = (both[0][1] - both[1][1]).norm() / both[0][1].norm()
    assert float(off) <= {torch.float32: 1e-4, torch.bfloat16: 0.1}[world.model.dtype]


def trainer(world: World, **engine: bool) -> GrpoTrainer:
    return GrpoTrainer(
        SingleEngine(world.model, lambda step: 5e-4 * min(1.0, (step + 1) / 5), **engine),
        world.model,
        TransformersSampler(world.model, eos_id=world.eos, pad_id=world.pad),
        reference=None,
        pools={"sum": world.rows},  # type: ignore[dict-item]
        encode=world.encode,  # type: ignore[arg-type]
        decode=world.decode,  # type: ignore[arg-type]
        score=world.score,
        objective=Objective(
            SAMPLING,
            prompts_per_step=16,
            samples_per_prompt=8,
            mixture={"sum": 1.0},
        ),
        pad_id=world.pad,
        seed=0,
    )


def test_a_few_steps_raise_the_reward(world: World) -> None:
    walked = trainer(world)
    rewards = [walked.step(step)[1]["reward"] for step in range(1, 21)]
    assert sum(rewards[-4:]) > sum(rewards[:4]) + 1.0


def state(engine: SingleEngine) -> tuple[str, str]:
    tensors = engine.master_parameters() | engine.optimizer_tensors()
    return tensors_digest(tensors.items()), tensors_digest(engine.full_parameters())


@pytest.mark.parametrize("offload", [False, True])
def test_a_stopped_run_goes_on(world: World, device: torch.device, tmp_path, offload: bool) -> None:
    if offload and world.model.dtype == torch.float32:
        pytest.skip("float32 weights are their own masters")
    first = trainer(world, offload=offload)
    for step in (1, 2):
        first.step(step)
    save_state(tmp_path, first.engine)
    other = World(device, str(world.model.dtype).removeprefix("torch."))
    second = trainer(other, offload=offload)
    load_state(tmp_path, second.engine)
    assert state(second.engine) == state(first.engine)
    groups, metrics = first.step(3)
    same, again = second.step(3)
    assert [r.ids for g in same for r in g.rollouts] == [r.ids for g in groups for r in g.rollouts]
    assert again["grad_norm"] == pytest.approx(metrics["grad_norm"], rel=1e-3)  # atomics add in any order on a GPU


def test_masters_in_cpu_memory_train_what_masters_on_the_device_train(device: torch.device) -> None:
    worlds = [World(device, "bfloat16") for _ in range(2)]
    rollouts = sampled(worlds[0])
    engines = [
        SingleEngine(w.model, lambda step: 1e-4, offload=offload)
        for w, offload in zip(worlds, (False, True), strict=True)
    ]
    for world, engine in zip(worlds, engines, strict=True):
        engine.backward(-logprobs(world, rollouts, packed=False).mean())
        engine.step()
    ours, theirs = (copy.copy(e.master_parameters()) for e in engines)
    for name, tensor in ours.items():
        assert_close(
            tensor.cpu(), theirs[name], atol=2e-4, rtol=0
        )  # Adam's first step is the rate, whatever rounding says


def test_metrics_of_a_step_tell_seconds_and_memory_by_phase(world: World, device: torch.device) -> None:
    metrics = trainer(world).step(1)[1]
    for phase in ("sample", "score", "update", "sync"):
        assert f"time/{phase}_s" in metrics
        assert (f"memory/{phase}_gib" in metrics) == (device.type == "cuda")
    assert metrics["memory/peak_gib"] > 0
