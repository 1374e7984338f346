"""Memory of one rank in RL, part by part, in bytes. Pure: every formula counts what this code keeps, and the docstring says so.

N parameters, W ranks, b bytes per number of the forward pass (4 float32, 2 bfloat16), T tokens of a micro-batch, h hidden size,
I intermediate size, A and K the widths of queries and keys, L layers, V vocabulary. The classic count of 16 bytes per parameter
is ZeRO's (arXiv 1910.02054, section 3.1).
"""

import math
from dataclasses import dataclass, replace

from r1flow.components.costs.decoder import Decoder

WHOLE, CHUNK = 64 << 20, 256 << 20
"""Bytes of logits up to which log-probabilities are computed in one piece, and of a piece beyond
(components/core/logits.py)."""
PACK_BELOW = 0.9
"""Share of padded tokens below which a group's prompt is computed once (components/training/rl/forward.py)."""
HEAP_STEP = 64 << 20
"""Bytes that the heap of a process takes at a time."""
SAMPLED_ROWS = 512
"""Completions that the transformers sampler draws side by side (components/sampling/transformers.py)."""


@dataclass(frozen=True)
class Layout:
    """How training is laid out: ``zero`` 0 to 3 over ``ranks``, or None for plain torch in one process; ``bytes`` is b;
    ``copy``: the sampler has weights of its own on the device."""

    bytes: int = 4
    ranks: int = 1
    zero: int | None = None
    offload: str = "none"
    checkpointing: bool = False
    copy: bool = False


@dataclass(frozen=True)
class Batch:
    """One rank's part of an optimizer step: ``rows`` completions of ``completion`` tokens behind ``prompt`` tokens, ``samples``
    of each prompt, at most ``micro_tokens`` padded tokens at a time; ``sampled`` completions are drawn per rollout batch."""

    prompt: int
    completion: int
    samples: int
    rows: int
    sampled: int
    micro_tokens: int


@dataclass(frozen=True)
class States:
    """A trained model's ``weights``, ``gradients`` and ``optimizer`` (two moments, and float32 masters where there are some)."""

    weights: float
    gradients: float
    optimizer: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer


def states(parameters: int, layout: Layout) -> States:
    """Bytes of a trained model on one rank.

    =====================  =========  ==============  ================
    engine                 weights    gradients       optimizer
    =====================  =========  ==============  ================
    one process, float32   4 N        4 N             8 N
    one process, bfloat16  2 N        4 N             12 N
    ZeRO                   b N        4 N             12 N
    partitioned (over W)   stage 3    stage 2, 3      stage 1, 2, 3
    =====================  =========  ==============  ================

    DeepSpeed keeps float32 masters from stage 1 on, whatever b is. Stage 0 has none in float32: 8 N. What is offloaded counts 0.

    >>> states(10, Layout()).total, states(10, Layout(bytes=2)).total, states(10, Layout(bytes=2, ranks=5, zero=3)).total
    (160.0, 180.0, 36.0)
    """
    masters = layout.bytes < 4 or bool(layout.zero)
    stage = layout.zero or 0
    part = [1.0 / (layout.ranks if stage >= least else 1) for least in (3, 2, 1)]
    moved = layout.offload != "none"
    return States(
        weights=0.0 if layout.offload == "all" else layout.bytes * parameters * part[0],
        gradients=0.0 if moved else 4.0 * parameters * part[1],
        optimizer=0.0 if moved else (12.0 if masters else 8.0) * parameters * part[2],
    )


def micro_batch(batch: Batch) -> tuple[int, int, float, int]:
    """(completions, tokens through the body, keys per token, passes) of one micro-batch.

    ``r = max(1, micro_tokens // (P + C))`` rows, evened out over ``ceil(rows / r)`` passes. Where that leaves at most 0.9 of the
    padded tokens prompts are packed once: T = P ceil(r / G) + r (C - 1), each key row r (P + C - 1) / T times; else T = r (P +
    C).
    """
    whole = batch.prompt + batch.completion
    most = max(1, min(batch.rows, batch.micro_tokens // whole))
    passes = math.ceil(batch.rows / most)
    rows = math.ceil(batch.rows / passes)
    packed = batch.prompt * math.ceil(rows / batch.samples) + rows * (batch.completion - 1)
    if packed <= PACK_BELOW * rows * whole:
        return rows, packed, rows * (whole - 1) / packed, passes
    return rows, rows * whole, 0.0, passes


def activations(model: Decoder, layout: Layout, tokens: int, keys: float) -> float:
    """What a forward pass over ``tokens`` keeps for the backward pass, and the gradients of the layer that is at hand.

    Per token and layer, in numbers of b bytes: ``6 h`` (two norms: input, normalised, output; the outputs are the inputs of the
    projections), ``4 I`` (gate, its activation, up, their product), ``2 A + 2 K`` (queries, attention's output; keys, values),
    and with norms over heads ``2 A + 2 K`` more. Norms keep their input in float32: ``(4 - b) (2 h [+ A + K])`` bytes more. A
    packed batch gathers rows for attention: ``A + 2 K (keys - 1)``, with ``keys`` rows of keys per token (0: padded). Besides,
    once: ``2 h`` for the last norm, and ``3 I + 2 h`` for one layer's gradients. With checkpointing each layer keeps h, and one
    layer is whole.
    """
    attention = 2 * (model.queries + model.keys) * (2 if model.head_norms else 1)
    if keys:
        attention += round(model.queries + 2 * model.keys * max(0.0, keys - 1))
    layer = layout.bytes * (6 * model.hidden + 4 * model.intermediate + attention)
    layer += (4 - layout.bytes) * (2 * model.hidden + (model.queries + model.keys if model.head_norms else 0))
    once = layout.bytes * (4 * model.hidden + 3 * model.intermediate)
    if layout.checkpointing:
        return tokens * (model.layers * layout.bytes * model.hidden + layer + once)
    return float(tokens * (model.layers * layer + once))


def log_probabilities(model: Decoder, tokens: int) -> float:
    """Logits at ``tokens`` completion positions in float32: four times ``4 V`` each where they are few (logits, softmax, and a
    gradient of either), else two pieces of 256 MiB; and the head's gradient ``4 V h`` before it is added to what there is."""
    logits = 4.0 * model.vocabulary * tokens
    return (4 * logits if logits <= WHOLE else 2.0 * CHUNK) + 4.0 * model.head


def sampling(model: Decoder, layout: Layout, batch: Batch) -> float:
    """The sampler's cache and one decode step: ``b L cached`` per token, prompts once, R completions at their longest; ``4 V``
    three times per row (logits, softmax, sorted sums)."""
    rows = min(batch.sampled, SAMPLED_ROWS)
    prompts = math.ceil(rows / batch.samples)
    tokens = prompts * batch.prompt + rows * batch.completion
    return float(layout.bytes * model.layers * model.cached * tokens + 3 * 4 * model.vocabulary * rows)


@dataclass(frozen=True)
class Parts:
    """A rank's memory in bytes: what lasts, and what comes and goes in the two phases of a step."""

    policy: States
    reference: float
    value: States | None
    copy: float
    activations: float
    log_probabilities: float
    sampling: float
    passes: int

    @property
    def resident(self) -> float:
        """Between two steps: weights, optimizer, reference, value model."""
        value = self.value.weights + self.value.optimizer if self.value else 0.0
        return self.policy.weights + self.policy.optimizer + self.reference + self.copy + value

    @property
    def update(self) -> float:
        """The update's own: with several passes gradients stand beside the activations of the next; in a single one they come as
        those go. The value model's update follows the policy's and finds its gradients gone."""
        moving = self.activations + self.log_probabilities
        gradients = self.policy.gradients
        return moving + gradients if self.passes > 1 else max(moving, gradients)

    @property
    def peak(self) -> float:
        """On a device whose allocator gives one phase what the other has freed."""
        return self.resident + max(self.update, self.sampling)

    @property
    def process(self) -> float:
        """On a CPU: glibc's heap keeps what is freed and cannot put all of it to use again, because what lasts comes to lie
        between. So everything counts by its sum, and the heap grows by 64 MiB at a time (components/core/allocator.py)."""
        moving = self.policy.gradients + self.activations + self.log_probabilities + self.sampling
        return self.resident + moving + HEAP_STEP


def parts(model: Decoder, layout: Layout, batch: Batch, *, reference: bool, value: bool) -> Parts:
    """All parts; ``reference``: a frozen model is kept, whole on every rank; ``value``: PPO."""
    rows, tokens, keys, passes = micro_batch(batch)
    weights = float(layout.bytes * model.parameters)
    return Parts(
        policy=states(model.parameters, layout),
        reference=weights if reference else 0.0,
        value=states(model.value, layout) if value else None,
        copy=weights if layout.copy else 0.0,
        activations=activations(model, layout, tokens, keys),
        log_probabilities=log_probabilities(model, rows * batch.completion),
        sampling=sampling(model, layout, batch),
        passes=passes,
    )


def largest_rows(model: Decoder, layout: Layout, batch: Batch, room: float, *, reference: bool, value: bool) -> int:
    """The most completions per micro-batch whose update takes at most ``room`` bytes; 0 where one does not fit."""
    whole = batch.prompt + batch.completion

    def fits(rows: int) -> bool:
        tried = parts(model, layout, replace(batch, micro_tokens=rows * whole), reference=reference, value=value)
        return tried.resident + tried.update <= room

    if fits(batch.rows):  # in one pass gradients come as activations go, so it may fit where two passes do not
        return batch.rows
    low, high = 0, batch.rows - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def largest_sampled(model: Decoder, layout: Layout, batch: Batch, room: float, resident: float) -> int:
    """The most completions whose cache fits beside ``resident`` bytes, at their longest and each with a prompt of its own."""
    row = sampling(model, layout, replace(batch, samples=1, sampled=1))
    return max(0, int((room - resident) // row))
