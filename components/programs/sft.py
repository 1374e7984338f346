"""Supervised fine-tuning: a model and a dataset of completions in, a model and its history out. Distillation is this too."""

from functools import partial
from typing import Any

from r1flow.components.core.artifacts import Policy
from r1flow.components.core.errors import DataError
from r1flow.components.core.models import save_model
from r1flow.components.core.schedule import learning_rate
from r1flow.components.data.blend import sft_rows
from r1flow.components.programs.context import examples_with_room
from r1flow.components.programs.journal import Journal
from r1flow.components.programs.language_model import LanguageModel, open_model
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import SftStage
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.sft.encode import taught
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.trainer import epoch_batches, train


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = SftStage.model_validate(spec.config)
    lm = open_model(spec, spec.inputs[config.model])
    examples, left_out = encode_examples(spec, config, lm)
    batches = list(epoch_batches(examples, config.batch_size, config.epochs, spec.seed))
    rate = partial(
        learning_rate,
        peak=config.learning_rate,
        total_steps=len(batches),
        warmup_steps=config.warmup_steps,
        schedule=config.schedule,
    )
    engine = SingleEngine(lm.model, rate, max_grad_norm=config.max_grad_norm, weight_decay=config.weight_decay)
    journal = Journal(spec, engine, every=config.checkpoint_every, last_step=len(batches))
    journal.resume()
    last: dict[str, float] = {}

    def on_step(step: int, metrics: dict[str, float]) -> None:
        journal.record(step, metrics)
        last.update(metrics)

    train(engine, lm.model, batches, pad_id=lm.pad_id, micro_tokens=config.micro_tokens, packed=True, on_step=on_step)
    journal.finish()
    save_model(lm.model, lm.tokenizer, Policy(spec.out).model)
    return left_out | {"examples": float(len(examples)), "steps": float(len(batches)), "loss": last.get("loss", 0.0)}


def encode_examples(spec: Spec, config: SftStage, lm: LanguageModel) -> tuple[list[Example], dict[str, float]]:
    """The SFT data's rows, completions trained on, and how many were left out as longer than the model's positions; DataError
    where there is none, or one that cannot be taught."""
    rows = sft_rows(config.data, spec.inputs, spec.seed, spec.stage)
    if not rows:
        raise DataError(f"{spec.stage}.data has no row; give other data, or loosen the selection that made it")
    return examples_with_room(spec, lm, rows, [taught(lm.tokenizer, lm.prompt, row, lm.ends) for row in rows])
