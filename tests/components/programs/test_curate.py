"""Curation as a program: datasets of a preset against the suites of the same preset."""

from typing import Any

from r1flow.components.core.artifacts import Dataset, Suites
from r1flow.components.data.files import load_rows
from r1flow.components.data.sources import row_key
from r1flow.components.programs import curate, suites
from r1flow.components.recipe.presets import load_recipe


def test_no_sum_that_smol_is_trained_on_is_one_that_it_is_measured_on(tmp_path: Any) -> None:
    recipe = load_recipe("smol", ["problems.sources.sums.size=600"])

    def spec(stage: str, config: dict[str, Any], **inputs: Any) -> dict[str, Any]:
        places = {"out": str(tmp_path / stage), "work": str(tmp_path / "work" / stage)}
        return {
            "stage": stage,
            "seed": 1,
            "config": config,
            "inputs": inputs,
            "store": "x",
            "checkpoints": "y",
            **places,
        }

    dumped = {name: {"source": suite.source.model_dump(mode="json")} for name, suite in recipe.suites.items()}
    assert suites.main(spec("suites", {"suites": dumped})) == {"sums/problems": 256, "quarantined": 0}
    held_out = {row_key(row) for row in load_rows(Suites(tmp_path / "suites").problems("sums"))}
    assert len(held_out) == 256
    for name, file in (("problems", "train"), ("traces", "sft")):
        config = {"dataset": recipe.datasets[name].model_dump(mode="json")}
        counts = curate.main(spec(name, config, suites=str(tmp_path / "suites")))
        rows = load_rows(getattr(Dataset(tmp_path / name), file))
        assert len(rows) == counts["kept"] > 0
        assert counts["contaminated"] > 0, "drawn from the same sums"
        assert counts["duplicates"] == counts["near_duplicates"] == 0
        assert not held_out & {row_key(row) for row in rows}
        assert all((row.completion is not None) == (name == "traces") for row in rows)
    assert counts["kept"] == 128
