"""PPO behind the trainer: its gradients are those of a plain float64 implementation, and nothing else moves them."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import derive_seed
from r1flow.components.rewards.score import Scored
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.engines.state import load_state, save_state
from r1flow.components.training.rl.critic import Critic, Ppo
from r1flow.components.training.rl.meter import reproducible
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective
from r1flow.components.training.rl.update import Trained, split_at_random
from r1flow.components.training.rl.value_model import ValueModel
from tests.fakes.tiny import EOS, PAD, LookingEngine, make_rollout, tiny_model

ROWS = [Row(id=f"r{i}", prompt=str(i), answer="0", verifier="exact", skill="sum", source="test") for i in range(6)]
OBJECTIVE = Objective(
    Sampling(max_tokens=6), prompts_per_step=3, samples_per_prompt=4, mixture={"sum": 1.0}, advantage="gae"
)


class TokenScorer:
    """A completion is worth the number of its tokens from 20 on; nothing that has a 15 in it is scored."""

    def ahead(self, text, row): ...

    def __call__(self, texts, rows, *, lengths, samples):
        ids = [[int(i) for i in text.split()] for text in texts]
        totals = [None if 15 in row else float(sum(i >= 20 for i in row)) for row in ids]
        return [Scored(t, {"accuracy": t}, "CORRECT" if t else "WRONG", 1.0, True, 0) for t in totals]


class MovingEngine(LookingEngine):
    """Keeps weights and gradient of each step, then moves the weights by seeded noise."""

    def __init__(self, model, size):
        super().__init__(model)
        self.size = size
        self.weights = []

    def step(self):
        self.weights.append({name: p.detach().clone() for name, p in self.model.named_parameters()})
        outcome = super().step()
        noise = torch.Generator().manual_seed(self.steps_taken)
        with torch.no_grad():
            for p in self.model.parameters():
                p.add_(self.size * torch.randn(p.shape, generator=noise, dtype=p.dtype))
        return outcome


def policy_model():
    """Less sure of itself than the other tests' model, so that completions differ in length and content."""
    return tiny_model(sharpness=2.5)


def value_model(seed=3, *, sharp=0.2):
    """A value model whose head says something."""
    model = ValueModel(tiny_model(seed))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = model.value_head.linear.weight
        weight.copy_(sharp * torch.randn(weight.shape, generator=generator))
        model.value_head.linear.bias.fill_(0.5)
    return model


def make_trainer(engines=None, *, ppo, objective=OBJECTIVE, reference=None, cast=lambda model: model, score=None):
    model, critic = cast(policy_model()), cast(value_model())
    engine, value = engines(model, critic) if engines else (SingleEngine(m, lambda step: 1e-2) for m in (model, critic))
    return GrpoTrainer(
        engine,
        model,
        TransformersSampler(model, eos_id=EOS, pad_id=PAD),
        reference=reference,
        pools={"sum": ROWS},
        encode=lambda row: (int(row.prompt) + 2, 10),
        decode=lambda ids: " ".join(map(str, ids)),
        score=score or TokenScorer(),
        objective=objective,
        pad_id=PAD,
        seed=0,
        critic=Critic(value, ppo, pad_id=PAD, micro_tokens=objective.micro_tokens),
    )


def plain_logprobs(model, rollout):
    """log p of every completion token, with a gradient, from the model's own logits."""
    ids = torch.tensor([[*rollout.prompt_ids, *rollout.ids]])
    table = model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
    first = len(rollout.prompt_ids) - 1
    return [table[first + t, token] for t, token in enumerate(rollout.ids)]


def plain_values(model, rollout):
    ids = torch.tensor([[*rollout.prompt_ids, *rollout.ids]])
    hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
    first = len(rollout.prompt_ids) - 1
    linear = model.value_head.linear
    return [(hidden[first + t] * linear.weight[0]).sum() + linear.bias[0] for t in range(len(rollout.ids))]


def exact(model):
    """In float64 throughout: transformers' norms compute in float32 whatever the model's dtype."""

    def norm(module, x):
        return module.weight * x * (x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon).rsqrt()

    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(norm, module)
    return model.double()


def with_weights(model, weights):
    exact(model).load_state_dict(weights, strict=False)
    return model


def plain_advantages(rollouts, old, ref, values, ppo):
    """Advantages and returns by their definitions, token by token; whitened over all."""
    advantages, returns = [], []
    for row, rollout in enumerate(rollouts):
        last = len(rollout.ids) - 1
        reward = [
            -ppo.kl_weight * (old[row][t] - ref[row][t]) + (rollout.reward if t == last else 0.0)
            for t in range(last + 1)
        ]
        ahead = [*values[row][1:], 0.0]
        error = [reward[t] + ppo.gamma * ahead[t] - values[row][t] for t in range(last + 1)]
        sums = [sum((ppo.gamma * ppo.lam) ** (k - t) * error[k] for k in range(t, last + 1)) for t in range(last + 1)]
        advantages.append(sums)
        returns.append([a + v for a, v in zip(sums, values[row], strict=True)])
    flat = [a for row in advantages for a in row]
    mean = math.fsum(flat) / len(flat)
    deviation = math.sqrt(math.fsum((a - mean) ** 2 for a in flat) / (len(flat) - 1))
    return [[(a - mean) / (deviation + 1e-8) for a in row] for row in advantages], returns


def flat_gradient(loss, model):
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return torch.cat(
        [
            torch.zeros(p.numel()).double() if g is None else g.flatten()
            for p, g in zip(model.parameters(), found, strict=True)
        ]
    )


@pytest.mark.parametrize("micro_tokens", [16384, 20])
def test_the_gradients_of_a_step_are_those_of_a_plain_float64_implementation(micro_tokens):
    ppo = Ppo(gamma=0.9, lam=0.8, value_clip=0.1, kl_weight=0.05)
    objective = replace(OBJECTIVE, mini_batches=3, micro_tokens=micro_tokens)
    reference = exact(tiny_model(7))
    trainer = make_trainer(
        lambda model, critic: (MovingEngine(model, 0.01), MovingEngine(critic, 0.02)),
        ppo=ppo, objective=objective, reference=reference, cast=exact,
    )  # fmt: skip
    groups, _ = trainer.step(1)
    rollouts = [r for g in groups for r in g.rollouts if r.reward is not None]
    assert len(rollouts) < 12
    policy = with_weights(policy_model(), trainer.engine.weights[0])
    critic = with_weights(value_model(), trainer.critic.engine.weights[0])
    with torch.no_grad():
        old, ref = ([[float(p) for p in plain_logprobs(m, r)] for r in rollouts] for m in (policy, reference))
        values = [[float(v) for v in plain_values(critic, r)] for r in rollouts]
    advantages, returns = plain_advantages(rollouts, old, ref, values, ppo)
    place = {id(r): row for row, r in enumerate(rollouts)}
    parts = split_at_random([Trained(r, 0.0) for r in rollouts], 3, derive_seed(0, "mini-batches", 1))
    policy_clips = value_clips = 0
    for number, part in enumerate(parts):
        policy = with_weights(policy_model(), trainer.engine.weights[number])
        critic = with_weights(value_model(), trainer.critic.engine.weights[number])
        tokens = sum(len(t.rollout.ids) for t in part)
        policy_loss = value_loss = 0.0
        for t in part:
            row = place[id(t.rollout)]
            logprobs, now = plain_logprobs(policy, t.rollout), plain_values(critic, t.rollout)
            for logp, o, a in zip(logprobs, old[row], advantages[row], strict=True):
                ratio = (logp - o).exp()
                clipped = min(max(ratio.item(), 0.8), 1.2)
                acts = clipped * a < ratio.item() * a
                policy_clips += acts
                policy_loss = policy_loss - (clipped * a if acts else ratio * a) / len(t.rollout.ids) / len(part)
            for v, o, r in zip(now, values[row], returns[row], strict=True):
                near = min(max(v.item(), o - 0.1), o + 0.1)
                acts = (near - r) ** 2 > (v.item() - r) ** 2
                value_clips += acts
                value_loss = value_loss + ((near - r) ** 2 if acts else (v - r) ** 2) / 2 / tokens
        assert_close(trainer.engine.gradients[number], flat_gradient(policy_loss, policy), atol=1e-11, rtol=1e-9)
        assert_close(trainer.critic.engine.gradients[number], flat_gradient(value_loss, critic), atol=1e-11, rtol=1e-9)
    assert policy_clips > 0
    assert value_clips > 0


def walk(trainer, steps):
    metrics = [trainer.step(step)[1] for step in steps]
    return [reproducible(m) for m in metrics]


def digests(trainer):
    engines = (trainer.engine, trainer.critic.engine)
    return [tensors_digest(t) for e in engines for t in (e.model.named_parameters(), e.optimizer_tensors().items())]


@pytest.mark.parametrize("kl_weight", [0.0, 0.01])
def test_steps_raise_the_reward_and_the_values_learn_to_foresee_it(kl_weight):
    reference = policy_model() if kl_weight else None
    history = walk(make_trainer(ppo=Ppo(kl_weight=kl_weight), reference=reference), range(1, 16))
    assert history[-1]["reward"] > history[0]["reward"] + 2
    assert history[-1]["value/loss"] < 0.5 * history[0]["value/loss"]
    assert (history[-1]["kl"] > 1e-3) == bool(kl_weight)
    assert all(math.isfinite(value) for m in history for value in m.values())


def test_stopping_and_going_on_in_fresh_objects_ends_in_the_same_bits(tmp_path):
    objective, ppo = replace(OBJECTIVE, mini_batches=2), Ppo(kl_weight=0.01)
    straight = make_trainer(ppo=ppo, objective=objective, reference=policy_model())
    history = walk(straight, [1, 2, 3, 4])
    first = make_trainer(ppo=ppo, objective=objective, reference=policy_model())
    before = walk(first, [1, 2])
    save_state(tmp_path, first.engine, first.reference, first.critic.engine)
    second = make_trainer(ppo=ppo, objective=objective, reference=tiny_model(5))
    walk(second, [1])  # in another place than where it goes on
    load_state(tmp_path, second.engine, second.reference, second.critic.engine)
    second.sync(2)
    assert before + walk(second, [3, 4]) == history
    assert digests(second) == digests(straight)


def test_several_mini_batches_are_as_many_steps_of_both_models():
    trainer = make_trainer(ppo=Ppo(), objective=replace(OBJECTIVE, mini_batches=3))
    metrics = walk(trainer, [1])[0]
    assert trainer.engine.steps_taken == trainer.critic.engine.steps_taken == 3
    assert metrics["value/clip_ratio"] > 0  # values move between mini-batches, and are held near the old ones


def test_the_lake_gets_the_mean_advantage_of_a_completions_tokens_and_0_for_what_was_not_scored():
    trainer = make_trainer(ppo=Ppo())
    groups, _ = trainer.step(1)
    pairs = [pair for g in groups for pair in zip(g.rollouts, g.advantages, strict=True)]
    assert {a for r, a in pairs if r.reward is None} == {0.0}
    total = sum(len(r.ids) * a for r, a in pairs if r.reward is not None)
    assert total == pytest.approx(0, abs=1e-4)  # whitened over tokens
    assert sum(abs(a) > 0.1 for _, a in pairs) > 3


def test_groups_that_are_all_alike_teach_too():
    class Alike(TokenScorer):
        def __call__(self, texts, rows, **rest):
            scores = super().__call__(texts, rows, **rest)
            return [replace(s, total=float(int(row.prompt) % 2)) for s, row in zip(scores, rows, strict=True)]

    trainer = make_trainer(ppo=Ppo(), score=Alike())
    before = digests(trainer)
    metrics = walk(trainer, [1])[0]
    assert metrics["groups_without_signal"] == 1
    assert all(now != then for now, then in zip(digests(trainer), before, strict=True))


def test_a_step_in_which_nothing_was_scored_changes_nothing_and_says_so():
    class Nothing(TokenScorer):
        def __call__(self, texts, rows, **rest):
            return [replace(s, total=None) for s in super().__call__(texts, rows, **rest)]

    for mini_batches in (1, 3):
        trainer = make_trainer(ppo=Ppo(), objective=replace(OBJECTIVE, mini_batches=mini_batches), score=Nothing())
        before = digests(trainer)
        metrics = walk(trainer, [1])[0]
        assert digests(trainer) == before
        assert set(metrics) == set(walk(make_trainer(ppo=Ppo()), [1])[0])
        assert all(math.isfinite(value) for value in metrics.values())


def test_figures_about_the_values_by_hand():
    model = ValueModel(tiny_model())  # all values are 0: returns are rewards
    critic = Critic(LookingEngine(model), Ppo(whiten=False), pad_id=PAD, micro_tokens=100)
    batch = [
        Trained(make_rollout([2], [5, EOS], reward=2.0), 0.0),
        Trained(make_rollout([3], [6, EOS], reward=0.0), 0.0),
    ]
    estimated, metrics = critic.estimate(batch)
    assert [t.estimates.advantages.tolist() for t in estimated] == [[2.0, 2.0], [0.0, 0.0]]
    assert [t.advantage for t in estimated] == [2.0, 0.0]
    assert metrics == {"value/explained_variance": 0.0, "value/mean": 0.0, "value/return": 1.0}
    with torch.no_grad():
        model.value_head.linear.bias.fill_(1.0)
    estimated, metrics = critic.estimate(batch)
    assert [t.estimates.advantages.tolist() for t in estimated] == [[1.0, 1.0], [-1.0, -1.0]]
    assert metrics == {"value/explained_variance": 0.0, "value/mean": 1.0, "value/return": 1.0}
    assert critic.update(estimated)["value/loss"] == pytest.approx(0.5)


def test_whitening_is_over_the_tokens_of_the_batch_and_not_of_a_mini_batch():
    critic = Critic(LookingEngine(value_model()), Ppo(), pad_id=PAD, micro_tokens=8)
    batch = [Trained(make_rollout([2, 3], [4 + i] * (i + 1), reward=float(i)), 0.0) for i in range(5)]
    estimated, _ = critic.estimate(batch)
    tokens = torch.cat([t.estimates.advantages for t in estimated])
    assert float(tokens.mean()) == pytest.approx(0, abs=1e-6)
    assert float(tokens.std()) == pytest.approx(1, abs=1e-5)
