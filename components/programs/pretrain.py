"""Pre-training of the tiny world's base models from nothing: how the shipped ones were made."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from r1flow.components.core.artifacts import Policy, Suites
from r1flow.components.core.models import save_model
from r1flow.components.core.schedule import learning_rate
from r1flow.components.core.seeds import derive_seed, python_rng
from r1flow.components.data.chat import TEMPLATES, render
from r1flow.components.data.files import load_rows
from r1flow.components.data.tinyworld.corpus import make_row
from r1flow.components.data.tinyworld.model import build_model, build_tokenizer
from r1flow.components.data.tinyworld.problems import problem_key
from r1flow.components.programs.journal import Journal
from r1flow.components.programs.language_model import set_threads
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import PretrainStage
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.trainer import train


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = PretrainStage.model_validate(spec.config)
    set_threads(spec)
    template = (TEMPLATES / f"{spec.prompt.template}.jinja").read_text()
    tokenizer = build_tokenizer(template.replace("prompt", "messages[-1]['content']"))
    torch.manual_seed(derive_seed(spec.seed, "initial weights", config.size))
    model = build_model(config.size, len(tokenizer), eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id)
    rate = partial(
        learning_rate,
        peak=config.learning_rate,
        total_steps=config.steps,
        warmup_steps=config.warmup_steps,
        schedule="cosine",
    )
    engine = SingleEngine(model, rate, weight_decay=config.weight_decay)
    journal = Journal(spec, engine, every=config.checkpoint_every, last_step=config.steps)
    journal.resume()
    excluded: set[str] = set()
    if "suites" in spec.inputs:
        suites = Suites(spec.inputs["suites"])
        rows = [row for name in suites.names() for row in load_rows(suites.problems(name))]
        excluded = {problem_key(row.skill, row.prompt) for row in rows}

    def batches() -> Iterator[list[Example]]:
        for step in range(1, config.steps + 1):
            if step <= engine.steps_taken:
                yield []
                continue
            rng = python_rng(spec.seed, "corpus", step)
            rows = [make_row(rng, excluded) for _ in range(config.rows_per_step)]
            texts = [render(spec.prompt.template, p.prompt) + text + tokenizer.eos_token for p, text in rows]
            yield [Example(tuple(ids), 0) for ids in tokenizer(texts)["input_ids"]]

    last: dict[str, float] = {}

    def on_step(step: int, metrics: dict[str, float]) -> None:
        journal.record(step, metrics)
        last.update(metrics)

    train(
        engine,
        model,
        batches(),
        pad_id=tokenizer.pad_token_id,
        micro_tokens=config.micro_tokens,
        packed=False,  # the order of additions that made the shipped models
        on_step=on_step,
    )
    journal.finish()
    save_model(model, tokenizer, Policy(spec.out).model)
    return {"loss": last.get("loss", 0.0), "parameters": float(sum(p.numel() for p in model.parameters()))}
