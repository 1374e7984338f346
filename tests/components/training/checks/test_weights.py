"""Every sabotage of a sampler is caught and named by the proof, the honest load passes, and blindness is reported."""

import pytest
import torch

from r1flow.components.core.models import BUILTIN
from r1flow.components.processes.keeper import run_program
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.checks.weights import Trainer, honest, sabotaged, step
from tests.fakes.tiny import EOS, PAD, tiny_model

CAUGHT = {
    "a tensor left out": "no new weights were sent for ['model.layers.0.self_attn.q_proj.weight']",
    "a tensor that kept its old values": "does not serve the trainer's model.layers.0.self_attn.q_proj.weight",
    "a stale version": "serves version 1, the trainer is at 2",
    "stale weights as the new version": "does not serve the trainer's model.embed_tokens.weight, ",
    "a transposed tensor": "does not serve the trainer's model.layers.0.self_attn.q_proj.weight",
    "a tied lm_head not sent": "does not serve the trainer's lm_head.weight",
}


@pytest.fixture
def trainer():
    trainer = Trainer(tiny_model(), tiny_model())
    step(trainer.new)
    return trainer


def make_sampler(kind=TransformersSampler):
    return kind(tiny_model(), eos_id=EOS, pad_id=PAD)


def test_a_step_moves_every_tensor(trainer):
    new = trainer.tensors(trainer.new)
    assert all(not torch.equal(tensor, new[name]) for name, tensor in trainer.tensors(trainer.old).items())


def test_an_honest_load_holds_and_says_what_was_proved(trainer):
    found = honest(make_sampler(), trainer)
    assert found.holds
    num = len(trainer.tensors(trainer.new))
    assert f"{num} tensors served, the tied head among them" in found.detail


@pytest.mark.parametrize("what", CAUGHT)
def test_every_sabotage_is_caught_and_named(trainer, what):
    found = {finding.what: finding for finding in sabotaged(make_sampler(), trainer)}
    assert set(found) == set(CAUGHT)
    assert found[what].holds, found[what]
    assert CAUGHT[what] in found[what].detail


class Repairs(TransformersSampler):
    """Whatever it is sent as version 2, it serves the trainer's tensors: no sabotage has an effect."""

    def load_weights(self, named_tensors, version):
        policy = tiny_model()
        if version == 2:
            step(policy)
        super().load_weights(policy.named_parameters(), version)


def test_a_sabotage_that_nobody_notices_fails(trainer):
    found = {finding.what: finding for finding in sabotaged(make_sampler(Repairs), trainer)}
    assert not found["a tensor left out"].holds
    assert found["a tensor left out"].detail == "nothing was noticed"
    assert found["a stale version"].holds


def test_a_sampler_that_does_not_take_the_weights_fails_the_honest_line(trainer):
    class Deaf(TransformersSampler):
        def load_weights(self, named_tensors, version): ...

    found = honest(make_sampler(Deaf), trainer)
    assert not found.holds
    assert "serves version 0" in found.detail


def findings(kind, work):
    spec = {"kind": kind, "model": str(BUILTIN["tiny-base"]), "work": str(work / "work")}
    return run_program("r1flow.components.programs.prove_weights", spec, work=work / "keeper", server=None)["findings"]


@pytest.mark.long
def test_the_program_proves_transformers_in_a_process_of_its_own(tmp_path):
    found = findings("transformers", tmp_path)
    assert len(found) == 1 + len(CAUGHT)
    assert all(holds for _, holds, _ in found), found


@pytest.mark.extra
def test_the_program_proves_vllm_and_catches_every_sabotage(tmp_path):
    found = findings("vllm", tmp_path)
    assert {what for what, *_ in found} == {"weights as trained", *CAUGHT}
    assert all(holds for _, holds, _ in found), found
