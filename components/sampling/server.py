"""The sampler's own process: ``python -m r1flow.components.sampling.server FD WORK`` with ``WORK/spec.json``.

Orders and answers are JSON lines on the inherited socket FD; weights, requests and completions are files in WORK
(:mod:`r1flow.components.sampling.exchange`). Its standard input is the lifeline: end of file there ends the process at once,
in the middle of a batch too.
"""

import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel

from r1flow.components.core import errors
from r1flow.components.core.allocator import keep_memory
from r1flow.components.processes.lifeline import Channel
from r1flow.components.processes.outcome import read_json
from r1flow.components.sampling.base import Finished, Sampler, Sampling
from r1flow.components.sampling.exchange import read_requests, read_weights, write_completions

IDLE_S = 3600.0  # how long one wait for an order lasts before the next begins


class SamplerSpec(BaseModel, frozen=True):
    """Which sampler to open: ``model`` is a directory, ``version`` the policy version that its weights are."""

    kind: Literal["transformers", "vllm"]
    model: Path
    eos_id: int | tuple[int, ...]
    """The token that ends a completion, or any of several."""
    pad_id: int
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: int = 1


def open_sampler(spec: SamplerSpec) -> Sampler:
    """The sampler in this process. Raises :class:`ConfigError` where vLLM is asked for and not installed."""
    torch.set_num_threads(spec.threads)
    keep_memory()
    if spec.kind == "vllm":
        from r1flow.components.sampling.vllm import VllmSampler

        return VllmSampler(spec.model, eos_id=spec.eos_id, dtype=spec.dtype, device=spec.device)
    from r1flow.components.core.models import load_model
    from r1flow.components.sampling.transformers import TransformersSampler

    model = load_model(spec.model, dtype=spec.dtype, device=spec.device)
    return TransformersSampler(model, eos_id=spec.eos_id, pad_id=spec.pad_id)


def serve(channel: Channel, work: Path) -> None:
    """Open the sampler, then do what is ordered, one order after the other, until the client is gone."""
    try:
        sampler = open_sampler(SamplerSpec(**read_json(work / "spec.json")))
    except Exception as error:  # whatever it is, the client is told, and this process ends
        channel.send(_failure(error))
        return
    channel.send({"version": sampler.version})
    while True:
        try:
            order = channel.receive(IDLE_S)
        except EOFError:
            return
        if order is None:
            continue
        try:
            answer = _obey(sampler, order, channel, work)
        except Exception as error:  # the client raises it; the sampler has said itself whether it can go on
            answer = _failure(error)
        channel.send(answer)


def _obey(sampler: Sampler, order: dict[str, Any], channel: Channel, work: Path) -> dict[str, Any]:
    from r1flow.components.sampling.proof import served_digests

    match order["do"]:
        case "load":
            sampler.load_weights(read_weights(work / order["weights"]), order["version"])
            return {"version": sampler.version}
        case "digest":
            return {"digest": sampler.weights_digest()}
        case "tensors":
            return {"tensors": served_digests(sampler)}
        case "generate":
            finished: Finished | None = None
            if order["tell"]:
                finished = lambda index, ids: channel.send({"finished": index, "ids": ids})  # noqa: E731
            completions = sampler.generate(
                read_requests(work / order["requests"]), Sampling(**order["sampling"]), finished=finished
            )
            write_completions(work / order["completions"], completions)
            return {"done": len(completions)}
    raise ValueError(f"no such order: {order['do']}")


def _failure(error: Exception) -> dict[str, Any]:
    """An error as an answer; its traceback goes to the log."""
    traceback.print_exception(error)
    known = [cls.__name__ for cls in type(error).__mro__ if cls.__module__ == errors.__name__]
    return {"error": known[0] if known else "", "message": f"{error}" if known else f"{type(error).__name__}: {error}"}


def _end_with_the_client() -> None:
    """Wait for the end of standard input, which only the client's end can bring about."""
    while os.read(0, 4096):
        pass
    os._exit(1)  # at once: the batch that is being sampled has no reader any more


def main() -> None:
    threading.Thread(target=_end_with_the_client, daemon=True).start()
    serve(Channel(socket.socket(fileno=int(sys.argv[1]))), Path(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing to put away, and a library's thread must not hold the end up


if __name__ == "__main__":
    main()
