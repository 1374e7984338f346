"""Rollouts made ahead: by the schedule's versions and no clock's, found out when wrong, and whole after a resume."""

import threading
import time
from dataclasses import replace

import pytest

from r1flow.components.core.errors import WeightSyncError
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.engines.state import load_state, save_state
from r1flow.components.training.rl.asynchronous import AsyncTrainer
from r1flow.components.training.rl.loss import Loss
from r1flow.components.training.rl.trainer import GrpoTrainer
from tests.components.training.rl.test_trainer import OBJECTIVE, ROWS, AsScorer, digest, score, walk
from tests.fakes.tiny import EOS, PAD, tiny_model

TIS = Loss(correction="tis", correction_bounds=(0.0, 2.0))
STEPS = 5


def make(kind, staleness=1, sampler=None, learning_rate=1e-2, **changed):
    model = tiny_model()
    return kind(
        SingleEngine(model, lambda step: learning_rate),
        model,
        sampler or TransformersSampler(tiny_model(), eos_id=EOS, pad_id=PAD),
        reference=None,
        pools={"sum": ROWS},
        encode=lambda row: (int(row.prompt) + 2, 10),
        decode=lambda ids: " ".join(map(str, ids)),
        score=AsScorer(score),
        objective=replace(OBJECTIVE, loss=TIS, staleness=staleness, **changed),
        pad_id=PAD,
        seed=0,
    )


def started(staleness=1, sampler=None, steps=STEPS, **changed):
    trainer = make(AsyncTrainer, staleness, sampler, **changed)
    trainer.sync(0)
    trainer.start(0, steps)
    return trainer


class Slow(TransformersSampler):
    """Waits before it does anything, for as long as it is told."""

    seconds = 0.0

    def generate(self, *arguments, **named):
        time.sleep(self.seconds)
        return super().generate(*arguments, **named)


class Oracle(GrpoTrainer):
    """The same schedule without a thread: old weights are kept, and served when their turn has come."""

    def draw(self, step):
        version = max(0, step - 1 - self.objective.staleness)
        self.sampler.load_weights(self.kept[version], version)
        return super().draw(step)

    def sync(self, version):
        self.kept.append([(name, tensor.detach().clone()) for name, tensor in self.engine.full_parameters()])
        return {}

    def max_mismatch(self, step):
        return 1e9


def oracle(staleness, **changed):
    trainer = make(Oracle, staleness, **changed)
    trainer.kept = []
    trainer.sync(0)
    return trainer


def comparable(history):
    own = ("staleness", "weight_sync")  # the proof of a load ahead comes too late for its step's metrics
    return [{n: v for n, v in metrics.items() if not n.startswith(own)} for metrics in history]


@pytest.mark.parametrize(("staleness", "mini_batches"), [(0, 1), (1, 1), (1, 3), (2, 1), (3, 2)])
def test_working_ahead_gives_bit_for_bit_what_the_schedule_gives_in_turns(staleness, mini_batches):
    ahead, turns = started(staleness, mini_batches=mini_batches), oracle(staleness, mini_batches=mini_batches)
    assert comparable(walk(ahead, range(1, STEPS + 1))) == walk(turns, range(1, STEPS + 1))
    assert digest(ahead) == digest(turns)


def test_without_staleness_the_thread_gives_the_synchronous_run():
    ahead, synchronous = started(0), make(GrpoTrainer, 0)
    synchronous.sync(0)
    assert comparable(walk(ahead, range(1, STEPS + 1))) == comparable(walk(synchronous, range(1, STEPS + 1)))
    assert digest(ahead) == digest(synchronous)


@pytest.mark.parametrize("staleness", [0, 1, 2])
def test_no_completion_is_older_than_the_bound(staleness):
    trainer = started(staleness)
    for step in range(1, STEPS + 1):
        groups, metrics = trainer.step(step)
        versions = {r.policy_version for g in groups for r in g.rollouts}
        assert versions == {max(0, step - 1 - staleness)}
        assert metrics["staleness"] == metrics["staleness_max"] == min(staleness, step - 1)
        assert {"time/wait_s", "time/generate_s", "time/overlap_s"} <= set(metrics)


@pytest.mark.parametrize(("sampling", "training"), [(0.05, 0.0), (0.0, 0.05)])
def test_who_is_faster_decides_nothing(sampling, training):
    sampler = Slow(tiny_model(), eos_id=EOS, pad_id=PAD)
    sampler.seconds = sampling
    slow, plain = started(2, sampler), started(2)
    history = []
    for step in range(1, STEPS + 1):
        time.sleep(training)
        history += walk(slow, [step])
    assert history == walk(plain, range(1, STEPS + 1))
    assert digest(slow) == digest(plain)


def test_the_sampler_works_while_the_trainer_does():
    sampling, updating = threading.Event(), threading.Event()

    class Meeting(TransformersSampler):
        def generate(self, requests, *arguments, **named):
            if (
                self.version == 0 and sampling.is_set()
            ):  # the second step's rollouts: the first update must be under way
                assert updating.wait(30)
            sampling.set()
            return super().generate(requests, *arguments, **named)

    trainer = make(AsyncTrainer, 1, Meeting(tiny_model(), eos_id=EOS, pad_id=PAD))
    trainer.sampler._version = 0
    step_of = trainer.engine.step

    def step():
        updating.set()
        return step_of()

    trainer.engine.step = step
    trainer.start(0, 2)
    walk(trainer, [1, 2])
    assert updating.is_set()


def test_old_rollouts_may_disagree_but_the_first_must_not():
    wrong = make(AsyncTrainer, 1, TransformersSampler(tiny_model(seed=1), eos_id=EOS, pad_id=PAD))
    wrong.start(0, STEPS)  # without sync, which would have fixed it
    with pytest.raises(WeightSyncError, match="step 1: trainer and sampler disagree"):
        wrong.step(1)
    history = walk(started(1, max_mismatch=1e-4), [1, 2, 3])
    assert history[0]["mismatch"] < 1e-4 < history[2]["mismatch"]
    assert history[2]["correction"] != 1


def test_a_sampler_that_gives_no_number_is_an_error_however_old_it_is():
    class Silent(TransformersSampler):
        def generate(self, requests, sampling, **named):
            found = super().generate(requests, sampling, **named)
            if self.version == 0 or sampling.max_tokens == 1:  # the start, or the proof's own tokens
                return found
            return [replace(c, logprobs=(float("nan"),) * len(c.ids)) for c in found]

    with pytest.raises(WeightSyncError, match="step 3: trainer and sampler disagree by inf nats"):
        walk(started(1, Silent(tiny_model(), eos_id=EOS, pad_id=PAD)), range(1, STEPS + 1))


def test_a_tensor_that_is_not_renewed_stops_the_run_by_name():
    class Forgetful(TransformersSampler):
        def load_weights(self, named_tensors, version):
            own = dict(self.model.named_parameters())
            tensors = dict(named_tensors)
            if version:
                tensors["model.norm.weight"] = own["model.norm.weight"]
            super().load_weights(tensors.items(), version)

    trainer = started(1, Forgetful(tiny_model(), eos_id=EOS, pad_id=PAD))
    walk(trainer, [1, 2])
    with pytest.raises(
        WeightSyncError, match=r"version 1: the sampler does not serve the trainer's model\.norm\.weight"
    ):
        trainer.step(3)


def test_what_computes_with_other_weights_than_it_shows_stops_the_run():
    class Liar(TransformersSampler):
        """Shows what it was sent, and computes with the start model."""

        def __init__(self, model, **named):
            super().__init__(model, **named)
            self.shown, self.computing = tiny_model(), model

        def load_weights(self, named_tensors, version):
            self.model = self.shown
            super().load_weights(named_tensors, version)

        def generate(self, *arguments, **named):
            shown, self.model = self.model, self.computing
            try:
                return super().generate(*arguments, **named)
            finally:
                self.model = shown

    trainer = started(1, Liar(tiny_model(), eos_id=EOS, pad_id=PAD), learning_rate=0.1)
    walk(trainer, [1, 2])
    with pytest.raises(WeightSyncError, match=r"version 1: every tensor .* log-probabilities"):
        trainer.step(3)


def test_rollouts_of_another_version_than_the_schedules_are_refused():
    trainer = make(AsyncTrainer, 1)
    trainer.sync(4)
    trainer.start(0, STEPS)
    with pytest.raises(
        WeightSyncError, match=r"step 1: rollouts of policy version \[4\], where the schedule has version 0"
    ):
        trainer.step(1)


def test_a_sampler_that_shares_the_trainers_weights_is_refused():
    model = tiny_model()
    trainer = make(AsyncTrainer, 1)
    trainer.model = trainer.sampler.model = model
    with pytest.raises(ValueError, match="shares the trainer's weights"):
        trainer.start(0, STEPS)


@pytest.mark.parametrize("staleness", [1, 2])
@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_run_ends_as_if_it_had_not_been_stopped(tmp_path, staleness, stop):
    straight, first = started(staleness), started(staleness)
    whole = walk(straight, range(1, STEPS + 1))
    begun = walk(first, range(1, stop + 1))
    save_state(tmp_path, first.engine)
    first.save(tmp_path)
    assert walk(first, [stop + 1]) == [whole[stop]]  # saving takes nothing away

    second = make(AsyncTrainer, staleness)
    load_state(tmp_path, second.engine)
    second.load(tmp_path)
    second.sync(stop)
    second.start(stop, STEPS)
    assert begun + walk(second, range(stop + 1, STEPS + 1)) == whole
    assert digest(second) == digest(straight)


def test_a_checkpoint_after_the_last_step_holds_nothing_that_is_to_come(tmp_path):
    trainer = started(1, steps=2)
    walk(trainer, [1, 2])
    trainer.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
