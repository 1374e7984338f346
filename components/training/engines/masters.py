"""float32 master weights behind a bfloat16 model.

bfloat16 keeps 8 bits of a number: an update below 1/256 of a weight is rounded away, and RL's updates are far smaller. So the
optimizer steps float32 copies, and the model gets their rounded values after each step. Gradients of micro-batches are summed in
float32 too, or the sum would depend on how a batch is cut.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter


def masters(parameters: Sequence[Parameter], *, offload: bool = False) -> list[Tensor]:
    """What the optimizer steps for each parameter: itself where it has float32 or more, else a float32 copy.

    A copy's ``grad`` sums up the parameter's as backward passes make them; the parameter keeps none. ``offload`` puts copies
    and their gradients into CPU memory. Bytes per bfloat16 parameter: 2 on the device and 16 beside it (master, gradient,
    two moments of Adam).
    """
    return [p if p.dtype.itemsize >= 4 else _copy(p, offload) for p in parameters]


@torch.no_grad()
def publish(stepped: Sequence[Tensor], parameters: Sequence[Parameter]) -> None:
    """Give the parameters their masters' values, rounded to nearest."""
    for master, parameter in zip(stepped, parameters, strict=True):
        if master is not parameter:
            parameter.copy_(master.to(parameter.dtype))  # rounded first: half the bytes to the device


def _copy(parameter: Parameter, offload: bool) -> Tensor:
    master = parameter.detach().to("cpu" if offload else parameter.device, torch.float32, copy=True)

    def gather(of: Tensor) -> None:
        assert of.grad is not None
        gradient = of.grad.to(master.device).float()
        master.grad = gradient if master.grad is None else master.grad.add_(gradient)
        of.grad = None

    parameter.register_post_accumulate_grad_hook(gather)
    return master
