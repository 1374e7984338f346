"""The whole recipe, two steps of everything, as a person starts it."""

import json
import shutil
from pathlib import Path

import pytest

from r1flow.components.store.artifact import ArtifactRef, all_artifacts, read_manifest, verify
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.client import find_run
from tests.conftest import Ran
from tests.runs import r1, run_recipe, stages

RECIPE = [
    "suites",
    "problems",
    "general",
    "certify/exact",
    "base",
    "r1_zero/gradient",
    "r1_zero",
    "chains",
    "dev1",
    "dev2/gradient",
    "dev2",
    "teaching",
    "dev3",
    "distilled",
    "r1",
    "report",
]
MEASURED = ["base", "student", "r1_zero", "dev1", "dev2", "dev3", "distilled", "r1", "student_rl"]


@pytest.fixture
def home(smoke: Ran, tmp_path: Path) -> Path:
    """A copy of the smoke run's home: other tests count what is in the one that they share."""
    return Path(shutil.copytree(smoke.home, tmp_path / "home"))


def test_every_stage_of_the_recipe_has_run(smoke: Ran) -> None:
    names = stages(smoke.summary)
    assert set(RECIPE) <= set(names)
    assert {f"evaluate/{name}" for name in MEASURED} <= set(names)
    assert smoke.summary["main_line"] == ["base", "r1_zero", "dev1", "dev2", "dev3", "r1"]


def test_nothing_was_there_before_and_nothing_was_computed_twice(smoke: Ran) -> None:
    """Stages with one objective have one gradient to prove: the first of them did, for all."""
    names = stages(smoke.summary)
    computed = [stage["ref"]["fingerprint"] for stage in names.values() if not stage["reused"]]
    assert sorted(computed) == sorted({stage["ref"]["fingerprint"] for stage in names.values()})
    alike = [f"{name}/gradient" for name in ("r1_zero", "r1", "student_rl")]
    assert len({names[name]["ref"]["fingerprint"] for name in alike}) == 1
    assert {name for name, stage in names.items() if stage["reused"]} < set(alike)


def test_evaluations_carry_the_figures_people_look_for(smoke: Ran) -> None:
    metrics = stages(smoke.summary)["evaluate/r1"]["metrics"]
    for metric in ("pass_at_1", "cons_at_4", "format", "language", "length", "reflection", "pass_at_1_level_5"):
        assert f"sums/{metric}" in metrics
    assert metrics["sums/problems"] == 16


def test_the_dev3_stage_starts_from_the_base_and_not_from_dev2(smoke: Ran) -> None:
    names = stages(smoke.summary)
    store = open_store(smoke.summary["store"])
    manifest = read_manifest(store, ArtifactRef.model_validate(names["dev3"]["ref"]))
    assert manifest.inputs["model"].fingerprint == names["base"]["ref"]["fingerprint"]


def test_every_published_artifact_verifies(smoke: Ran) -> None:
    store = open_store(smoke.summary["store"])
    published = all_artifacts(store)
    assert len(published) >= len(RECIPE) + len(MEASURED)
    for ref, _ in published:
        verify(store, ref)


@pytest.mark.long
def test_a_second_run_reuses_every_stage(smoke: Ran, home: Path) -> None:
    again = run_recipe(home, "smoke")
    assert [s["name"] for s in again["stages"] if not s["reused"]] == []
    [champion], [before] = again["champions"], smoke.summary["champions"]
    assert champion["version"] == before["version"] == 1


@pytest.mark.long
def test_a_change_to_distilled_recomputes_distillation_and_what_follows_it(smoke: Ran, home: Path) -> None:
    changed = run_recipe(home, "smoke", "distilled.learning_rate=2e-4")
    assert {s["name"] for s in changed["stages"] if not s["reused"]} == {"distilled", "evaluate/distilled", "report"}
    compared = r1(home, "compare", smoke.summary["run"], changed["run"])
    assert compared.returncode == 0, compared.stderr
    lines = [line.strip() for line in compared.stdout.splitlines()]
    at = lines.index("distilled differs:")
    assert lines[at + 1] == "learning_rate: 0.0001, 0.0002"
    assert lines[at + 2] == "made from these, and so different too: evaluate/distilled"
    [took] = [line.split() for line in lines if line.startswith("Student (distilled)") and "device-s" in line]
    assert all(float(seconds) > 0 for seconds in took[-2:])


@pytest.mark.long
def test_the_commands_show_what_is_there(smoke: Ran, home: Path) -> None:
    final = stages(smoke.summary)["r1"]["ref"]
    name = f"{final['kind']}/{final['fingerprint'][:12]}"
    assert name in r1(home, "ls").stdout
    shown = r1(home, "show", name).stdout
    assert final["fingerprint"] in shown
    assert "model/model.safetensors" in shown
    lineage = r1(home, "lineage", name).stdout
    assert stages(smoke.summary)["base"]["ref"]["fingerprint"][:12] in lineage
    page = r1(home, "report").stdout.strip()
    assert page.endswith("report.html")
    sampled = r1(home, "sample", "champion", "37+45", "-n", "2")
    assert sampled.returncode == 0, sampled.stderr
    assert sampled.stdout.count("37+45=") == 2


def test_the_tracking_run_has_children_with_curves_and_inputs(smoke: Ran) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{smoke.home / 'mlflow.db'}")
    parent = find_run(client, smoke.summary["run"])
    experiment = client.get_run(parent).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'", max_results=100)
    names = {run.info.run_name: run for run in children}
    assert set(RECIPE) <= set(names)
    zero = names["r1_zero"]
    assert [m.step for m in client.get_metric_history(zero.info.run_id, "reward")] == [1, 2, 3, 4]
    assert {entry.dataset.name for entry in client.get_run(zero.info.run_id).inputs.dataset_inputs} == {
        "model",
        "data",
        "certificate.exact",
    }
    assert zero.data.tags["certificate.exact/adversarial"] == "1.0"
    assert 0 < float(zero.data.tags["gradient.error"]) <= float(zero.data.tags["gradient.limit"]) == 1e-5
    assert zero.data.tags["weight_sync.proof"] == "the trainer's own tensors"
    assert all(run.info.status == "FINISHED" for run in children)


def test_the_champion_points_at_its_artifact(smoke: Ran) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{smoke.home / 'mlflow.db'}", registry_uri=f"sqlite:///{smoke.home / 'mlflow.db'}")
    version = client.get_model_version_by_alias("r1-smoke", "champion")
    assert version.source.startswith(f"{stages(smoke.summary)['r1']['ref']['uri']}/data/")
    assert (Path(version.source.removeprefix("file://")) / "MLmodel").is_file()
    assert version.tags["r1.fingerprint"] == stages(smoke.summary)["r1"]["ref"]["fingerprint"]
    assert version.tags["certificate.exact/near_miss"] == "1.0"
    assert 0 < float(version.tags["gradient.error"]) <= 1e-5
    assert version.tags["weight_sync.proof"] == "the trainer's own tensors"


def test_no_evaluation_problem_is_a_training_problem(smoke: Ran) -> None:
    from r1flow.components.data.files import load_rows
    from r1flow.components.data.sources import tiny_key
    from r1flow.components.store.artifact import materialize

    store = open_store(smoke.summary["store"])
    named = stages(smoke.summary)
    problems, general, suites = (
        materialize(store, ArtifactRef.model_validate(named[name]["ref"]), smoke.home / "cache")
        for name in ("problems", "general", "suites")
    )
    train = {tiny_key(row) for row in [*load_rows(problems / "train.jsonl"), *load_rows(general / "sft.jsonl")]}
    evaluation = {tiny_key(row) for name in ("sums", "strings") for row in load_rows(suites / f"{name}.jsonl")}
    assert len(evaluation) == 22
    assert not train & evaluation
    for directory in (problems, general):
        assert json.loads((directory / "report.json").read_text())["counts"]["evaluation"] == 22
