"""The supervised loop: batches in, optimizer steps out. Used by SFT, distillation and the tiny base's pre-training."""

import time
from collections.abc import Callable, Iterable, Iterator
from random import Random

from transformers import PreTrainedModel

from r1flow.components.core.attention import open_attention
from r1flow.components.core.batching import micro_batches
from r1flow.components.core.seeds import derive_seed
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.loss import packed_nll, summed_nll
from r1flow.components.training.sft.packing import best_fit

Row = dict[str, float]


def epoch_batches(examples: list[Example], batch_size: int, epochs: int, seed: int) -> Iterator[list[Example]]:
    """Every example once an epoch, in an order that is a function of (seed, epoch); the last batch may be short."""
    for epoch in range(epochs):
        order = list(range(len(examples)))
        Random(derive_seed(seed, "order", epoch)).shuffle(order)
        for start in range(0, len(order), batch_size):
            yield [examples[i] for i in order[start : start + batch_size]]


def train(
    engine: SingleEngine,
    model: PreTrainedModel,
    batches: Iterable[list[Example]],
    *,
    pad_id: int,
    micro_tokens: int,
    packed: bool,
    on_step: Callable[[int, Row], None],
) -> None:
    """One optimizer step per batch: mean NLL over the batch's trained tokens, in micro-batches of ``micro_tokens``.

    ``packed``: a micro-batch is one row of documents, filled by best fit, instead of padded rows of like length; the loss is
    the same to rounding. An architecture whose attention has not been opened is padded all the same.
    ``on_step(step, metrics)`` is called after each step, with steps counted from 1. Batches that an earlier, killed
    try has already taken (``engine.steps_taken``) are skipped.
    """
    model.train()
    packed = packed and open_attention(model)
    for step, batch in enumerate(batches, 1):
        if step <= engine.steps_taken:
            continue
        started = time.monotonic()
        tokens = sum(e.num_trained for e in batch)
        total = 0.0
        taught = [example for example in batch if example.num_trained]
        for group in (best_fit if packed else micro_batches)([len(e.ids) for e in taught], micro_tokens):
            part = [taught[i] for i in group]
            nll = packed_nll(model, part) if packed else summed_nll(model, part, pad_id=pad_id)
            loss = nll / tokens
            engine.backward(loss)
            total += float(loss.detach())
        outcome = engine.step()
        seconds = time.monotonic() - started
        row = {"loss": total, "grad_norm": outcome.grad_norm, "learning_rate": outcome.learning_rate}
        on_step(step, row | {"tokens": float(tokens), "time/step_s": seconds, "time/tokens_per_s": tokens / seconds})
