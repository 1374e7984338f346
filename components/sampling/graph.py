"""A decode step as a CUDA graph: a token costs one launch from Python instead of fifty a layer.

At 64 rows of a 0.5B model an H100 spent 35 ms a token, most of it waiting for Python, and so spends 4.8. Shapes change where rows
leave and where a bucket is full. Then the next step runs as it is, which is the warm-up that torch asks for before a capture
and at the same time a token; the step after it is captured, and replayed from then on.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from r1flow.components.sampling.bucket import BucketPast

FEWER_AT, FEWER_ROWS = 0.5, 16
"""Share and number of ended rows at which the batch is compacted.

On an H100 a capture costs 0.03 s and the step before it, which runs as it is, as much. A replayed step of a 0.5B model takes
6.3 ms at 256 rows, 4.8 at 64, 4.1 at 32, 3.9 at 16 and 3.1 at 8. Half of 64 rows pay for a capture within 90 tokens, a quarter
hardly ever does: weights and kernels' latencies stay, and are all there is to a few rows.
"""

logger = logging.getLogger(__name__)
_TURN = threading.Lock()  # torch has room for one capture in a process, and both users' kernels would be on one stream


class Graphs:
    """Captures steps on a CUDA device. Between calls of the sampler no graph lives and no memory is held."""

    def __init__(self, device: torch.device) -> None:
        self.failed = False
        """A capture has failed: the model's forward pass is none that a graph can hold."""
        self._device = device
        self._graph: torch.cuda.CUDAGraph | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Everything inside runs on a side stream: what comes before a capture has to, and memory belongs to its stream."""
        stream, caller = _side_stream(self._device), torch.cuda.current_stream(self._device)
        with _TURN:
            stream.wait_stream(caller)  # new weights may still be on their way
            self._pool = torch.cuda.graph_pool_handle()
            try:
                with torch.cuda.stream(stream):
                    yield
            finally:
                stream.synchronize()
                if self._graph is not None:
                    self._graph.reset()
                self._graph = None
                torch.cuda.empty_cache()  # neither a graph's memory nor a side stream's is of use to the trainer

    def capture(self, step: Callable[[], None]) -> Callable[[], None]:
        """What repeats ``step``; nothing is computed yet. A RuntimeError where the step asks the device or memory is short."""
        graph = torch.cuda.CUDAGraph()
        # Other threads may allocate meanwhile. In inference mode, as vLLM does too: a capture sees kernels, not autograd.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=_side_stream(self._device), capture_error_mode="thread_local"
        ):
            step()
        self._graph = graph  # the one before goes only now: a pool that has lost its last graph takes no further one
        return graph.replay


class Replayed:
    """Decode steps on ``past``: eager, captured, then replayed, until :meth:`renew` says that shapes have changed.

    ``step`` computes the column that it is given as a tensor (1,).
    """

    def __init__(self, graphs: Graphs, step: Callable[[Tensor], None], past: BucketPast) -> None:
        self._graphs = graphs
        self._step = step
        self._past = past
        self.renew()

    def renew(self) -> None:
        """The next step finds other tensors than the one before."""
        self._warm = False
        self._replay: Callable[[], None] | None = None

    def __call__(self, position: int) -> None:
        """The step that writes column ``position``; they come in order, from 0."""
        if position == self._past.capacity:
            self._past.grow()
            self.renew()
        if self._warm and self._replay is None and not self._graphs.failed:
            self._capture()
        (self._replay or self._next)()
        self._warm = True

    def _next(self) -> None:
        self._step(self._past.column)
        self._past.column.add_(1)

    def _capture(self) -> None:
        try:
            self._replay = self._graphs.capture(self._next)
        except RuntimeError:
            logger.warning("the decode step cannot be captured as a CUDA graph: sampling stays slow", exc_info=True)
            self._graphs.failed = True


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for the process: cuBLAS keeps tens of megabytes for every stream that it has seen."""
    return torch.cuda.Stream(device)
