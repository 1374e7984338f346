"""How hard the training problems are for the model that RL starts from: it answers each a few times."""

from typing import Any

from r1flow.components.core.artifacts import Dataset
from r1flow.components.core.errors import DataError
from r1flow.components.core.seeds import derive_seed
from r1flow.components.data.difficulty import RatedModel, Tally, problem_key
from r1flow.components.data.files import load_rows
from r1flow.components.data.ledger import LEDGER, write_ledger
from r1flow.components.evals.answers import extract_answer
from r1flow.components.programs.context import problems_with_room
from r1flow.components.programs.language_model import open_model, scoring
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.stages import RateStage
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.collect import collect

ROWS = 256
"""Problems that are asked at a time: what is in memory."""


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = RateStage.model_validate(spec.config)
    samples, skills = config.samples, config.skills
    lm = open_model(spec, spec.inputs[config.model])
    rows = [row for row in load_rows(Dataset(spec.inputs[config.data]).train) if not skills or row.skill in skills]
    if not rows:
        raise DataError(f"{spec.stage}: the dataset has no problem of skills {', '.join(skills)}")
    rows, left_out = problems_with_room(spec, lm, rows, config.max_tokens)
    sampling = Sampling(config.max_tokens, config.temperature)
    policy = RatedModel("start", spec.stage)
    tallies: list[Tally] = []
    with scoring(spec, lm, {"accuracy": 1.0}) as score, lm.sampler(spec) as sampler:
        generated = 0
        for start in range(0, len(rows), ROWS):
            asked = rows[start : start + ROWS]
            rollouts = collect(
                sampler,
                score,
                asked,
                sampling,
                samples=samples,
                seeds=[derive_seed(spec.seed, "difficulty", row.id, i) for row in asked for i in range(samples)],
                encode=lm.encode_prompt,
                decode=lm.decode,
            )
            generated += sum(len(rollout.ids) for rollout in rollouts)
            found = {problem_key(row): Tally(row) for row in asked}
            for row, rollout in zip((row for row in asked for _ in range(samples)), rollouts, strict=True):
                found[problem_key(row)].add(policy, 0, rollout.verdict, extract_answer(rollout.text, row))
            tallies += found.values()
    spec.out.mkdir(parents=True, exist_ok=True)
    write_ledger(spec.out / LEDGER, tallies)
    rates = [tally.pass_rate or 0.0 for tally in tallies]
    return left_out | {
        "problems": float(len(tallies)),
        "generated": float(generated),
        "pass_at_1": sum(rates) / len(rates),
        f"pass_at_{samples}": sum(rate > 0 for rate in rates) / len(rates),
        "always_solved": sum(rate == 1 for rate in rates) / len(rates),
    }
