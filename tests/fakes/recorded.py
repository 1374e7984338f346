"""A CUDA graph on a CPU: the operations of a step are recorded, and repeated on the very tensors that they met.

Like a graph it knows no Python: a number is what it was at the capture, a name that was bound anew points where it pointed.
"""

from contextlib import nullcontext
from itertools import chain, repeat

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from r1flow.components.sampling.graph import Graphs

ASKING = {
    *(torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default),
    *(torch.ops.aten.nonzero.default, torch.ops.aten._unique2.default),
}
"""What waits for the device; a capture ends there."""


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in ASKING:
            raise RuntimeError("operation not permitted when stream is capturing")
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, _tensors(out)))
        return out

    def replay(self):
        for func, args, kwargs, outs in self.calls:
            for old, new in zip(outs, _tensors(func(*args, **kwargs)), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():  # neither in place nor a view
                    old.copy_(new)


class RecordedGraphs(Graphs):
    """``captures`` counts them, ``replays`` the steps that came out of one."""

    def __init__(self):
        super().__init__(torch.device("cpu"))
        self.captures = self.replays = 0

    def opened(self):
        return nullcontext()

    def capture(self, step):
        """A recording computes, which a capture does not: the first repetition is that one."""
        self.captures += 1
        with Recorder() as recorder:
            step()
        repeats = chain([lambda: None], repeat(recorder.replay))

        def replay():
            self.replays += 1
            next(repeats)()

        return replay


def _tensors(tree):
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]
