"""GRPO steps of TRL's GRPOTrainer and of r1flow in turn, in one process: time, ratio, floor; and each one's peak memory.

    python benchmarks/grpo_vs_trl.py [tiny long short] [--repeat 5] [--threads 2] [--no-memory]

Same random Qwen3, prompts, group size, lengths, AdamW and reward, fp32, one optimizer step per rollout batch, no reference
model. The end token lies outside the vocabulary, so that every completion has its full length on both sides. TRL runs as it
is fastest on a CPU: generation by transformers with a dynamic cache, the whole batch in one forward pass, no old
log-probabilities, fused AdamW. The first step of either side is not counted. An r1flow step runs inside TRL's
end-of-step callback, so that both see the same weather.

r1flow's processes tell the C library to keep freed memory (components/core/allocator.py). TRL's do not, so during its steps
the allocator is as glibc's own adaptation leaves it at best; ``--keep-memory-for both`` gives TRL what r1flow has.

Beside seconds on the clock stand CPU seconds of the process: with ``--threads 1`` these hardly know of other load.

The floor is the operations that no form of the algorithm can leave out (prompts once per group, completion tokens once in
sampling, three times in training) over the rate of a large matrix product, measured before and after.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl_side import BETAS, Spent, clocks, run_trl, since

from r1flow.components.core.allocator import keep_memory, set_allocator
from r1flow.components.core.schema import Row
from r1flow.components.rewards.score import Scored
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective

RATE, PAD = 1e-5, 0
SIDES = ("trl", "r1flow")


@dataclass(frozen=True)
class Setting:
    """A model's shape and a step's: ``prompts`` x ``samples`` completions of ``completion`` tokens.

    ``micro_tokens``: of one backward pass of r1flow, padding counted; ``parts``: passes of equal size that TRL takes.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    prompts: int
    samples: int
    prompt: int
    completion: int
    head_size: int = 32
    micro_tokens: int = 16384
    parts: int = 1

    def model(self) -> PreTrainedModel:
        torch.manual_seed(0)
        config = Qwen3Config(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=4 * self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            head_dim=self.head_size,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            initializer_range=0.04,
            eos_token_id=self.vocabulary,
            pad_token_id=PAD,
            dtype="float32",
        )
        return Qwen3ForCausalLM(config).eval()

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """A word per token; the end token is one that the model has no logit for."""
        words = {"<pad>": PAD} | {f"t{i}": i for i in range(1, self.vocabulary)} | {"<eos>": self.vocabulary}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left"
        )

    def texts(self) -> list[str]:
        """Prompts for eight steps."""
        rng = random.Random(0)
        return [
            " ".join(f"t{rng.randrange(1, self.vocabulary)}" for _ in range(self.prompt))
            for _ in range(8 * self.prompts)
        ]

    def operations(self, model: PreTrainedModel) -> float:
        """Floating-point operations that a step cannot do without."""
        head = 2 * self.vocabulary * self.hidden
        body = 2 * sum(p.numel() for p in model.parameters()) - head  # the embedding is tied and looked up
        rows = self.prompts * self.samples
        attention = 4 * self.head_size * self.heads * self.layers
        pairs = self.prompts * self.prompt**2 / 2 + rows * self.completion * (self.prompt + self.completion / 2)
        tokens = self.prompts * self.prompt + rows * (self.completion - 1)
        once = tokens * body + rows * self.completion * head + pairs * attention
        return 4 * once  # sampling, forward, and twice that backward


SETTINGS = {
    "tiny": Setting(60, 64, 3, 2, prompts=32, samples=16, prompt=10, completion=24),
    "long": Setting(1024, 192, 5, 6, prompts=8, samples=16, prompt=128, completion=32),
    "short": Setting(1024, 192, 5, 6, prompts=8, samples=16, prompt=8, completion=64),
}


def main(settings: Mapping[str, Setting] = SETTINGS, description: str | None = __doc__) -> None:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=list(settings), metavar="SETTING", help=", ".join(settings))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--keep-memory-for", choices=("r1flow", "both"), default="r1flow")
    parser.add_argument("--memory-of", choices=SIDES, help="two steps of this side alone, print its peak in bytes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.settings:
        setting = settings[name]
        if options.memory_of:
            print(json.dumps(peak_of(setting, options.memory_of)))
            continue
        compare(name, setting, options)


def compare(name: str, setting: Setting, options: argparse.Namespace) -> None:
    """Times in turn, then the table of one setting."""
    before = matrix_rate()
    spent = in_turn(setting, options.repeat, both=options.keep_memory_for == "both")
    rate = max(before, matrix_rate())
    model = setting.model()
    floor = setting.operations(model) / rate
    rows = setting.prompts * setting.samples
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    print(
        f"\n{name}: {millions:.2f} M parameters, {setting.prompts} x {setting.samples} completions of "
        f"{setting.completion} tokens, prompts of {setting.prompt}; {rate / 1e9:.0f} GFLOP/s, floor {floor:.3f} s, "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    for side in SIDES:
        found = [wall for wall, _ in spent[side]]
        middle = statistics.median(found)
        print(
            f"  {side:<7} {middle:7.3f} s per step ({min(found):.3f} to {max(found):.3f}), "
            f"{rows / middle:7.0f} completions/s, {floor / middle:4.0%} of the floor, "
            f"{statistics.median(cpu for _, cpu in spent[side]):.3f} CPU s"
        )
    for kind, clock in enumerate(("ratio", "CPU")):
        ratios = [theirs[kind] / ours[kind] for theirs, ours in zip(*(spent[side] for side in SIDES), strict=True)]
        print(f"  {clock:<7} {statistics.median(ratios):7.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if not options.no_memory:
        peaks = {side: in_child(name, side, options.threads) / 2**20 for side in SIDES}
        print("  peak memory above the start: " + ", ".join(f"{side} {mib:.0f} MiB" for side, mib in peaks.items()))
    sys.stdout.flush()


def in_turn(setting: Setting, repeat: int, *, both: bool) -> dict[str, list[Spent]]:
    """Seconds and CPU seconds of each side's steps, the first left out; ``both`` keep freed memory, or r1flow alone."""
    ours = r1flow(setting)
    spent: dict[str, list[Spent]] = {side: [] for side in SIDES}
    theirs_keep = keep_memory if both else adapted
    theirs_keep()

    def after(step: int, theirs: Spent) -> None:
        keep_memory()
        started = clocks()
        ours.step(step)
        spent["r1flow"].append(since(started))
        spent["trl"].append(theirs)
        theirs_keep()

    trl_steps(setting, repeat + 1, after)
    return {side: found[1:] for side, found in spent.items()}


def adapted() -> bool:
    """glibc's defaults after they have adapted to large blocks: maps above 32 MiB, gives back above twice that."""
    return set_allocator(trim=64 << 20, pad=128 << 10, mmap=32 << 20)


def reward(text: str) -> float:
    """The share of even tokens: cheap, and different within almost every group."""
    words = text.split()
    return sum(int(word[1:]) % 2 == 0 for word in words if word[0] == "t") / max(1, len(words))


class AsScorer:
    """The reward where the trainer expects a ``Scorer``."""

    def ahead(self, text: str, row: Row) -> None: ...

    def __call__(self, texts: list[str], rows: list[Row], **_: Any) -> list[Scored]:
        return [Scored(value := reward(text), {"even": value}, "WRONG", None, True, 0) for text in texts]


def r1flow(setting: Setting) -> GrpoTrainer:
    model, tokenizer = setting.model(), setting.tokenizer()
    rows = [
        Row(id=str(i), prompt=text, answer="0", verifier="exact", skill="main", source="benchmark")
        for i, text in enumerate(setting.texts())
    ]
    return GrpoTrainer(
        SingleEngine(model, lambda step: RATE, betas=BETAS),
        model,
        TransformersSampler(model, eos_id=setting.vocabulary, pad_id=PAD),
        reference=None,
        pools={"main": rows},
        encode=lambda row: tuple(tokenizer(row.prompt).input_ids),
        decode=lambda ids: tokenizer.decode(ids),
        score=AsScorer(),  # type: ignore[arg-type]
        objective=Objective(
            Sampling(max_tokens=setting.completion),
            prompts_per_step=setting.prompts,
            samples_per_prompt=setting.samples,
            mixture={"main": 1.0},
            micro_tokens=setting.micro_tokens,
        ),
        pad_id=PAD,
        seed=0,
    )


def trl_steps(setting: Setting, steps: int, after: Callable[[int, Spent], None]) -> None:
    """``steps`` steps of GRPOTrainer; ``after`` is told each one's number and cost."""
    run_trl(
        setting.model(),
        setting.tokenizer(),
        setting.texts(),
        lambda ids, _: [reward(text) for text in setting.tokenizer().batch_decode(ids, skip_special_tokens=True)],
        prompts=setting.prompts,
        samples=setting.samples,
        max_tokens=setting.completion,
        rate=RATE,
        steps=steps,
        after=after,
        parts=setting.parts,
    )


def peak_of(setting: Setting, side: str) -> int:
    """Bytes at the peak of two steps above those that were resident when the first began to be set up."""
    if side == "trl":
        import datasets  # noqa: F401
        import trl.trainer.grpo_trainer  # noqa: F401
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    if side == "trl":
        trl_steps(setting, 2, lambda step, spent: None)
    else:
        keep_memory()
        trainer = r1flow(setting)
        trainer.step(1), trainer.step(2)
    # getrusage's ru_maxrss would begin with the parent's.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 - before


def in_child(name: str, side: str, threads: int) -> int:
    command = [sys.executable, sys.argv[0], name, "--memory-of", side, "--threads", str(threads)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=3600).stdout
    return int(json.loads(output.splitlines()[-1]))


def matrix_rate() -> float:
    """Floating-point operations per second of a 1,024 x 1,024 product, the best of ten."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return 2 * 1024**3 / best


if __name__ == "__main__":
    main()
