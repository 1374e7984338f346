"""The samplers side by side by model size, and where the rule behind `auto` should have its threshold.

    python benchmarks/sampler.py [--sizes 0.2 3 30] [--prompts 32] [--samples 8] [--repeat 3] [--threads 1]

Random weights in float32, one process per sampler, both alive and asked in turn; tokens per second as a trainer sees
them, files between the processes included. The first batch is shown apart: vLLM warms up in it. Needs `make cpu`.
"""

import argparse
import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.sampling.auto import VLLM_FROM
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.proof import model_logprobs, prove_weights
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec

KINDS = ("transformers", "vllm")
EOS, PAD = 1, 0
SHAPES = {  # millions of parameters: vocabulary, hidden size, intermediate size, layers, heads of size 32
    0.2: (128, 64, 256, 3, 2),
    1.0: (512, 128, 512, 4, 4),
    3.0: (512, 256, 768, 4, 8),
    10.0: (4096, 384, 1152, 4, 12),
    30.0: (8192, 512, 1536, 7, 16),
}


@dataclass(frozen=True)
class Figures:
    """One sampler on one model: seconds to start, tokens per second of the first batch and of every later one."""

    start_s: float
    first: float
    steady: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.steady)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", choices=SHAPES, default=[0.2, 3.0, 30.0], help="millions")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--prompt-tokens", type=int, default=48)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sampling = Sampling(options.tokens)
    print(
        f"{options.prompts} prompts of {options.prompt_tokens} tokens x {options.samples} samples of {options.tokens}"
    )
    print("parameters  sampler       start    first batch   steady tokens/s (least to most)   load")
    ratios: list[tuple[int, float]] = []
    for size in options.sizes:
        count, figures = compare(size, options, sampling)
        for kind, f in figures.items():
            spread = f"{f.median:8.0f} ({min(f.steady):.0f} to {max(f.steady):.0f})"
            load = os.getloadavg()[0]
            print(
                f"{count:10,}  {kind:<12}{f.start_s:6.1f} s   {f.first:8.0f}   {spread:>30}   {load:4.1f}", flush=True
            )
        ratios.append((count, figures["vllm"].median / figures["transformers"].median))
        print(f"{'':10}  vLLM over transformers: {ratios[-1][1]:.2f}", flush=True)
    print(f"{threshold(ratios)}; the rule has {VLLM_FROM:,}")


def compare(size: float, options: argparse.Namespace, sampling: Sampling) -> tuple[int, dict[str, Figures]]:
    """The number of parameters, and the figures of both samplers, which take turns."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        root = Path(scratch)
        model = random_model(size, options.prompt_tokens + options.tokens)
        model.save_pretrained(root / "model")
        build_tokenizer("").save_pretrained(root / "model")
        samplers, start_s = {}, {}
        for kind in KINDS:
            spec = SamplerSpec(kind=kind, model=root / "model", eos_id=EOS, pad_id=PAD, threads=options.threads)
            began = time.perf_counter()
            samplers[kind] = stack.enter_context(RemoteSampler(spec, root / kind))
            start_s[kind] = time.perf_counter() - began
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for batch in range(1 + options.repeat):
            requests = make_requests(options, batch, model.config.vocab_size)
            for kind in KINDS if batch % 2 == 0 else KINDS[::-1]:
                rates[kind].append(tokens_per_second(samplers[kind], requests, sampling))
        for sampler in samplers.values():  # a fast sampler of the wrong model would be no figure
            prove_weights(
                sampler, model.named_parameters(), 0, logprobs=model_logprobs(model), prompt_ids=requests[0].prompt_ids
            )
        figures = {kind: Figures(start_s[kind], rates[kind][0], rates[kind][1:]) for kind in KINDS}
        return sum(p.numel() for p in model.parameters()), figures


def random_model(size: float, positions: int) -> Qwen3ForCausalLM:
    """A seeded Qwen3 of about ``size`` million parameters."""
    vocabulary, hidden, intermediate, layers, heads = SHAPES[size]
    torch.manual_seed(0)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=32,
            max_position_embeddings=max(128, positions),
            tie_word_embeddings=True,
            eos_token_id=EOS,
            pad_token_id=PAD,
            dtype="float32",
        )
    ).eval()


def make_requests(options: argparse.Namespace, batch: int, vocabulary: int) -> list[Request]:
    """Prompts that no earlier batch had, so that no cache helps across batches."""
    generator = torch.Generator().manual_seed(batch)
    shape = (options.prompts, options.prompt_tokens)
    prompts = torch.randint(2, vocabulary, shape, generator=generator).tolist()
    return [
        Request(tuple(prompt), seed=1000 * index + sample)
        for index, prompt in enumerate(prompts)
        for sample in range(options.samples)
    ]


def tokens_per_second(sampler: RemoteSampler, requests: list[Request], sampling: Sampling) -> float:
    began = time.perf_counter()
    completions = sampler.generate(requests, sampling)
    return sum(len(c.ids) for c in completions) / (time.perf_counter() - began)


def threshold(ratios: Sequence[tuple[int, float]]) -> str:
    """Where vLLM's speed over transformers' passes 1, between two sizes on the logarithmic scale of both."""
    for (small, slow), (large, fast) in itertools.pairwise(ratios):
        if slow < 1 <= fast:
            share = -math.log(slow) / (math.log(fast) - math.log(slow))
            return f"vLLM is faster from about {math.exp(math.log(small) + share * math.log(large / small)):,.0f} parameters"
    if all(ratio >= 1 for _, ratio in ratios):
        return f"vLLM is faster at every size measured, from {ratios[0][0]:,} parameters"
    return f"transformers is faster at {ratios[-1][0]:,} parameters, the largest measured: no threshold seen"


if __name__ == "__main__":
    main()
