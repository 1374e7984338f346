"""A random two-layer Qwen3 for tests, and what trainers need around it: rollouts, and an engine that only looks."""

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from r1flow.components.core.rollout import Rollout
from r1flow.components.data.tinyworld.model import build_model
from r1flow.components.training.engines.single import StepOutcome

VOCAB, EOS, PAD = 40, 1, 0


def tiny_model(seed=0, *, sharpness=4.0):
    """Untrained, seeded; ``sharpness`` scales the tied embeddings so that its distributions are not flat."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = build_model("student", VOCAB, eos_id=EOS, pad_id=PAD).eval()
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(sharpness)
    return model


def grouped_query_model():
    """Four heads of queries to two of keys, an output head of its own."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        initializer_range=0.3,
        tie_word_embeddings=False,
        pad_token_id=PAD,
    )
    return Qwen3ForCausalLM(config).eval()


def in_float64(model):
    """Transformers' norm computes in float32 whatever it is given: here it keeps all digits."""
    for norm in model.double().modules():
        if isinstance(norm, Qwen3RMSNorm):
            norm.forward = lambda x, n=norm: torch.nn.functional.rms_norm(x, x.shape[-1:], n.weight, n.variance_epsilon)
    return model


def make_rollout(prompt_ids, ids, *, logprobs=None, prompt_id="p", **fields):
    values = {
        "sample": 0,
        "finished": True,
        "text": "",
        "reward": 1.0,
        "rewards": {"accuracy": 1.0},
        "verdict": "CORRECT",
        "language": 1.0,
        "format_ok": True,
        "reflections": 0,
        "policy_version": 0,
    }
    return Rollout(
        prompt_id=prompt_id,
        prompt_ids=tuple(prompt_ids),
        ids=ids,
        logprobs=logprobs if logprobs is not None else [0.0] * len(ids),
        **(values | fields),
    )


def plain_logprobs(model, prompt_ids, ids, *, temperature=1.0):
    """Log-probabilities of ``ids`` behind ``prompt_ids`` by the model's own logits: no cache, batch or padding."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt_ids, *ids]]), use_cache=False).logits[0].double()
    table = (logits / temperature).log_softmax(-1)
    first = len(prompt_ids) - 1
    return [float(table[first + i, token]) for i, token in enumerate(ids)]


class LookingEngine:
    """Gathers gradients like an engine and keeps a copy of each step's instead of stepping."""

    def __init__(self, model):
        self.model = model
        self.gradients = []
        self.backwards = 0
        self.steps_taken = 0

    def forward(self, function, *arguments, **named):
        return function(self.model, *arguments, **named)

    def full_parameters(self):
        return self.model.named_parameters()

    def backward(self, loss):
        self.backwards += 1
        loss.backward()

    def step(self):
        flat = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in self.model.parameters()]
        self.gradients.append(torch.cat([g.flatten() for g in flat]))
        self.model.zero_grad(set_to_none=True)
        self.steps_taken += 1
        return StepOutcome(float(self.gradients[-1].norm()), 0.0, True)
