"""The gradient proof holds for every pair of what may change, its float64 side is a derivative, and it can fail."""

import math

import pytest
import torch

from r1flow.components.processes.keeper import run_program
from r1flow.components.programs.certify_gradient import objective
from r1flow.components.programs.prove_gradient import measure
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.checks.batch import exact_logprobs
from r1flow.components.training.checks.cases import STAGES, all_cases, settings
from r1flow.components.training.checks.gradient import (
    Bench,
    budget,
    exact_gradient,
    exact_model,
    open_bench_engine,
    relative_error,
)
from r1flow.components.training.checks.limits import GRADIENT
from r1flow.components.training.checks.small import small_model
from r1flow.components.training.engines.base import StepOutcome
from r1flow.components.training.rl.loss import policy_loss
from r1flow.components.training.rl.update import flat_tokens, weights
from tests.fakes.pairwise import covering


@pytest.fixture(scope="module")
def bench():
    torch.set_num_threads(1)
    names = ("grpo on-policy", "grpo kl", "dapo", "gspo kl")
    return Bench(small_model(), {name: objective(settings()[name]) for name in names})


@pytest.fixture
def engine():
    return open_bench_engine(EngineConfig(), small_model())


@pytest.mark.long
def test_every_pair_of_objective_cut_and_packing_gives_the_batchs_gradient(tmp_path):
    torch.set_num_threads(1)
    cases = covering(all_cases([None]))
    errors = measure(small_model, cases, 0, tmp_path)
    assert set(errors) == {case.name for case in cases}
    assert max(errors.values()) <= GRADIENT
    assert min(errors.values()) > 1e-9  # float32 was compared with float64, and not with itself


@pytest.mark.extra
@pytest.mark.parametrize("ranks", [1, 2])
def test_every_pair_with_a_zero_stage_gives_it_too(tmp_path, ranks):
    cases = covering(all_cases(STAGES))
    spec = {"model": None, "ranks": ranks, "cases": cases, "seed": 0, "work": str(tmp_path / "work")}
    errors = run_program("r1flow.components.programs.prove_gradient", spec, work=tmp_path / "keeper", server=None)
    assert set(errors) == {case.name for case in cases}
    assert max(errors.values()) <= GRADIENT


@pytest.mark.parametrize("name", ["grpo on-policy", "grpo kl", "gspo kl"])
def test_the_float64_gradient_is_the_derivative_of_the_loss(bench, name):
    wanted, batch = objective(settings()[name]), bench.batches[name]
    if name == "grpo on-policy":  # the ratio is 1 with the derivative of logp: hold the old policy still
        wanted = type(wanted)(wanted.loss, wanted.temperature)
        exact = exact_model(small_model())
        old = [exact_logprobs(exact, t.rollout, 1.0)[0].detach() for t in batch]
        batch = [type(t)(t.rollout, t.advantage, o) for t, o in zip(batch, old, strict=True)]
    model = exact_model(small_model())
    torch.manual_seed(1)
    way = {n: torch.randn_like(p) for n, p in model.named_parameters()}

    @torch.no_grad()
    def value(step):
        for n, p in model.named_parameters():
            p.add_(step * way[n])
        tokens, total = sum(len(t.rollout.ids) for t in batch), 0.0
        for t in batch:
            flat = flat_tokens([t], *exact_logprobs(model, t.rollout, wanted.temperature))
            weight = weights(flat.lengths, wanted.loss, completions=len(batch), tokens=tokens)
            total += float(policy_loss(flat, weight, wanted.loss).loss)
        for n, p in model.named_parameters():
            p.sub_(step * way[n])
        return total

    slope = sum(float((g * way[n]).sum()) for n, g in exact_gradient(model, batch, wanted).items())
    assert slope == pytest.approx((value(1e-7) - value(-1e-7)) / 2e-7, rel=1e-5)


def test_the_float64_copy_computes_what_the_model_does_and_no_float32_on_the_way():
    model = small_model()
    exact = exact_model(model)
    ids = torch.arange(2, 12)[None]
    plain, precise = model(input_ids=ids).logits, exact(input_ids=ids).logits
    assert (plain - precise).abs().max() < 1e-4
    norm = exact.base_model.norm
    wide = torch.full((48,), 1 / 3, dtype=torch.float64)
    expected = wide / (wide.square().mean() + norm.variance_epsilon).sqrt()
    assert (norm(wide) - expected * norm.weight).abs().max() < 1e-15


class PerMicroBatch:
    """An engine under which every micro-batch's loss is divided by its own share, as a mean of means would be."""

    def __init__(self, engine, backwards):
        self.engine, self.backwards = engine, backwards

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def backward(self, loss):
        self.backwards.append(1)
        self.engine.backward(loss * (1 + 0.01 * len(self.backwards)))


def test_micro_batches_that_are_weighed_unlike_are_caught(bench, engine):
    errors = [
        bench.error(PerMicroBatch(engine, []), "dapo", micro_tokens=bench.budget(micro), packed=False)
        for micro in (1, 16)
    ]
    assert min(errors) > 1e-3 > GRADIENT


def test_a_step_that_was_thrown_away_does_not_pass_with_the_gradient_of_the_one_before(bench, engine):
    assert bench.error(engine, "grpo kl", micro_tokens=10**6, packed=False) <= GRADIENT

    class Skips:
        def __getattr__(self, name):
            return getattr(engine, name)

        def step(self):
            return StepOutcome(math.inf, 0.0, False)

    assert bench.error(Skips(), "grpo kl", micro_tokens=10**6, packed=False) == math.inf


def test_what_is_measured_is_the_gradient_of_the_update_and_the_weights_stay(bench, engine):
    before = {n: p.clone() for n, p in engine.model.named_parameters()}
    first = bench.error(engine, "gspo kl", micro_tokens=bench.budget(4), packed=True)
    bench.error(engine, "dapo", micro_tokens=bench.budget(4), packed=True)
    assert bench.error(engine, "gspo kl", micro_tokens=bench.budget(4), packed=True) == first
    assert all(torch.equal(p, before[n]) for n, p in engine.model.named_parameters())


def test_relative_error_by_hand():
    exact = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    assert relative_error(exact, exact) == 0
    assert relative_error(exact | {"b": torch.tensor([4.5])}, exact) == pytest.approx(0.1)
    assert relative_error({"a": exact["a"]}, exact) == math.inf
    assert relative_error(exact | {"b": torch.tensor([math.nan])}, exact) == math.inf


@pytest.mark.parametrize(("micro", "tokens"), [(1, 1), (2, 18), (4, 36)])
def test_a_budget_is_the_least_that_fits_so_many_completions_on_average(micro, tokens):
    assert budget([5, 9, 7, 5], micro) == tokens
