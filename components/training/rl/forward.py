"""Log-probabilities of completions under a model: padded rows, or packed with every prompt once, by a fixed rule.

In the packed row every distinct prompt stands once, every completion behind it, without padding outside attention. The G
completions of a prompt read the same keys and values of it, so its tokens pass through the model once, forward and
backward; their gradients meet there. Projections and MLPs see exactly the tokens that count; attention alone is padded, in
two calls per layer: prompts among themselves, completions over their prompt and themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from transformers import PreTrainedModel

from r1flow.components.core.attention import Rule, attention, open_attention, packed_states
from r1flow.components.core.batching import pad_right, pick, real_places, span_rows, unpick
from r1flow.components.core.logits import head_of, token_logprobs
from r1flow.components.core.rollout import Rollout

PACK_BELOW = 0.9
"""Rollouts are packed where that leaves at most this share of the padded tokens (`benchmarks/grpo_vs_trl.py`)."""


def completion_logprobs(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    *,
    pad_id: int,
    temperature: float,
    packed: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of every completion token, flat over the rollouts in order, shape (tokens,).

    Padded and packed form agree to rounding. ``packed`` None takes the form by a rule on lengths and prompts alone;
    an architecture that cannot be packed is padded.
    """
    targets = torch.tensor(np.concatenate([r.ids for r in rollouts]), dtype=torch.long, device=model.device)
    hidden = completion_hidden(model, rollouts, pad_id=pad_id, packed=packed)
    return token_logprobs(hidden, head_of(model), targets, temperature=temperature)


def completion_hidden(
    model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int, packed: bool | None = None
) -> Tensor:
    """The hidden state behind which each completion token comes, shape (tokens, D)."""
    if packed is None:
        packed = packing_pays(rollouts)
    if packed and open_attention(model):
        return packed_hidden(model, Layout.of(rollouts, model.device))
    return padded_hidden(model, rollouts, pad_id=pad_id)


def packing_pays(rollouts: Sequence[Rollout]) -> bool:
    """Whether distinct prompts plus completions are few beside rows x longest row."""
    prompts = {r.prompt_ids for r in rollouts}
    packed = sum(map(len, prompts)) + sum(len(r.ids) - 1 for r in rollouts)
    padded = len(rollouts) * max(len(r.prompt_ids) + len(r.ids) for r in rollouts)
    return packed <= PACK_BELOW * padded


def padded_hidden(model: PreTrainedModel, rollouts: Sequence[Rollout], *, pad_id: int) -> Tensor:
    """The hidden state that predicts each completion token, shape (tokens, D), from right-padded rows."""
    device = model.device
    ids = pad_right([(*r.prompt_ids, *r.ids) for r in rollouts], pad_id).to(device)
    starts = torch.tensor([[len(r.prompt_ids)] for r in rollouts], device=device)
    ends = torch.tensor([[len(r.prompt_ids) + len(r.ids)] for r in rollouts], device=device)
    position = torch.arange(ids.shape[1], device=device)[None]
    chosen = ((position >= starts) & (position < ends))[:, 1:]
    hidden: Tensor = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return hidden[chosen]


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
    query_positions: Tensor
    key_positions: Tensor
    """(B, Q) and (B, P + Q): of what ``mask`` is about."""
    _within: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

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
        prompt_rows, prompts_real = span_rows([(start, len(prompt)) for prompt, start in starts.items()], device)
        answer_rows, answers_real = span_rows(answers, device)
        number = {prompt: row for row, prompt in enumerate(starts)}
        row_of = torch.tensor([number[r.prompt_ids] for r in rollouts], device=device)
        seen = prompts_real[row_of]
        if bool(prompts_real.all()):
            seen = seen[:1]  # one mask for all rows
        width = answer_rows.shape[1]
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        mask = torch.cat([seen[:, None].expand(-1, width, -1), causal.expand(len(seen), -1, -1)], dim=2)
        lengths = torch.tensor([len(r.prompt_ids) for r in rollouts], device=device)
        own = lengths[:, None] + torch.arange(width, device=device)
        before = torch.arange(prompt_rows.shape[1], device=device).expand(len(rollouts), -1)
        return Layout(
            ids=torch.tensor(ids, device=device),
            positions=torch.tensor(positions, device=device),
            predictors=torch.tensor(predictors, device=device, dtype=torch.long),
            prompts=prompt_rows,
            prompts_kept=real_places(prompts_real),
            answers=answer_rows,
            answers_kept=real_places(answers_real),
            keys=torch.cat([prompt_rows[row_of], answer_rows], dim=1),
            mask=mask[:, None],
            query_positions=own,
            key_positions=torch.cat([before, own], dim=1),
        )

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """See :mod:`r1flow.components.core.attention`; prompts among themselves, completions over prompt and themselves."""
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        if q.is_cuda and q.shape[1] != k.shape[1]:  # masked and grouped has one kernel there: it writes out all scores
            k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
        among_prompts, over_both = (None, self.mask) if rule.window is None else self._masks(rule)
        prompts = (pick(q, self.prompts), pick(k, self.prompts), pick(v, self.prompts))
        parts = [unpick(attention(*prompts, rule, among_prompts), self.prompts_kept)]
        if self.answers.numel():
            answers = (pick(q, self.answers), pick(k, self.keys), pick(v, self.keys))
            parts.append(unpick(attention(*answers, rule, over_both), self.answers_kept))
        return torch.cat(parts)[None]

    def _masks(self, rule: Rule) -> tuple[Tensor, Tensor]:
        """Of both calls, within the rule's window; the layers that share it share them."""
        assert rule.window is not None
        if rule.window not in self._within:
            places = torch.arange(self.prompts.shape[1], device=self.ids.device)
            seen = rule.sees(self.query_positions[:, None, :, None], self.key_positions[:, None, None])
            self._within[rule.window] = rule.sees(places[:, None], places), self.mask & seen
        return self._within[rule.window]


def packed_hidden(model: PreTrainedModel, layout: Layout) -> Tensor:
    """The hidden state that predicts each completion token, shape (N, D); ``model`` must take ``attend``."""
    return packed_states(model, layout.ids, layout.positions, layout.attend).index_select(0, layout.predictors)
