"""Rollouts as one packed row: every distinct prompt once, every completion behind it, no padding outside attention.

The G completions of a prompt read the same keys and values of it, so its tokens pass through the model once, forward and
backward; their gradients meet there. Projections and MLPs see exactly the tokens that count; attention alone is padded, in
two calls per layer: prompts among themselves, completions over their prompt and themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

from components.rollout.types import Rollout


@dataclass(frozen=True)
class Layout:
    """Where things lie in the packed row. Indices into it point anywhere (0) where attention has padding.

    ``ids``, ``positions`` (T,): prompts, then completions without their last token, which predicts nothing.
    ``predictors`` (N,): for every completion token the place whose hidden state predicts it.
    ``prompts`` (R, P) and ``answers`` (B, Q): the rows of the two attention calls; ``prompts_kept`` and ``answers_kept``
    find the real ones among them again. ``keys`` (B, P + Q) and ``mask`` (B or 1, 1, Q, P + Q): what answers may see.
    """

    ids: Tensor
    positions: Tensor
    predictors: Tensor
    prompts: Tensor
    prompts_kept: Tensor | None
    answers: Tensor
    answers_kept: Tensor | None
    keys: Tensor
    mask: Tensor

    @staticmethod
    def of(rollouts: Sequence[Rollout], device: torch.device) -> "Layout":
        starts: dict[tuple[int, ...], int] = {}
        ids: list[int] = []
        for rollout in rollouts:
            if rollout.prompt_ids not in starts:
                starts[rollout.prompt_ids] = len(ids)
                ids += rollout.prompt_ids
        positions = [p for prompt in starts for p in range(len(prompt))]
        answers: list[tuple[int, int]] = []
        predictors: list[int] = []
        for rollout in rollouts:
            start, size = len(ids), max(0, len(rollout.ids) - 1)
            end = starts[rollout.prompt_ids] + len(rollout.prompt_ids)
            ids += rollout.ids[:-1]
            positions += range(len(rollout.prompt_ids), len(rollout.prompt_ids) + size)
            predictors += [end - 1, *range(start, start + size)][: len(rollout.ids)]
            answers.append((start, size))
        prompt_rows, prompts_real = _rows([(start, len(prompt)) for prompt, start in starts.items()], device)
        answer_rows, answers_real = _rows(answers, device)
        number = {prompt: row for row, prompt in enumerate(starts)}
        row_of = torch.tensor([number[r.prompt_ids] for r in rollouts], device=device)
        seen = prompts_real[row_of]
        if bool(prompts_real.all()):
            seen = seen[:1]  # one mask for all rows
        width = answer_rows.shape[1]
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        mask = torch.cat([seen[:, None].expand(-1, width, -1), causal.expand(len(seen), -1, -1)], dim=2)
        return Layout(
            ids=torch.tensor(ids, device=device),
            positions=torch.tensor(positions, device=device),
            predictors=torch.tensor(predictors, device=device, dtype=torch.long),
            prompts=prompt_rows,
            prompts_kept=_kept(prompts_real),
            answers=answer_rows,
            answers_kept=_kept(answers_real),
            keys=torch.cat([prompt_rows[row_of], answer_rows], dim=1),
            mask=mask[:, None],
        )

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See :mod:`components.attention`; prompts among themselves, completions over prompt and themselves."""
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        if q.is_cuda and q.shape[1] != k.shape[1]:  # masked and grouped has one kernel there: it writes out all scores
            k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
        grouped = q.shape[1] != k.shape[1]
        prompts = (_pick(q, self.prompts), _pick(k, self.prompts), _pick(v, self.prompts))
        seen = scaled_dot_product_attention(*prompts, is_causal=True, scale=scaling, enable_gqa=grouped)
        parts = [_unpick(seen, self.prompts_kept)]
        if self.answers.numel():
            answers = (_pick(q, self.answers), _pick(k, self.keys), _pick(v, self.keys))
            seen = scaled_dot_product_attention(*answers, attn_mask=self.mask, scale=scaling, enable_gqa=grouped)
            parts.append(_unpick(seen, self.answers_kept))
        return torch.cat(parts)[None]


def packed_hidden(model: PreTrainedModel, layout: Layout) -> Tensor:
    """The hidden state that predicts each completion token, shape (N, D); ``model`` must take ``attend``."""
    hidden = model.base_model(
        input_ids=layout.ids[None],
        position_ids=layout.positions[None],
        attention_mask={"full_attention": None},  # a dict is taken as it is
        use_cache=False,
        attend=layout.attend,
    ).last_hidden_state
    return hidden[0].index_select(0, layout.predictors)


def _pick(tokens: Tensor, rows: Tensor) -> Tensor:
    """(T, heads, size) to (rows, heads, width, size)."""
    return tokens.index_select(0, rows.flatten()).unflatten(0, rows.shape).transpose(1, 2)


def _unpick(out: Tensor, kept: Tensor | None) -> Tensor:
    flat = out.transpose(1, 2).flatten(0, 1)
    return flat if kept is None else flat.index_select(0, kept)


def _rows(spans: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Spans (start, size) as padded rows of indices, and which of them are real."""
    starts, sizes = (torch.tensor(column, device=device)[:, None] for column in zip(*spans, strict=True))
    column = torch.arange(int(sizes.max()), device=device)[None]
    real = column < sizes
    return (starts + column) * real, real


def _kept(real: Tensor) -> Tensor | None:
    return None if bool(real.all()) else real.flatten().nonzero().squeeze(-1)
