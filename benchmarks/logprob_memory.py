"""Log-probabilities, entropy and their backward pass: chunked against the plain log-softmax, memory and time.

    python benchmarks/logprob_memory.py [--sequences 4] [--tokens 1024] [--repeat 3]

Each measurement is a process of its own, the two kinds in turn. Peak memory is that of the resident set above what hidden
states and head occupy before the first operation. Plain is what trainers write: logits of all positions, ``log_softmax``,
``gather``, and the entropy from the same table.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import Tensor

from r1flow.components.core.logits import Head, token_logprobs

KINDS = ("plain", "chunked")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, default=151_936)
    parser.add_argument("--hidden", type=int, default=896)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--kind", choices=KINDS, help="measure this one here, print JSON")
    options = parser.parse_args()
    if options.kind:
        print(json.dumps(measure(options)))
        return
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(options.repeat):
        for kind in KINDS:
            command = [sys.executable, __file__, *sys.argv[1:], "--kind", kind]
            output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800).stdout
            found[kind].append(json.loads(output))
    for kind in KINDS:
        seconds = [run["seconds"] for run in found[kind]]
        print(f"{kind:<8} {peak(found[kind]) / 2**20:8.0f} MiB   {min(seconds):6.2f} to {max(seconds):6.2f} s")
    print(f"memory: 1 / {peak(found['plain']) / peak(found['chunked']):.2f} of plain (bound 1 / 6)")
    pairs = zip(found["plain"], found["chunked"], strict=True)
    ratios = [chunked["seconds"] / plain["seconds"] for plain, chunked in pairs]
    print(f"time: {statistics.median(ratios):.2f} of plain, {min(ratios):.2f} to {max(ratios):.2f} (bound 1.3)")


def peak(runs: list[dict[str, float]]) -> float:
    return statistics.median(run["bytes"] for run in runs)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Peak bytes above the resident weights and seconds of one forward and backward pass."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows = options.sequences * options.tokens
    hidden = torch.randn(rows, options.hidden).requires_grad_()
    head = torch.randn(options.vocabulary, options.hidden).mul_(0.02).requires_grad_()
    targets = torch.randint(options.vocabulary, (rows,))
    compute = plain if options.kind == "plain" else chunked
    run(compute, hidden[:8].detach().requires_grad_(), head, targets[:8])  # loads kernels; frees its gradient
    head.grad = None
    before = resident()
    started = time.perf_counter()
    run(compute, hidden, head, targets)
    seconds = time.perf_counter() - started
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before, "seconds": seconds}


def run(compute, hidden: Tensor, head: Tensor, targets: Tensor) -> None:  # type: ignore[no-untyped-def]
    """Gradients of a loss that uses both results."""
    logp, entropy = compute(hidden, head, targets)
    (logp.sum() + 0.01 * entropy.sum()).backward()


def chunked(hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    return token_logprobs(hidden, Head(head), targets)


def plain(hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    table = (hidden @ head.T).log_softmax(-1)
    return table.gather(-1, targets[:, None]).squeeze(-1), -(table.exp() * table).sum(-1)


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
