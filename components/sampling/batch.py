"""What the rows of a decode loop have drawn, and which of them still run."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from r1flow.components.sampling.base import Completion, Finished, Request, Sampling
from r1flow.components.sampling.nucleus import draw


class Batch:
    """Tokens, log-probabilities and counts of all ``requests``, of which ``alive`` names those that are computed.

    ``lengths`` (of the prompts) and ``running`` go with ``alive``. Between two calls of :meth:`select_rows` everything is
    written in place: a step that was captured as a graph finds it where it was.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        *,
        end_ids: tuple[int, ...],
        pad_id: int,
        device: torch.device,
    ) -> None:
        num = len(requests)
        self.tokens = torch.full((num, sampling.max_tokens), pad_id, device=device)
        self.alive = torch.arange(num, device=device)
        self.lengths = torch.tensor([len(r.prompt_ids) for r in requests], device=device)
        self.running = torch.ones(num, dtype=torch.bool, device=device)
        self._logps = torch.zeros(num, sampling.max_tokens, device=device)
        self._counts = torch.zeros(num, dtype=torch.long, device=device)
        self._uniforms = torch.from_numpy(_uniforms([r.seed for r in requests], sampling.max_tokens)).to(device)
        self._sampling = sampling
        self._end_ids = end_ids
        self._ends = torch.tensor(end_ids, device=device)
        self._told: set[int] = set()

    def draw(self, position: int | Tensor, logits: Tensor) -> None:
        """Draw every row's token of ``position``: a number, or a tensor (1,) where a graph has to read it anew."""
        how = self._sampling
        uniforms = self._uniforms[self.alive, position]
        token, logp = draw(logits, uniforms, temperature=how.temperature, top_p=how.top_p)
        self.tokens[self.alive, position] = token
        self._logps[self.alive, position] = logp
        # Rows that have ended run along until the next look; what they write is cut off.
        self._counts[self.alive] += self.running
        self.running &= (token[:, None] != self._ends).all(-1)

    def select_rows(self, kept: Tensor) -> None:
        self.alive, self.lengths, self.running = self.alive[kept], self.lengths[kept], self.running[kept]

    def tell(self, finished: Finished) -> None:
        """Tell of rows that have ended, each once."""
        new = [row for row in self.alive[~self.running].tolist() if row not in self._told]
        self._told.update(new)
        for row, ids, num in zip(new, self.tokens[new].tolist(), self._counts[new].tolist(), strict=True):
            finished(row, tuple(ids[:num]))

    def completions(self) -> list[Completion]:
        lists = zip(self.tokens.tolist(), self._logps.tolist(), self._counts.tolist(), strict=True)
        return [
            Completion(tuple(ids[:n]), tuple(logp[:n]), finished=ids[n - 1] in self._end_ids) for ids, logp, n in lists
        ]


def _uniforms(seeds: Sequence[int], num: int) -> np.ndarray:
    return np.stack([np.random.Generator(np.random.Philox(key=seed)).random(num) for seed in seeds])
