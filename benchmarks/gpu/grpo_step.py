"""A GRPO step on a GPU at the shapes of Qwen, random weights, long completions: time, utilisation and memory, beside TRL's.

    PYTHONPATH=. python benchmarks/gpu/grpo_step.py --shape 0.5b [--completion 2048] [--steps 3] [--peak 989e12] [--no-trl]

torch and transformers are all it needs; TRL is run after r1flow where it can be imported. Prompts x samples completions have
their full length on both sides, since the end token lies outside the vocabulary; the reward differs within every group. The first
step of either side is not counted.

MFU = (F_sampled + 3 F_trained) / (seconds x peak). F is a forward pass as :mod:`r1flow.components.training.rl.flops` counts it:
prompts once per group, head at completion tokens alone, causal attention. Nothing that is computed twice counts twice.
``peak`` is the card's for dense bfloat16 from a table (H100, H200, A100) unless ``--peak`` says otherwise; without either
there is no MFU. Per phase: sampling is F_sampled, the update 3 F_trained.
r1flow keeps float32 masters (18 bytes a parameter while it trains; ``--offload`` leaves 4 on the card, which is how 7b fits one).
TRL gets bfloat16 weights and no masters (8 bytes), its cheapest way, without gradient checkpointing and with micro-batches of the
same tokens. Its generation is transformers'. Phases are r1flow's alone.
"""

import argparse
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, Qwen2Config, Qwen3Config

from r1flow.components.rewards.base import RewardBatch
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import Rules, Scorer
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines import machine
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.flops import group_flops, step_flops
from r1flow.components.training.rl.meter import cost_of
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective

RATE, PAD = 1e-6, 0
PHASES = ("sample", "score", "update", "sync")


def qwen2(hidden: int, inner: int, layers: int, heads: int, kv: int, vocabulary: int, tied: bool) -> PreTrainedConfig:
    return Qwen2Config(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
        max_position_embeddings=32768,
    )


SHAPES = {  # with the padded tokens of a micro-batch that leave room for the activations on 80 GB
    "tiny": (qwen2(64, 128, 2, 4, 2, 512, True), 512),
    "0.5b": (qwen2(896, 4864, 24, 14, 2, 151936, True), 16384),
    "1.5b": (qwen2(1536, 8960, 28, 12, 2, 151936, True), 8192),
    "7b": (qwen2(3584, 18944, 28, 28, 4, 152064, False), 2560),
    "qwen3-0.6b": (
        Qwen3Config(
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=28,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            vocab_size=151936,
            tie_word_embeddings=True,
            max_position_embeddings=32768,
        ),
        16384,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="0.5b")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=256, help="tokens")
    parser.add_argument("--completion", type=int, default=2048, help="tokens")
    parser.add_argument("--micro-tokens", type=int, help="padded tokens of a micro-batch")
    parser.add_argument("--steps", type=int, default=3, help="counted ones")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--peak", type=float, help="FLOP/s of the card")
    parser.add_argument("--offload", action="store_true", help="masters and moments in CPU memory")
    parser.add_argument("--no-trl", action="store_true")
    options = parser.parse_args()
    run = Run(options)
    print(run)
    run.show("r1flow", run.r1flow())
    if options.no_trl:
        return
    try:
        import trl
    except ImportError:
        print("trl: not installed, no comparison")
        return
    run.free()
    run.show(f"trl {trl.__version__}", run_trl(run))


@dataclass(frozen=True)
class Problem:
    """What the trainer and the rewards ask of a row of data."""

    id: str
    ids: tuple[int, ...]
    prompt: str = ""
    answer: str = "0"
    verifier: str = "exact"
    skill: str = "main"
    tests: None = None


@dataclass(frozen=True)
class Step:
    """One step's seconds, the peak of its memory, and what r1flow's meter says besides."""

    seconds: float
    peak_gib: float
    meter: dict[str, float]


class Run:
    """One shape on one device."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.config, micro = SHAPES[options.shape]
        self.micro_tokens = options.micro_tokens or micro
        self.device = torch.device(options.device)
        self.dtype: torch.dtype = getattr(torch, options.dtype)
        self.end = self.config.vocab_size  # no token of the model's
        with torch.device("meta"):
            self.empty = AutoModelForCausalLM.from_config(self.config, dtype=self.dtype)
        group = group_flops(cost_of(self.empty), options.prompt, [options.completion] * options.samples)
        self.flops = group * options.prompts
        self.peak = options.peak or machine.peak_flops(self.device, self.dtype)

    def __str__(self) -> str:
        o, cuda = self.options, self.device.type == "cuda"
        card = torch.cuda.get_device_name(self.device) if cuda else f"CPU, {torch.get_num_threads()} threads"
        millions = sum(p.numel() for p in self.empty.parameters()) / 1e6
        peak = f"{self.peak / 1e12:.3g} TFLOP/s" if self.peak else "unknown"
        return (
            f"{o.shape}: {millions:.0f} M parameters, {o.prompts} x {o.samples} completions of {o.completion} tokens, prompts of "
            f"{o.prompt}, {o.dtype}\n{card}, peak {peak}, torch {torch.__version__}"
        )

    def model(self) -> PreTrainedModel:
        torch.manual_seed(0)
        with self.device:
            return AutoModelForCausalLM.from_config(self.config, dtype=self.dtype).eval()

    def problems(self) -> list[Problem]:
        """Prompts for every step, the first included."""
        rng, o = random.Random(0), self.options
        draw = range(1, self.config.vocab_size)
        num = (o.steps + 1) * o.prompts
        return [Problem(str(i), tuple(rng.choices(draw, k=o.prompt))) for i in range(num)]

    def r1flow(self) -> list[Step]:
        """The counted steps."""
        o, model = self.options, self.model()
        trainer = GrpoTrainer(
            SingleEngine(model, lambda step: RATE, offload=o.offload),
            model,
            TransformersSampler(model, eos_id=self.end, pad_id=PAD),
            reference=None,
            pools={"main": self.problems()},  # type: ignore[dict-item]
            encode=lambda row: row.ids,  # type: ignore[attr-defined]
            decode=as_text,
            score=Scorer(Rules({"even": 1.0}, "think", AlphabetLanguage("0", "1"), custom={"even": even_tokens})),
            objective=Objective(
                Sampling(max_tokens=o.completion),
                prompts_per_step=o.prompts,
                samples_per_prompt=o.samples,
                mixture={"main": 1.0},
                micro_tokens=self.micro_tokens,
            ),
            pad_id=PAD,
            seed=0,
        )
        steps = [trainer.step(number)[1] for number in range(1, o.steps + 2)]
        return [Step(m["time/step_s"], m["memory/peak_gib"], m) for m in steps[1:]]

    def show(self, side: str, steps: Sequence[Step]) -> None:
        o = self.options
        seconds = statistics.median(step.seconds for step in steps)
        spread = f"{min(s.seconds for s in steps):.2f} to {max(s.seconds for s in steps):.2f}"
        tokens = o.prompts * o.samples * o.completion
        print(
            f"{side}: {seconds:.2f} s per step ({spread}), {tokens / seconds:.0f} tokens/s, "
            f"{self.utilisation(step_flops(self.flops, self.flops), seconds)}, "
            f"peak memory {max(s.peak_gib for s in steps):.2f} GiB"
        )
        middle = {name: statistics.median(s.meter[name] for s in steps) for name in steps[0].meter}
        if not middle:
            return
        needed = {"sample": self.flops, "update": 3 * self.flops}
        for phase in PHASES:
            spent, memory = middle[f"time/{phase}_s"], middle.get(f"memory/{phase}_gib")
            shown = [f"{spent:8.3f} s"]
            shown += [self.utilisation(needed[phase], spent)] if phase in needed else []
            shown += [] if memory is None else [f"{memory:.2f} GiB"]
            print(f"  {phase:<7}" + ", ".join(shown))
        print(
            f"  sampler against trainer: {middle['mismatch_mean']:.1e} nats a token, at most {middle['mismatch']:.1e}"
        )

    def utilisation(self, flops: float, seconds: float) -> str:
        return f"MFU {flops / (seconds * self.peak):.1%}" if self.peak else "MFU unknown (--peak)"

    def free(self) -> None:
        """Give the card back to whoever comes next."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def as_text(ids: Sequence[int]) -> str:
    return " ".join(f"t{i}" for i in ids)


def even_tokens(batch: RewardBatch) -> list[float]:
    """The share of even tokens: cheap, and different within almost every group."""
    return [sum(word[-1] in "02468" for word in text.split()) / max(1, len(text.split())) for text in batch.texts]


def run_trl(run: Run) -> list[Step]:
    """The counted steps of TRL's GRPOTrainer."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    found: list[Step] = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        started = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            machine.settle(run.device)
            machine.forget_peak(run.device)
            self.started = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            machine.settle(run.device)
            found.append(Step(time.perf_counter() - self.started, machine.peak_memory(run.device), {}))

    o = run.options
    words = {"<pad>": PAD} | {f"t{i}": i for i in range(1, run.config.vocab_size)} | {"<eos>": run.end}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )
    rows = o.prompts * o.samples
    batch = max(1, min(rows, run.micro_tokens // (o.prompt + o.completion)))
    while rows % batch:
        batch -= 1
    with tempfile.TemporaryDirectory() as directory:
        config = GRPOConfig(
            output_dir=directory,
            use_cpu=run.device.type == "cpu",
            bf16=run.dtype == torch.bfloat16,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=rows // batch,
            steps_per_generation=rows // batch,
            num_generations=o.samples,
            max_completion_length=o.completion,
            beta=0.0,
            loss_type="grpo",
            temperature=1.0,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            gradient_checkpointing=False,
            max_steps=o.steps + 1,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        GRPOTrainer(
            model=run.model(),
            reward_funcs=lambda completions, **_: even_tokens(RewardBatch(completions)),
            args=config,
            train_dataset=Dataset.from_dict({"prompt": [as_text(p.ids) for p in run.problems()]}),
            processing_class=tokenizer,
            callbacks=[Watch()],
        ).train()
    return found[1:]


if __name__ == "__main__":
    main()
