"""What vLLM's engine draws from, and which log-probabilities it reports: those that a trainer can recompute.

Functions for ``engine.collective_rpc``: each changes the worker that it is called with.
"""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor


def report_before_the_cut(worker: Any) -> None:
    """Make the engine report log p under softmax(logits / temperature).

    vLLM has log-probabilities before the temperature ("raw") and after the nucleus cut ("processed", renormalised over
    the nucleus: with ``top_p`` below 1 they are too high by up to -log top_p). This takes them in between.
    """
    sampler = worker.model_runner.sampler.topk_topp_sampler
    draw = sampler.forward
    sampler.logprobs_mode = "raw_logprobs"  # do not compute those after the cut

    def forward(logits: Tensor, generators: Any, k: Tensor | None, p: Tensor | None) -> tuple[Tensor, Tensor]:
        logp = logits.log_softmax(-1, dtype=torch.float32)  # before draw, which may write into the logits
        token, _ = draw(logits, generators, k, p)
        return token, logp

    sampler.forward = forward


def keep_to(worker: Any, known: Collection[int], vocabulary: int) -> None:
    """From now on the distribution is over the ``known`` ids alone, of a model with ``vocabulary`` rows.

    Once, on the model: vLLM's ``allowed_token_ids`` would say it of every request, and copy a list as long as the
    vocabulary for each.
    """
    unknown = sorted(set(range(vocabulary)) - set(known))
    if not unknown:
        return
    model = worker.model_runner.get_model()
    compute = model.compute_logits
    columns = torch.tensor(unknown, device=next(model.parameters()).device)

    def compute_logits(*args: Any, **kwargs: Any) -> Tensor | None:
        logits: Tensor | None = compute(*args, **kwargs)
        return None if logits is None else logits.index_fill(-1, columns, -torch.inf)

    model.compute_logits = compute_logits
