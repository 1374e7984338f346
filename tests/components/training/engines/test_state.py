"""A run that was stopped goes on bit for bit."""

import json
import random

import pytest
import torch

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.schedule import learning_rate
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.engines.state import load_state, save_state
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.trainer import epoch_batches, train
from tests.fakes.tiny import tiny_model


def make_batches():
    rng = random.Random(0)
    examples = [Example(tuple(rng.randrange(2, 40) for _ in range(rng.randint(3, 12))), 2) for _ in range(24)]
    return list(epoch_batches(examples, 8, 2, seed=0))


def make_engine(seed):
    model = tiny_model(seed)
    rate = lambda step: learning_rate(step, peak=1e-2, total_steps=6, warmup_steps=2, schedule="cosine")  # noqa: E731
    return SingleEngine(model, rate, weight_decay=0.1), model


def run(engine, model, batches):
    losses = {}
    train(
        engine,
        model,
        batches,
        pad_id=0,
        micro_tokens=64,
        packed=True,
        on_step=lambda step, row: losses.update({step: row["loss"]}),
    )
    return losses


def digests(engine, model):
    return tensors_digest(model.named_parameters()), tensors_digest(engine.optimizer_tensors().items())


@pytest.fixture
def uninterrupted():
    engine, model = make_engine(0)
    return run(engine, model, make_batches()), digests(engine, model)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_stopping_and_going_on_in_fresh_objects_ends_in_the_same_bits(uninterrupted, stop, tmp_path):
    first, first_model = make_engine(0)
    losses = run(first, first_model, make_batches()[:stop])
    save_state(tmp_path, first)
    second, second_model = make_engine(99)
    load_state(tmp_path, second)
    assert second.steps_taken == stop
    losses |= run(second, second_model, make_batches())
    assert (losses, digests(second, second_model)) == uninterrupted


def test_saving_changes_nothing_and_gives_the_same_bytes_twice(uninterrupted, tmp_path):
    engine, model = make_engine(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_state(tmp_path / folder, engine)
    run(engine, model, make_batches()[:3])
    for folder in ("a", "b"):
        save_state(tmp_path / folder, engine)
    run(engine, model, make_batches())
    assert digests(engine, model) == uninterrupted[1]
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_reference_comes_back_too(tmp_path):
    engine, model = make_engine(0)
    save_state(tmp_path, engine, reference=tiny_model(5))
    fresh, fresh_model = make_engine(1)
    reference = tiny_model(6)
    load_state(tmp_path, fresh, reference)
    assert tensors_digest(reference.named_parameters()) == tensors_digest(tiny_model(5).named_parameters())
    assert tensors_digest(fresh_model.named_parameters()) == tensors_digest(model.named_parameters())


def test_the_value_model_comes_back_with_its_own_optimizer_and_step_count(tmp_path):
    engine, model = make_engine(0)
    value, value_model = make_engine(5)
    run(engine, model, make_batches()[:3])
    run(value, value_model, make_batches()[:2])
    save_state(tmp_path, engine, value=value)
    (fresh, fresh_model), (other, other_model) = make_engine(1), make_engine(2)
    load_state(tmp_path, fresh, value=other)
    assert (fresh.steps_taken, other.steps_taken) == (3, 2)
    assert digests(fresh, fresh_model) == digests(engine, model)
    assert digests(other, other_model) == digests(value, value_model) != digests(engine, model)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"value_model.safetensors", "value_optimizer.safetensors"} <= names


def test_only_safetensors_and_json_are_written(tmp_path):
    engine, model = make_engine(0)
    run(engine, model, make_batches()[:1])
    save_state(tmp_path, engine, reference=model)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model.safetensors", "optimizer.safetensors", "reference.safetensors", "state.json"}


def test_another_number_of_threads_is_refused_because_it_could_not_be_exact(tmp_path):
    engine, _model = make_engine(0)
    save_state(tmp_path, engine)
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(state | {"threads": torch.get_num_threads() + 1}))
    with pytest.raises(ConfigError, match=r"run\.threads: the checkpoint was made with 2 threads, this run has 1"):
        load_state(tmp_path, engine)
