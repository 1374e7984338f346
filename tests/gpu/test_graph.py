"""Decode steps that are replayed as CUDA graphs draw what the same steps draw one kernel after another."""

import logging

import pytest
import torch

import r1flow.components.sampling.bucket as bucket
import r1flow.components.sampling.transformers as module
from r1flow.components.sampling.base import Completion, Request, Sampling
from r1flow.components.sampling.graph import Graphs
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.recorded import RecordedGraphs
from tests.gpu.conftest import World

SAMPLING = Sampling(max_tokens=90, temperature=1.2)
MOST, MEAN = {torch.float32: 1e-4, torch.bfloat16: 0.5}, {torch.float32: 1e-5, torch.bfloat16: 0.02}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four buckets, and rows that leave."""
    monkeypatch.setattr(bucket, "FIRST", 16)
    monkeypatch.setattr(module, "FEWER_ROWS", 2)


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    done, capture = [], Graphs.capture

    def counted(self, step):
        replay = capture(self, step)
        done.append(1)
        return replay

    monkeypatch.setattr(Graphs, "capture", counted)
    return done


def requests(world: World, num: int = 12, samples: int = 4) -> list[Request]:
    return [Request(world.encode(row), 100 * i + s) for i, row in enumerate(world.rows[:num]) for s in range(samples)]


def sampler(world: World, *, graphs: bool = True) -> TransformersSampler:
    made = TransformersSampler(world.model, eos_id=world.eos, pad_id=world.pad, look_every=5)
    on_cpu = RecordedGraphs() if made.graphs is None else made.graphs
    made.graphs = on_cpu if graphs else None
    return made


def agree(world: World, ours: list[Completion], theirs: list[Completion]) -> None:
    """As far as tokens agree. In float32 one row may part: a uniform number can lie between two ways to round a sum."""
    differences, alike = [], 0
    for one, other in zip(ours, theirs, strict=True):
        length = max(len(one.ids), len(other.ids))
        same = next((i for i in range(length) if one.ids[i : i + 1] != other.ids[i : i + 1]), length)
        alike += same == length
        differences += [abs(a - b) for a, b in zip(one.logprobs[:same], other.logprobs[:same], strict=True)]
    dtype = world.model.dtype
    assert alike >= (len(ours) - 1 if dtype == torch.float32 else len(ours) / 2)
    assert max(differences) <= MOST[dtype]
    assert sum(differences) / len(differences) <= MEAN[dtype]


@pytest.mark.parametrize("sampling", [SAMPLING, Sampling(90, 1.2, 0.9)])
def test_replayed_steps_draw_what_eager_steps_draw(
    world: World, device: torch.device, captures: list[int], sampling: Sampling
) -> None:
    told, graphed = [], sampler(world)
    ours = graphed.generate(requests(world), sampling, finished=lambda row, ids: told.append((row, ids)))
    agree(world, ours, sampler(world, graphs=False).generate(requests(world), sampling))
    assert sorted(told) == sorted((row, c.ids) for row, c in enumerate(ours) if c.finished)
    assert graphed.graphs is not None
    assert not graphed.graphs.failed
    assert len(captures) >= 4 or device.type == "cpu"


def test_one_row(world: World) -> None:
    alone = requests(world, 1, 1)
    agree(
        world, sampler(world).generate(alone * 8, SAMPLING), sampler(world, graphs=False).generate(alone * 8, SAMPLING)
    )
    if world.model.dtype == torch.float32:
        assert sampler(world).generate(alone, SAMPLING)[0].ids == sampler(world).generate(alone * 2, SAMPLING)[1].ids


@torch.no_grad()
def test_weights_that_change_in_place_are_seen(world: World) -> None:
    graphed = sampler(world)
    before = graphed.generate(requests(world), SAMPLING)
    for parameter in world.model.parameters():
        parameter.mul_(0.9)
    after = graphed.generate(requests(world), SAMPLING)
    agree(world, after, sampler(world, graphs=False).generate(requests(world), SAMPLING))
    assert [c.ids for c in after] != [c.ids for c in before]


def test_memory_goes_back(world: World, device: torch.device, captures: list[int]) -> None:
    if device.type != "cuda":
        pytest.skip("only a GPU tells what its tensors took")
    graphed, held = sampler(world), []
    for _ in range(3):  # the first call leaves what cuBLAS keeps for a stream
        graphed.generate(requests(world), SAMPLING)
        held.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert held[2] == held[1]
    assert captures


def test_a_step_that_cannot_be_captured_is_computed_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = sampler(world, graphs=False).generate(requests(world), SAMPLING)
    forward = TransformersSampler._forward

    def asking(self, ids, *rest, **more):
        assert int(ids.max()) >= 0
        return forward(self, ids, *rest, **more)

    graphed = sampler(world)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(TransformersSampler, "_forward", asking)
        for _ in range(2):
            agree(world, graphed.generate(requests(world), SAMPLING), expected)
    assert sum("CUDA graph" in record.message for record in caplog.records) == 1
    agree(
        world, sampler(world).generate(requests(world), SAMPLING), expected
    )  # another sampler captures as if nothing was
