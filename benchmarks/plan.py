"""`r1 plan`'s arithmetic held against measurement on a CPU, and its PPO-versus-GRPO table.

    python benchmarks/plan.py [--table] [tiny tiny-ppo 100M]

Every line is a fresh process that takes three RL steps: one warms up, as in `r1 plan --calibrate`, the second sets the rate, and
seconds and memory of the third are predicted.
Memory is the process's largest resident set; what it holds before it has a model is measured and taken as given, and stands in a
column of its own. CPU seconds hardly know of other load; seconds on the clock do. `tiny` is the preset's own stage r1_zero on the
shipped model; 100M has random weights and full-length completions.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from r1flow.components.core.models import BUILTIN
from r1flow.components.costs import comparison
from r1flow.components.costs.calibrate import TINY_END, TINY_PROMPT
from r1flow.components.costs.decoder import Decoder, decoder_of, shape_in
from r1flow.components.costs.memory import Layout, parts
from r1flow.components.costs.preset import batch_of
from r1flow.components.costs.work import Lengths, Rates, rl_work
from r1flow.components.processes.keeper import run_program
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.models import ModelShape
from r1flow.components.recipe.presets import load_recipe

MIB = 2**20
LARGE = ModelShape(
    family="qwen3",
    vocab_size=16384,
    hidden_size=768,
    intermediate_size=2304,
    num_layers=12,
    num_heads=12,
    num_kv_heads=4,
    head_dim=64,
    tied_embeddings=True,
)
LARGE_STEP = {
    "steps": 2,
    "learning_rate": 1e-6,
    "prompts_per_step": 2,
    "samples_per_prompt": 8,
    "max_tokens": 32,
    "micro_tokens": 512,
}
LARGE_PROMPT = 32
CALIBRATION = 1
"""Index of the step that sets the rate."""


class Case(NamedTuple):
    """A model and a step; ``directory`` where it is a shipped model's."""

    shape: ModelShape
    grpo: dict[str, Any]
    prompt: int
    directory: Path | None
    end: int | None


def cases() -> dict[str, Case]:
    tiny, zero = shape_in(BUILTIN["tiny-base"]), load_recipe("tiny").stages["r1_zero"]
    assert tiny is not None
    step = zero.model_dump(
        mode="json", include={"steps", "learning_rate", "max_tokens", "prompts_per_step", "samples_per_prompt"}
    )
    shipped = Case(tiny, step, TINY_PROMPT, BUILTIN["tiny-base"], TINY_END)
    large = Case(LARGE, LARGE_STEP, LARGE_PROMPT, None, None)
    return {
        "tiny": shipped,
        "tiny-ppo": shipped._replace(grpo=step | {"algorithm": "ppo"}),
        "100M": large,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(cases()), metavar="CASE", help=", ".join(cases()))
    parser.add_argument("--table", action="store_true", help="PPO beside GRPO, and nothing measured")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.table:
        print(comparison.table())
        return
    print(f"load average {os.getloadavg()[0]:.1f}, {options.threads} threads")
    print(
        "| model | parameters | without a model, MiB | peak, MiB: predicted | measured | ratio | above: predicted | measured "
        "| step, s: predicted | measured | ratio | CPU s: predicted | measured | ratio |"
    )
    print("|---" + "|---:" * 13 + "|")
    for name in options.cases:
        print(line(name, cases()[name], options.threads), flush=True)


def line(name: str, case: Case, threads: int) -> str:
    """The case's row."""
    found = measure(case, threads)
    config, model = GrpoConfig.model_validate(case.grpo), decoder_of(case.shape)
    lengths = [Lengths(case.prompt, mean) for mean in found["completion"][CALIBRATION:]]
    above, floor = memory(config, model, lengths[0]), found["floor"]
    predicted, peak = above + floor, found["peak"][-1]
    seconds, measured = step_seconds(config, model, lengths, found), found["step_s"][-1]
    cpu = found["cpu_s"][CALIBRATION] * seconds / found["step_s"][CALIBRATION]
    return (
        f"| {name} | {model.parameters / 1e6:.1f} M | {floor / MIB:,.0f} | {predicted / MIB:,.0f} | {peak / MIB:,.0f} "
        f"| {predicted / peak:.2f} | {above / MIB:,.0f} | {(peak - floor) / MIB:,.0f} | {seconds:.2f} | {measured:.2f} "
        f"| {seconds / measured:.2f} | {cpu:.2f} | {found['cpu_s'][-1]:.2f} | {cpu / found['cpu_s'][-1]:.2f} |"
    )


def memory(config: GrpoConfig, model: Decoder, lengths: Lengths) -> float:
    """Bytes above what the process holds without a model."""
    layout = Layout()
    batch = batch_of(config, layout, lengths)
    return parts(model, layout, batch, reference=bool(config.kl_weight), value=bool(config.ppo)).process


def step_seconds(config: GrpoConfig, model: Decoder, lengths: list[Lengths], found: dict[str, list[float]]) -> float:
    """Seconds of the last step from the rates of the one before; verdicts and what stands between phases are taken to last as
    long."""
    before, last = (rl_work("", config.model_copy(update={"steps": 1}), model, length) for length in lengths)
    sample, update, step = (found[name][CALIBRATION] for name in ("sample_s", "update_s", "step_s"))
    rates = Rates(before.sampling / sample, before.training / update, "the step before")
    return last.seconds(rates) + step - sample - update


def measure(case: Case, threads: int) -> dict[str, Any]:
    raw = {
        "grpo": case.grpo,
        "shape": case.shape.model_dump(mode="json"),
        "directory": str(case.directory) if case.directory else None,
        "prompt": case.prompt,
        "end": case.end,
        "threads": threads,
        "steps": CALIBRATION + 2,
    }
    with tempfile.TemporaryDirectory() as work:
        return run_program("r1flow.components.programs.measure_step", raw, work=Path(work), server=None, timeout_s=600)


if __name__ == "__main__":
    main()
