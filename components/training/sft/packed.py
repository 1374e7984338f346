"""Documents behind one another in one row, none of which sees another.

Every document's positions begin at 0. Projections and MLPs see exactly the tokens that count; attention alone is padded: it
takes documents of similar length together, each a row of its own, so that causality is the only mask there is and no
document can reach another. A row of T tokens never costs T x T.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module
from transformers import PreTrainedModel

from r1flow.components.core.attention import Rule, attention, packed_states
from r1flow.components.core.batching import pick, real_places, span_rows, unpick
from r1flow.components.training.sft.example import Example

ALIKE = 64
"""Documents of up to so many tokens attend in one call, longer ones with those of at least half their length."""


@dataclass(frozen=True)
class Documents:
    """Where documents lie in the packed row, the shortest first, each without its last token, which predicts nothing.

    ``ids``, ``positions`` (T,). ``predictors``, ``targets`` (N,): for every trained token the place whose hidden state
    predicts it, and the token itself. ``calls``: of every attention call the documents' indices (documents, longest) and
    where the real ones lie among them (None: everywhere).
    """

    ids: Tensor
    positions: Tensor
    predictors: Tensor
    targets: Tensor
    calls: tuple[tuple[Tensor, Tensor | None], ...]

    @staticmethod
    def of(examples: Sequence[Example], device: torch.device) -> "Documents":
        """The layout of ``examples``, of which each trains a token."""
        ids: list[int] = []
        positions: list[int] = []
        predictors: list[int] = []
        targets: list[int] = []
        spans: list[tuple[int, int]] = []
        for example in sorted(examples, key=lambda e: len(e.ids)):
            start, size = len(ids), len(example.ids) - 1
            ids += example.ids[:-1]
            positions += range(size)
            trained = [place for place, chosen in enumerate(example.trained) if chosen]
            predictors += [start + place - 1 for place in trained]
            targets += [example.ids[place] for place in trained]
            spans.append((start, size))
        calls = [span_rows(group, device) for group in _alike(spans)]
        return Documents(
            ids=torch.tensor(ids, device=device),
            positions=torch.tensor(positions, device=device),
            predictors=torch.tensor(predictors, device=device),
            targets=torch.tensor(targets, device=device),
            calls=tuple((rows, real_places(real)) for rows, real in calls),
        )

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """See :mod:`r1flow.components.core.attention`; every document over itself."""
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        parts = []
        for rows, places in self.calls:
            own = (pick(q, rows), pick(k, rows), pick(v, rows))
            column = torch.arange(rows.shape[1], device=q.device)
            mask = None if rule.window is None else rule.sees(column[:, None], column)
            parts.append(unpick(attention(*own, rule, mask), places))
        return torch.cat(parts)[None]


def packed_hidden(model: PreTrainedModel, documents: Documents) -> Tensor:
    """The hidden state behind which each trained token comes, shape (N, D); ``model`` must take ``attend``."""
    states = packed_states(model, documents.ids, documents.positions, documents.attend)
    return states.index_select(0, documents.predictors)


def _alike(spans: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Spans that ascend by size, cut where attention would be padded to more than twice a document's length."""
    groups: list[list[tuple[int, int]]] = []
    for span in spans:
        if groups and span[1] <= max(ALIKE, 2 * groups[-1][0][1]):
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups
