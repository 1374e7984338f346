"""A sampler in a process of its own, behind the Sampler contract."""

import contextlib
import logging
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from r1flow.components.core import errors
from r1flow.components.core.errors import StageFailed, WeightSyncError
from r1flow.components.processes import outcome, tree
from r1flow.components.processes.environment import python_environment
from r1flow.components.processes.lifeline import START_S, Channel
from r1flow.components.processes.preload import python_command
from r1flow.components.sampling.base import Completion, Finished, Request, Sampling
from r1flow.components.sampling.exchange import read_completions, write_requests, write_weights
from r1flow.components.sampling.server import SamplerSpec

CALL_S = 3600.0
"""The longest that one call may take."""
END_S = 5.0

logger = logging.getLogger(__name__)


class RemoteSampler:
    """Starts ``r1flow.components.sampling.server`` with its files in ``work``, which is the caller's to remove.

    Keeps torch's threads, vLLM's process group and the sampler's memory out of the trainer, and can sample while the
    trainer steps (call ``generate`` in a thread; one call at a time). The process ends with this one, or with
    ``close``. A process that dies or runs past ``call_s`` is killed and raises :class:`StageFailed` with the end of its
    log; it is not started anew, because nobody would know which weights it serves.
    """

    def __init__(self, spec: SamplerSpec, work: Path, *, start_s: float = START_S, call_s: float = CALL_S) -> None:
        self._work = work.resolve()
        self._call_s = call_s
        self._calls = 0
        self._work.mkdir(parents=True, exist_ok=True)
        outcome.write_json(self._work / "spec.json", spec.model_dump(mode="json"))
        self._log = self._work / "log.txt"
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        self._channel: Channel | None = channel
        with theirs, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                python_command("r1flow.components.sampling.server", str(theirs.fileno()), str(self._work)),
                env=python_environment() | {"OMP_NUM_THREADS": str(spec.threads)},
                stdin=subprocess.PIPE,  # the lifeline: it closes when this process ends, however it ends
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a session to kill, out of reach of the terminal's Ctrl-C
            )
        self._version = int(self._answer(channel, time.monotonic() + start_s)["version"])

    @property
    def version(self) -> int:
        return self._version

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, *, finished: Finished | None = None
    ) -> list[Completion]:
        """See :class:`r1flow.components.sampling.base.Sampler`; what the sampler raises there is raised here."""
        asked, answered = self._new("requests.parquet"), self._new("completions.parquet")
        write_requests(asked, requests)
        order = {"do": "generate", "requests": asked.name, "completions": answered.name, "sampling": asdict(sampling)}
        try:
            self._call({**order, "tell": finished is not None}, finished)
            return read_completions(answered)
        finally:
            asked.unlink()
            answered.unlink(missing_ok=True)

    def load_weights(self, named_tensors: Iterable[tuple[str, Tensor]], version: int) -> None:
        path = self._new("weights.safetensors")
        write_weights(path, named_tensors)
        try:
            served = self._call({"do": "load", "weights": path.name, "version": version})["version"]
        finally:
            path.unlink()
        if served != version:
            raise WeightSyncError(f"version {version} was sent, the sampler's process serves version {served}")
        self._version = served

    def weights_digest(self) -> str:
        return str(self._call({"do": "digest"})["digest"])

    def tensor_digests(self) -> dict[str, str]:
        """The digest of each tensor that is served over there."""
        return dict(self._call({"do": "tensors"})["tensors"])

    @property
    def pid(self) -> int:
        """The sampler's process."""
        return self._process.pid

    def close(self) -> None:
        """End the process: by its lifeline, and if it does not go, with SIGKILL for its whole tree.

        A call that another thread is in raises :class:`StageFailed` there: it meets the end of the process.
        """
        channel, self._channel = self._channel, None
        if channel is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            logger.warning("the sampler's process %d did not end within %g s: killed", self.pid, END_S)
            tree.kill_all([self.pid])
            self._process.wait(END_S)
        channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _new(self, kind: str) -> Path:
        self._calls += 1
        return self._work / f"{self._calls:06d}-{kind}"

    def _call(self, order: dict[str, Any], finished: Finished | None = None) -> dict[str, Any]:
        """Send ``order`` and wait for its answer; completions that end meanwhile are passed on to ``finished``."""
        channel = self._channel
        if channel is None:
            raise StageFailed(f"the sampler's process has ended\n{outcome.log_tail(self._log)}")
        deadline = time.monotonic() + self._call_s
        with contextlib.suppress(BrokenPipeError):  # it is gone: what it said last, or its end of file, comes now
            channel.send(order)
        return self._answer(channel, deadline, finished)

    def _answer(self, channel: Channel, deadline: float, finished: Finished | None = None) -> dict[str, Any]:
        try:
            while True:
                message = channel.receive(max(deadline - time.monotonic(), 0.0))
                if message is None:
                    raise StageFailed(f"the sampler's process did not answer in time\n{outcome.log_tail(self._log)}")
                if "finished" not in message:
                    break
                if finished is not None:
                    finished(message["finished"], tuple(message["ids"]))
        except EOFError as error:
            self.close()
            status = self._process.returncode
            raise StageFailed(
                f"the sampler's process ended with status {status}\n{outcome.log_tail(self._log)}"
            ) from error
        except BaseException:  # a time-out, or finished() has raised: an answer is still to come that nobody awaits
            self.close()
            raise
        if "error" in message:
            raise getattr(errors, message["error"] or "StageFailed")(message["message"])
        return message
