"""A few RL steps on a CPU, to set a rate for `r1 plan` and to hold its arithmetic against: seconds by phase, memory, lengths.

The reward is the share of even tokens, which differs in nearly every group: all completions have a gradient, as the plan takes
it.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from r1flow.components.core.allocator import keep_memory
from r1flow.components.core.models import load_model
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import python_rng
from r1flow.components.core.verdict import Verdict
from r1flow.components.programs.rl import objective
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.models import ModelShape
from r1flow.components.recipe.section import Count, Section
from r1flow.components.rewards.score import Scored
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.critic import Critic, Ppo
from r1flow.components.training.rl.trainer import GrpoTrainer
from r1flow.components.training.rl.value_model import ValueModel

RATE = 1e-6


class Measure(Section):
    """What to measure: a model directory, or random weights of a shape, whose completions then all have ``max_tokens``."""

    grpo: GrpoConfig
    shape: ModelShape
    directory: Path | None = None
    prompt: Count
    """Tokens of every prompt."""
    end: int | None = None
    """The end token; None where completions are not to end."""
    steps: Count = 2
    threads: Count = 1


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """``floor``: bytes of the process before it has a model; ``peak``: after each step; ``sample_s``, ``update_s``, ``step_s``
    of each step; ``completion``: mean tokens."""
    measure = Measure.model_validate(raw)
    torch.set_num_threads(measure.threads)
    keep_memory()
    warm = torch.ones(256, 256, requires_grad=True)
    (warm @ warm).sum().backward()  # libraries make their buffers when first used
    floor = memory("VmRSS")
    trainer = make_trainer(measure)
    found: dict[str, Any] = {
        "cpu_s": [],
        "floor": floor,
        "peak": [],
        "sample_s": [],
        "update_s": [],
        "step_s": [],
        "completion": [],
    }
    for step in range(1, measure.steps + 1):
        started = time.process_time()
        groups, metrics = trainer.step(step)
        found["cpu_s"].append(time.process_time() - started)
        found["peak"].append(memory("VmHWM"))
        for name in ("sample_s", "update_s", "step_s"):
            found[name].append(metrics[f"time/{name}"])
        found["completion"].append(metrics["tokens"] / sum(len(g.rollouts) for g in groups))
    return found


def make_trainer(measure: Measure) -> GrpoTrainer:
    """A trainer as the RL program makes it, without files, verdicts and a journal."""
    config = measure.grpo
    model = start_model(measure)
    plan = objective(config)
    copy = start_model(measure) if config.kl_weight else None
    critic = None
    if config.ppo:
        engine = SingleEngine(
            ValueModel(start_model(measure)), lambda _: config.ppo.value_rate * RATE if config.ppo else RATE
        )
        settings = Ppo(config.ppo.gamma, config.ppo.lam, config.ppo.whiten, config.ppo.value_clip, config.kl_weight)
        critic = Critic(engine, settings, pad_id=0, micro_tokens=config.micro_tokens)
    end = measure.shape.vocab_size if measure.end is None else measure.end
    rng = python_rng(0, "prompts")
    words = range(2, measure.shape.vocab_size)
    rows = [
        Row(
            id=str(i),
            prompt=" ".join(str(rng.choice(words)) for _ in range(measure.prompt)),
            answer="0",
            verifier="exact",
            source="plan",
        )
        for i in range(measure.steps * config.prompts_per_step)
    ]
    return GrpoTrainer(
        SingleEngine(model, lambda _: RATE, max_grad_norm=config.max_grad_norm),
        model,
        TransformersSampler(model, eos_id=end, pad_id=0),
        reference=copy,
        pools={next(iter(config.mixture)): rows},
        encode=lambda row: tuple(int(word) for word in row.prompt.split()),
        decode=lambda ids: " ".join(map(str, ids)),
        score=Even(),  # type: ignore[arg-type]
        objective=plan,
        pad_id=0,
        seed=0,
        critic=critic,
    )


def start_model(measure: Measure) -> PreTrainedModel:
    """The directory's model, or random weights."""
    if measure.directory is not None:
        return load_model(measure.directory)
    torch.manual_seed(0)
    shape = measure.shape
    longest = measure.prompt + measure.grpo.max_tokens
    named: dict[str, Any] = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "tie_word_embeddings": shape.tied_embeddings,
        "max_position_embeddings": longest,
        "pad_token_id": 0,
        "dtype": "float32",
    }
    made = Qwen3ForCausalLM(Qwen3Config(**named)) if shape.family == "qwen3" else Qwen2ForCausalLM(Qwen2Config(**named))
    return made.eval()


class Even:
    """The share of even tokens, where the trainer expects a ``Scorer``."""

    def ahead(self, text: str, row: Row) -> None: ...

    def __call__(self, texts: Sequence[str], rows: Sequence[Row], **_: Any) -> list[Scored]:
        shares = [sum(int(word) % 2 == 0 for word in text.split()) / max(1, len(text.split())) for text in texts]
        return [Scored(share, {"even": share}, Verdict.WRONG, None, True, 0) for share in shares]


def memory(field: str) -> int:
    """Bytes of this process from the kernel's book: ``VmRSS`` now, ``VmHWM`` at most so far (getrusage's begins with its
    parent's)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")
