"""What a step costs: seconds and memory by phase, tokens a second, utilisation (MFU).

These metrics are the machine's, not the run's: two runs of one recipe differ in them, so nothing hashed may hold them.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from transformers import PreTrainedModel

from r1flow.components.core.rollout import Group
from r1flow.components.training.engines import machine, ranks
from r1flow.components.training.rl.flops import Cost, group_flops, step_flops

MACHINE = ("time/", "memory/", "work/")
"""Prefixes of the metrics that depend on the machine and its load, and of the work that was counted to hold them against."""


def reproducible(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that two runs of one recipe share."""
    return {name: value for name, value in metrics.items() if not name.startswith(MACHINE)}


class Meter:
    """Measures one step after the other of ``model``'s training."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._device, self._dtype = model.device, model.dtype
        self._cost = cost_of(model)
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self._started = time.monotonic()
        self._seconds: dict[str, float] = defaultdict(float)
        self._peaks: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What runs inside belongs to the phase ``name``; phases do not nest."""
        machine.forget_peak(self._device)
        started = time.monotonic()
        yield
        machine.settle(self._device)
        self._seconds[name] += time.monotonic() - started
        self._peaks[name] = max(self._peaks[name], machine.peak_memory(self._device))

    def metrics(self, groups: Sequence[Group], *, frozen_passes: int, idle_moves: bool) -> dict[str, float]:
        """``time/...``, ``memory/...`` and ``work/...`` of the step that has ended.

        ``idle_moves``: completions with advantage 0 have a gradient too. ``time/mfu`` is left out where the peak rate of the
        device is not known. Memory by phase is a GPU's; a CPU has its process's alone.
        """
        seconds = time.monotonic() - self._started
        tokens = sum(len(r.ids) for g in groups for r in g.rollouts)
        flops = self._flops(groups, frozen_passes, idle_moves)
        peak = machine.peak_flops(self._device, self._dtype)
        # A copy: rollouts that are sampled ahead add their phases from another thread.
        metrics = {f"time/{name}_s": spent for name, spent in self._seconds.copy().items()}
        metrics |= {"time/step_s": seconds, "time/tokens_per_s": tokens / seconds}
        metrics |= {"work/tflop": flops / 1e12, "work/prompt_tokens": _prompt_tokens(groups)}
        metrics["memory/peak_gib"] = max(self._peaks.copy().values(), default=0.0)
        if self._device.type == "cuda":
            metrics |= {f"memory/{name}_gib": most for name, most in self._peaks.copy().items()}
        return metrics | ({"time/mfu": flops / (seconds * peak * ranks.world_size())} if peak else {})

    def _flops(self, groups: Sequence[Group], frozen_passes: int, idle_moves: bool) -> float:
        sampled = trained = 0.0
        for group in groups:
            prompt = len(group.rollouts[0].prompt_ids)
            moving = zip(group.rollouts, group.advantages, strict=True)
            sampled += group_flops(self._cost, prompt, [len(r.ids) for r in group.rollouts])
            trained += group_flops(self._cost, prompt, [len(r.ids) for r, a in moving if a or idle_moves])
        return step_flops(sampled, trained, frozen_passes)


def _prompt_tokens(groups: Sequence[Group]) -> float:
    return sum(len(g.rollouts[0].prompt_ids) for g in groups) / max(1, len(groups))


def cost_of(model: PreTrainedModel) -> Cost:
    """A model's numbers from its parameters; embeddings are looked up and count nothing.

    Under ZeRO 3 parameters are empty; DeepSpeed remembers their shapes as ``ds_shape``.
    """
    config = model.config
    shapes = {id(p): getattr(p, "ds_shape", p.shape) for p in model.parameters()}
    size = {key: math.prod(shape) for key, shape in shapes.items() if len(shape) > 1}
    tables = {id(model.get_input_embeddings().weight), id(head := model.get_output_embeddings().weight)}
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Cost(
        body=sum(num for key, num in size.items() if key not in tables),
        head=size[id(head)],
        attention=config.num_hidden_layers * config.num_attention_heads * head_size,
    )
