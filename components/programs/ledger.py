"""The ledger: what all models of the store have answered to every problem, from their lakes; nothing is generated."""

from pathlib import Path
from typing import Any

from r1flow.components.core.artifacts import Dataset, Policy
from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.difficulty import RatedModel, Tally, label_looks_wrong, never_solved, problem_key
from r1flow.components.data.files import load_rows
from r1flow.components.data.ledger import LABEL_LOOKS_WRONG, LEDGER, NEVER_SOLVED, write_ledger, write_list
from r1flow.components.evals.answers import extract_answer
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.run import LedgerConfig
from r1flow.components.store.rollouts import lake

COLUMNS = ["prompt_id", "text", "verdict"]


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = LedgerConfig.model_validate(spec.config["ledger"])
    tallies: dict[str, Tally] = {}
    datasets: dict[str, dict[str, Row]] = {}
    for name, source in sorted(spec.config["lakes"].items()):
        dataset = source["dataset"]
        if dataset not in datasets:
            datasets[dataset] = {row.id: row for row in load_rows(Dataset(spec.inputs[dataset]).train)}
        count(
            tallies, Policy(spec.inputs[name]).lake, datasets[dataset], RatedModel(source["artifact"], source["stage"])
        )
    found = list(tallies.values())
    spec.out.mkdir(parents=True, exist_ok=True)
    write_ledger(spec.out / LEDGER, found)
    unsolved = never_solved(found, config.min_samples)
    doubtful = label_looks_wrong(found, config.min_samples, config.agreement)
    write_list(spec.out / NEVER_SOLVED, unsolved)
    write_list(spec.out / LABEL_LOOKS_WRONG, doubtful)
    return {
        "lakes": float(len(spec.config["lakes"])),
        "problems": float(len(found)),
        "samples": float(sum(tally.samples for tally in found)),
        "unscored": float(sum(tally.unscored for tally in found)),
        "never_solved": float(len(unsolved)),
        "label_looks_wrong": float(len(doubtful)),
    }


def count(tallies: dict[str, Tally], directory: Path, problems: dict[str, Row], policy: RatedModel) -> None:
    """Add a lake's completions; DataError for one whose problem is not in the dataset that the lake was sampled from."""
    for sample in lake.read(directory, COLUMNS):
        row = problems.get(sample["prompt_id"])
        if row is None:
            raise DataError(
                f"lake of {policy.artifact}, step {sample['step']}: problem {sample['prompt_id']!r} is not in its dataset"
            )
        tally = tallies.setdefault(problem_key(row), Tally(row))
        tally.add(policy, sample["step"], sample["verdict"], extract_answer(sample["text"], row))
