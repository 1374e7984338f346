"""A batched sampler on plain transformers: key-value cache, one decode loop for the whole batch.

* A prompt that stands in several requests (the G samples of a group) is computed and kept once.
* Rows that have ended leave the batch as soon as a quarter of it has ended.
* On a CPU the weights of a large model are laid out for few rows (:mod:`r1flow.components.sampling.transposed`).
* On a CUDA device a decode step is captured as a graph (:mod:`r1flow.components.sampling.graph`); there rows leave less eagerly.
* Every sample draws from uniforms of its own seed, so its tokens depend on nothing but prompt, weights and seed (up to
  floating-point rounding between batch shapes).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel

from r1flow.components.core.attention import Attend, caches_what_it_reads, open_attention, ready_mask, unread_mask
from r1flow.components.core.ends import end_ids
from r1flow.components.core.errors import WeightSyncError
from r1flow.components.core.logits import head_of
from r1flow.components.core.positions import known_positions
from r1flow.components.sampling.base import Completion, Finished, Request, Sampling
from r1flow.components.sampling.batch import Batch
from r1flow.components.sampling.bucket import BucketPast
from r1flow.components.sampling.cache import CopiedPast, ReservedCache, SharedPast
from r1flow.components.sampling.context import check_positions
from r1flow.components.sampling.digest import tensors_digest
from r1flow.components.sampling.graph import FEWER_AT, FEWER_ROWS, Graphs, Replayed
from r1flow.components.sampling.transposed import transposed

COMPACT_AT = 0.25  # share of ended rows at which the batch is compacted
LOOK_EVERY = (
    16  # tokens between two looks at who has ended: a look waits for the device, which only a CPU does not mind
)


class TransformersSampler:
    """Serves ``model`` (which it owns, or shares with a trainer in the same process).

    Completions end at ``eos_id``, or at any of several.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        eos_id: int | Sequence[int],
        pad_id: int,
        max_rows: int = 512,
        look_every: int | None = None,
    ) -> None:
        self.model = model
        self.look_every = look_every or (1 if model.device.type == "cpu" else LOOK_EVERY)
        self.end_ids = end_ids(eos_id)
        self.pad_id = pad_id
        self.max_rows = max_rows
        self.positions = known_positions(model.config)
        self.graphs = Graphs(model.device) if model.device.type == "cuda" else None
        self._version = 0

    @property
    def version(self) -> int:
        return self._version

    def load_weights(self, named_tensors: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Copy ``named_tensors`` into the served model; a name or shape it lacks, or a tensor left out, is an error."""
        served = dict(self.model.named_parameters())
        missing = set(served)
        with torch.no_grad():
            for name, tensor in named_tensors:
                if name not in served:
                    raise WeightSyncError(f"the sampler's model has no tensor {name!r}")
                if served[name].shape != tensor.shape:  # copy_ would stretch it
                    raise WeightSyncError(
                        f"{name}: {tuple(tensor.shape)} was sent, {tuple(served[name].shape)} is served"
                    )
                if served[name] is not tensor:  # the trainer's own model is served: nothing to copy
                    served[name].copy_(tensor)
                missing.discard(name)
        if missing:
            raise WeightSyncError(f"no new weights were sent for {sorted(missing)}")
        self._version = version

    def weights_digest(self) -> str:
        return tensors_digest(self.model.named_parameters())

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, finished: Finished | None = None
    ) -> list[Completion]:
        """See :class:`r1flow.components.sampling.base.Sampler`."""
        check_positions(requests, sampling, self.positions)
        self.model.eval()
        # Longest prompts together: left padding is paid for in every decode step.
        order = sorted(range(len(requests)), key=lambda i: (len(requests[i].prompt_ids), requests[i].prompt_ids, i))
        completions: list[Completion | None] = [None] * len(requests)
        for start in range(0, len(order), self.max_rows):
            part = order[start : start + self.max_rows]
            done = self._generate([requests[i] for i in part], sampling, _renumbered(finished, part))
            for index, completion in zip(part, done, strict=True):
                completions[index] = completion
        return [c for c in completions if c is not None]

    def _generate(
        self, requests: list[Request], sampling: Sampling, finished: Finished | None = None
    ) -> list[Completion]:
        shared = open_attention(self.model) and caches_what_it_reads(self.model)
        # CopiedPast has no buckets: an architecture that is not proven decodes as it always did.
        graphs = self.graphs if shared and self.graphs is not None and not self.graphs.failed else None
        laid_out = transposed(self.model, rows=len(requests), steps=sampling.max_tokens)
        with laid_out if graphs is None else graphs.opened():
            return self._decode(requests, sampling, finished, shared, graphs)

    def _decode(
        self,
        requests: list[Request],
        sampling: Sampling,
        finished: Finished | None,
        shared: bool,
        graphs: Graphs | None,
    ) -> list[Completion]:
        device = self.model.device
        prompts = sorted({r.prompt_ids for r in requests}, key=lambda ids: (len(ids), ids))
        row_of = {ids: row for row, ids in enumerate(prompts)}
        width = max(map(len, prompts))
        cache = self._cache(width, shared)
        hidden = self._prefill(prompts, width, cache, shared)
        rows = torch.tensor([row_of[r.prompt_ids] for r in requests], device=device)
        pads = torch.tensor([width - len(ids) for ids in prompts], device=device)
        head = head_of(self.model)
        batch = Batch(requests, sampling, end_ids=self.end_ids, pad_id=self.pad_id, device=device)
        batch.draw(0, head.logits(hidden[rows]))

        def step(position: int | Tensor) -> None:
            ids = batch.tokens[batch.alive, position]
            hidden = self._forward(ids[:, None], (batch.lengths + position)[:, None], past.own, **past.step())
            batch.draw(position + 1, head.logits(hidden))

        past: SharedPast | CopiedPast
        replayed: Replayed | None = None
        if graphs is not None:
            past = bucket = BucketPast(cache, pads, rows, sampling.max_tokens)
            replayed = Replayed(graphs, step, bucket)
        elif shared:
            past = SharedPast(cache, pads, rows, sampling.max_tokens)
        else:
            past = CopiedPast(cache, pads[rows], rows, width, sampling.max_tokens)
        for position in range(sampling.max_tokens):
            last = position + 1 == sampling.max_tokens
            if last or (position + 1) % self.look_every == 0:
                num_rows, num_running = len(batch.alive), int(batch.running.sum())
                if finished is not None and num_running < num_rows:
                    batch.tell(finished)
                if num_running == 0 or last:
                    break
                if _compacts(num_rows, num_running, captured=replayed is not None):
                    kept = batch.running.nonzero().squeeze(-1)
                    past.select_rows(kept)
                    batch.select_rows(kept)
                    if replayed is not None:
                        replayed.renew()
            (replayed or step)(position)
        return batch.completions()

    def _cache(self, width: int, shared: bool) -> Any:
        """For the prompts: our own, or of the kind that the architecture defines."""
        config = self.model.config
        return ReservedCache(config.num_hidden_layers, width) if shared else DynamicCache(config=config)

    def _prefill(self, prompts: list[tuple[int, ...]], width: int, cache: Cache, shared: bool) -> Tensor:
        """Hidden states behind the prompts, left-padded. Where one mask is not every layer's the model makes its own from the
        padding, for only its own forward pass knows which layer sees what."""
        device = self.model.device
        ids = torch.tensor([[self.pad_id] * (width - len(p)) + list(p) for p in prompts], device=device)
        pads = torch.tensor([width - len(p) for p in prompts], device=device)
        column = torch.arange(width, device=device)
        causal = column[None, :] <= column[:, None]
        real = column[None, :] >= pads[:, None]
        positions = (column[None] - pads[:, None]).clamp(min=0)
        if not shared or not ready_mask(self.model):
            return self._forward(ids, positions, cache, mask=real)
        # A padding column sees itself, so that no softmax is empty.
        mask = (causal[None] & real[:, None, :]) | torch.eye(width, dtype=torch.bool, device=device)[None]
        return self._forward(ids, positions, cache, mask=mask[:, None])

    def _forward(
        self,
        ids: Tensor,
        positions: Tensor,
        cache: Cache,
        *,
        mask: Tensor | None = None,
        attend: Attend | None = None,
    ) -> Tensor:
        """``mask``: (rows, 1, T, S) as it is, for all layers; (rows, S) as what is no padding; with ``attend`` none is read."""
        out = self.model.base_model(
            input_ids=ids,
            attention_mask=unread_mask(ids.device) if mask is None else mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **({} if attend is None else {"attend": attend}),
        )
        return out.last_hidden_state[:, -1]


def _renumbered(finished: Finished | None, part: Sequence[int]) -> Finished | None:
    """Requests are computed in parts and sorted; ``finished`` counts as its caller does."""
    return None if finished is None else lambda row, ids: finished(part[row], ids)


def _compacts(num_rows: int, num_running: int, *, captured: bool) -> bool:
    """Whether rows that have ended should leave the batch now."""
    if captured:
        return num_rows - num_running >= max(FEWER_ROWS, FEWER_AT * num_rows)
    return num_running <= (1 - COMPACT_AT) * num_rows
