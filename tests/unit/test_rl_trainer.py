"""The GRPO loop on a tiny model: repeatable, honest about stale weights, and whole when something was not scored."""

import math
from dataclasses import replace

import pytest

from components.data.schema import Row
from components.engines.single import SingleEngine
from components.errors import WeightSyncError
from components.rewards.score import Scored
from components.rl.trainer import GrpoTrainer, Objective, rollout_metrics
from components.rollout.types import Group
from components.sampling.base import Sampling
from components.sampling.transformers import TransformersSampler, tensors_digest
from tests.fakes.tiny import EOS, PAD, make_rollout, tiny_model

ROWS = [Row(id=f"r{i}", prompt=str(i), answer="0", verifier="exact", skill="sum", source="test") for i in range(6)]
OBJECTIVE = Objective(Sampling(max_tokens=6), prompts_per_step=3, samples_per_prompt=4, mixture={"sum": 1.0})


def score(texts, rows):
    """A completion is worth the number of its tokens from 20 on; nothing that has a 13 in it is scored."""
    scored = []
    for text in texts:
        ids = [int(i) for i in text.split()]
        total = None if 13 in ids else float(sum(i >= 20 for i in ids))
        verdict = "CORRECT" if total else "WRONG"
        scored.append(Scored(total, {"accuracy": total}, verdict, 1.0 if ids else None, True, 0))
    return scored


class AsScorer:
    """A plain function where a ``Scorer`` is expected."""

    def __init__(self, function):
        self.function = function

    def ahead(self, text, row): ...

    def __call__(self, texts, rows, *, lengths, samples):
        assert len(lengths) == len(texts)
        assert len(texts) % samples == 0
        return self.function(texts, rows)


def make_trainer(objective=OBJECTIVE, *, sampler_model=None, reference=None, score=score, learning_rate=1e-2):
    model = tiny_model()
    return GrpoTrainer(
        SingleEngine(model, lambda step: learning_rate),
        model,
        TransformersSampler(sampler_model or model, eos_id=EOS, pad_id=PAD),
        reference=reference,
        pools={"sum": ROWS},
        encode=lambda row: (int(row.prompt) + 2, 10),
        decode=lambda ids: " ".join(map(str, ids)),
        score=AsScorer(score),
        objective=objective,
        pad_id=PAD,
        seed=0,
    )


def walk(trainer, steps):
    metrics = [trainer.step(step)[1] for step in steps]
    return [{name: value for name, value in m.items() if not name.startswith("time/")} for m in metrics]


def digest(trainer):
    return tensors_digest(trainer.model.named_parameters())


def test_a_step_samples_groups_scores_them_and_moves_the_policy():
    trainer = make_trainer()
    before = digest(trainer)
    groups, metrics = trainer.step(1)
    assert [len(g.rollouts) for g in groups] == [4, 4, 4]
    assert [r.sample for r in groups[0].rollouts] == [0, 1, 2, 3]
    assert len({r.prompt_id for g in groups for r in g.rollouts}) == 3
    assert digest(trainer) != before
    assert trainer.sampler.weights_digest() == digest(trainer)
    assert trainer.sampler.version == 1
    assert metrics["mismatch"] < 1e-4
    assert metrics["tokens"] == sum(len(r.ids) for g in groups for r in g.rollouts)


def test_steps_raise_the_reward():
    history = walk(make_trainer(), range(1, 16))
    assert history[0]["reward"] < 3
    assert history[-1]["reward"] > 5


@pytest.mark.parametrize("mini_batches", [1, 3])
def test_a_step_is_a_function_of_weights_seed_and_number(mini_batches):
    objective = replace(OBJECTIVE, mini_batches=mini_batches)
    one, other = make_trainer(objective), make_trainer(objective)
    assert walk(one, [1, 2, 3]) == walk(other, [1, 2, 3])
    assert digest(one) == digest(other)


def test_several_mini_batches_are_as_many_optimizer_steps():
    trainer = make_trainer(replace(OBJECTIVE, mini_batches=4))
    walk(trainer, [1])
    assert trainer.engine.steps_taken == 4


def test_a_sampler_with_other_weights_is_found_out():
    trainer = make_trainer(sampler_model=tiny_model(seed=1))
    with pytest.raises(WeightSyncError, match="step 1: trainer and sampler disagree by"):
        trainer.step(1)


def test_a_sampler_of_its_own_is_sent_the_new_weights():
    trainer = make_trainer(sampler_model=tiny_model())
    shared = make_trainer()
    assert walk(trainer, [1, 2, 3]) == walk(shared, [1, 2, 3])
    assert trainer.sampler.weights_digest() == digest(shared)


def test_the_reference_stands_still_between_its_refreshes():
    reference = tiny_model()
    trainer = make_trainer(replace(OBJECTIVE, kl_weight=0.1, reference_every=2), reference=reference)
    start = tensors_digest(reference.named_parameters())
    first = walk(trainer, [1])[0]
    assert tensors_digest(reference.named_parameters()) == start
    assert first["kl"] == pytest.approx(0, abs=1e-6)
    second = walk(trainer, [2])[0]
    assert second["kl"] > 1e-4
    assert tensors_digest(reference.named_parameters()) == digest(trainer) != start
    assert walk(trainer, [3])[0]["kl"] == pytest.approx(0, abs=1e-6)


def test_a_step_in_which_nothing_was_scored_changes_nothing_and_says_so():
    def nothing(texts, rows):
        return [Scored(None, {"accuracy": None}, "INFRA", None, False, 0) for _ in texts]

    for mini_batches in (1, 3):
        trainer = make_trainer(replace(OBJECTIVE, mini_batches=mini_batches), score=nothing)
        before = digest(trainer)
        metrics = walk(trainer, [1])[0]
        assert digest(trainer) == before
        assert metrics["unscored"] == metrics["groups_without_signal"] == 1
        assert all(math.isfinite(value) for value in metrics.values())


def test_fewer_scored_completions_than_mini_batches_are_no_error():
    def only_two(texts, rows):
        return [s if i < 2 else replace(s, total=None) for i, s in enumerate(score(texts, rows))]

    metrics = walk(make_trainer(replace(OBJECTIVE, mini_batches=4), score=only_two), [1])[0]
    assert metrics["unscored"] == pytest.approx(10 / 12)
    assert "entropy" in metrics


def test_rollout_metrics_by_hand():
    fields = [
        {"reward": 2.0, "rewards": {"accuracy": 1.0, "format": 1.0}, "reflections": 2},
        {"reward": 0.0, "rewards": {"accuracy": 0.0, "format": 0.0}, "verdict": "WRONG", "finished": False},
        {"reward": None, "rewards": {"accuracy": None, "format": 1.0}, "verdict": "INFRA", "language": 0.5},
        {"reward": 1.0, "rewards": {"accuracy": 1.0, "format": 0.0}, "format_ok": False},
    ]
    fields[1] |= {"format_ok": False, "language": None}
    members = [
        make_rollout([2], ids, logprobs=logprobs, **more)
        for (ids, logprobs), more in zip(
            [([3, 4, EOS], [-1.0, -2.0, -3.0]), ([3], [0.0]), ([3, EOS], [0.0, 0.0]), ([3, EOS], [0.0, 0.0])],
            fields,
            strict=True,
        )
    ]
    first, second = Group(tuple(members[:2]), (1.0, -1.0)), Group(tuple(members[2:]), (0.0, 0.0))
    assert rollout_metrics([first, second]) == pytest.approx(
        {
            "reward": 1.0,
            "reward_std": 1.0,
            "pass_at_1": 0.5,
            "format": 0.5,
            "language": 2.5 / 3,
            "length": 2.0,
            "entropy": 0.75,
            "truncated": 0.25,
            "reflection": 0.25,
            "unscored": 0.25,
            "groups_without_signal": 0.5,
            "rewards/accuracy": 2 / 3,
            "rewards/format": 0.5,
        }
    )


def test_seeds_of_samples_depend_on_row_and_sample_but_not_on_their_number():
    trainer = make_trainer()
    few, many = trainer.rollouts(ROWS[:2], 2, "x"), trainer.rollouts(ROWS[:2], 3, "x")
    by_name = {(r.prompt_id, r.sample): r.ids for r in many}
    assert all(by_name[r.prompt_id, r.sample] == r.ids for r in few)
