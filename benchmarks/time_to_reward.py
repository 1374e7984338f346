"""How long TRL and r1flow take to teach `tiny`'s base model sums: the same task, reward, batch and optimizer, in one run.

    python benchmarks/time_to_reward.py [--steps 50] [--threads 2]

Both start from the shipped base and train on the same pool of sums with accuracy + format as the reward, 32 x 16 completions
of at most 60 tokens per step, fp32. An r1flow step follows every step of TRL's, so that both see the same weather.
pass@1 is the share of right completions in a step's batch, averaged over three steps; its final value is the mean of
the last ten. Printed: seconds and steps until it has reached 0.9 of that, and the ratio of the seconds.
"""

import argparse
import os
from functools import partial
from itertools import accumulate
from random import Random
from statistics import mean
from typing import Any

import torch
from trl_side import BETAS, Spent, clocks, run_trl, since

from r1flow.components.core.models import load_model, load_tokenizer
from r1flow.components.core.schedule import learning_rate
from r1flow.components.core.schema import Row
from r1flow.components.data.chat import render
from r1flow.components.data.tinyworld.problems import make_sum
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import Rules, Scorer
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.store.models import locate_model
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective

PROMPTS, SAMPLES, MAX_TOKENS, RATE, WARMUP = 32, 16, 60, 5e-4, 5
BASE = "builtin:tiny-base"
Curve = list[tuple[float, float]]  # seconds of a step, pass@1 of its batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    curves = in_turn(options.steps)
    print(f"load average {os.getloadavg()[0]:.1f}; {options.threads} threads")
    seconds = {side: report(side, curve) for side, curve in curves.items()}
    print(f"time of r1flow over time of TRL: {seconds['r1flow'] / seconds['trl']:.2f}")


def in_turn(steps: int) -> dict[str, Curve]:
    """Both sides' steps, one after the other."""
    rows = problems()
    by_prompt = {render("tiny", row.prompt): row for row in rows}
    score, tokenizer = Scorer(rules()), load_tokenizer(locate_model(BASE))
    ours, curves = r1flow(rows, score), {"trl": Curve(), "r1flow": Curve()}
    solved: list[float] = []

    def reward(completions: list[list[int]], prompts: list[str]) -> list[float]:
        texts = [tokenizer.decode([i for i in ids if i != tokenizer.eos_token_id]) for ids in completions]
        scores = score(texts, [by_prompt[p] for p in prompts], lengths=list(map(len, completions)), samples=SAMPLES)
        solved.append(mean(s.components["accuracy"] or 0.0 for s in scores))
        return [s.total or 0.0 for s in scores]

    def after(step: int, theirs: Spent) -> None:
        curves["trl"].append((theirs[0], solved[-1]))
        started = clocks()
        _, metrics = ours.step(step)
        curves["r1flow"].append((since(started)[0], metrics["pass_at_1"]))

    run_trl(
        load_model(locate_model(BASE)),
        tokenizer,
        list(by_prompt),
        reward,
        prompts=PROMPTS,
        samples=SAMPLES,
        max_tokens=MAX_TOKENS,
        rate=RATE,
        warmup_steps=WARMUP,
        steps=steps,
        after=after,
    )
    return curves


def report(side: str, curve: Curve) -> float:
    """Seconds until pass@1 has reached 0.9 of its final value; prints them."""
    seconds = list(accumulate(spent for spent, _ in curve))
    smooth = [mean(solved for _, solved in curve[max(0, i - 2) : i + 1]) for i in range(len(curve))]
    final = mean(solved for _, solved in curve[-10:])
    reached = next(i for i, value in enumerate(smooth) if value >= 0.9 * final)
    print(
        f"  {side:<7} final pass@1 {final:.3f}, 0.9 of it after {seconds[reached]:6.1f} s ({reached + 1} steps); "
        f"{seconds[-1] / len(curve):.3f} s per step"
    )
    return seconds[reached]


def problems() -> list[Row]:
    """4,000 sums of two to five terms."""
    rng = Random(0)
    drawn = {(p := make_sum(rng, 2 + i % 4)).prompt: p for i in range(4000)}
    return [
        Row(id=p.prompt, prompt=p.prompt, answer=p.answer, verifier="exact", skill="sum", source="benchmark")
        for p in drawn.values()
    ]


def rules() -> Rules:
    language = AlphabetLanguage("0123456789", "abcdefghij", ignored=("wait",))
    return Rules(weights={"accuracy": 1.0, "format": 1.0}, format_style="think", language=language)


def r1flow(rows: list[Row], score: Any) -> GrpoTrainer:
    model, tokenizer = load_model(locate_model(BASE)), load_tokenizer(locate_model(BASE))
    eos = int(tokenizer.eos_token_id)
    rate = partial(learning_rate, peak=RATE, total_steps=1, warmup_steps=WARMUP)
    return GrpoTrainer(
        SingleEngine(model, rate, betas=BETAS),
        model,
        TransformersSampler(model, eos_id=eos, pad_id=int(tokenizer.pad_token_id)),
        reference=None,
        pools={"sum": rows},
        encode=lambda row: tuple(tokenizer(render("tiny", row.prompt), add_special_tokens=False)["input_ids"]),
        decode=lambda ids: str(tokenizer.decode([i for i in ids if i != eos])),
        score=score,
        objective=Objective(
            Sampling(MAX_TOKENS), prompts_per_step=PROMPTS, samples_per_prompt=SAMPLES, mixture={"sum": 1.0}
        ),
        pad_id=int(tokenizer.pad_token_id),
        seed=0,
    )


if __name__ == "__main__":
    main()
