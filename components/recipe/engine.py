"""What steps the optimizer, on how many ranks."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from r1flow.components.recipe.section import Count, Positive, Section


class EngineConfig(Section):
    """What steps the optimizer in RL. In the fingerprint of RL stages: ranks and ZeRO change the order of additions."""

    kind: Literal["single", "deepspeed"] = "single"
    """`single`: plain torch in one process. `deepspeed`: ZeRO over any number of ranks (extra `cpu` or `gpu`)."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    """What is partitioned over ranks: 0 nothing, 1 the optimizer, 2 gradients too, 3 weights too."""
    ranks: Count = 1
    """Processes per machine: the number of its GPUs."""
    nodes: Count = 1
    rendezvous: str | None = None
    """`host:port` where torchrun's processes of several machines meet; the stage is started on each of them."""
    hostfile: Path | None = None
    """DeepSpeed's list of machines, reached by ssh from here."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of forward and backward; bfloat16 keeps fp32 master weights."""
    offload: Literal["none", "optimizer", "all"] = "none"
    """What lies in CPU memory: the optimizer, or (stage 3) the weights too."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: a third more time, far less memory."""
    timeout_s: Positive = 600.0
    """How long a rank waits for the others in a collective; longer than the longest generation may differ."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Further `zero_optimization` settings by DeepSpeed's names, such as {reduce_bucket_size = 50000000}."""

    @model_validator(mode="after")
    def _goes_together(self) -> "EngineConfig":
        if self.kind == "single":
            fields = ((n, f) for n, f in type(self).model_fields.items() if n not in ("dtype", "offload"))
            if extra := [n for n, f in fields if getattr(self, n) != f.get_default(call_default_factory=True)]:
                raise ValueError(f"{', '.join(extra)} belong to kind = 'deepspeed'")
            if self.offload == "all" or (self.offload == "optimizer" and self.dtype == "float32"):
                raise ValueError(
                    "with kind = 'single' offload = 'optimizer' moves the fp32 masters of dtype = 'bfloat16'; all else that "
                    "could be moved needs kind = 'deepspeed'"
                )
            return self
        if self.dtype == "bfloat16" and self.zero_stage == 0:
            raise ValueError(
                "zero_stage 0 sums bfloat16 gradients in bfloat16; stage 1 keeps fp32 sums and is no slower"
            )
        if self.offload != "none" and self.zero_stage == 0:
            raise ValueError("offload needs zero_stage 1, 2 or 3: stage 0 partitions nothing that could be moved")
        if self.offload == "all" and self.zero_stage != 3:
            raise ValueError("offload = 'all' moves weights, which needs zero_stage = 3; use offload = 'optimizer'")
        if self.rendezvous and self.hostfile:
            raise ValueError("rendezvous (torchrun) and hostfile (deepspeed) exclude each other; give one")
        if self.nodes > 1 and not (self.rendezvous or self.hostfile):
            raise ValueError("more than one machine needs rendezvous or hostfile")
        return self
