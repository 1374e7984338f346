"""The graph at work: a part of a recipe, a stage that fails beside others, one artifact under two names, no torch in the flow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.store.artifact import ArtifactRef, all_artifacts, find, verify
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.client import find_run
from r1flow.components.tracking.promotions import promoted_models, promotions
from r1flow.tasks.session import session
from tests.conftest import Ran
from tests.runs import ROOT, ZERO, environment, options, r1, run_recipe, stages

LEARNS = """
kind = "rl"
model = "base"
data = "problems"
steps = 4
prompts_per_step = 8
samples_per_prompt = 8
learning_rate = 1e-4
max_tokens = 60
mixture = { sum = 1.0 }
checkpoint_every = 2
"""
"""R1-Zero of the preset, to be called otherwise."""
SPOILT = """
def spoilt(batch):
    raise RuntimeError("no verdict today")
"""
HALVES = f"""
name = "halves"
preset = "smoke"
datasets.general = false

[stages]
dev2 = false
teaching = false
dev3 = false
r1 = false
distilled = false

[stages.r1_zero]
rewards = {{ "mypkg.spoilt:spoilt" = 0.5 }}

[stages.other]
{LEARNS}
rewards = {{ "mypkg.spoilt:spoilt" = 0.25 }}

[promote]
r1-smoke = false

[promote.half]
model = "student_rl"
suite = "sums"

[promote.other-half]
model = "dev1"
suite = "sums"
"""
FOLLOWED = """
import sys, threading
from r1flow.cli.main import app
from r1flow.components.recipe.recipe import Recipe

stops = {}

def look(frame, event, argument):
    code = frame.f_code
    if event == "call" and frame.f_globals.get("__name__", "").startswith("r1flow."):
        taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(name not in ("self", "cls") and isinstance(frame.f_locals.get(name), Recipe) for name in taken):
            stops[f"{frame.f_globals['__name__']}.{code.co_qualname}"] = True

threading.setprofile(look)
sys.setprofile(look)
try:
    app()
except SystemExit as end:
    assert not end.code, end.code
sys.setprofile(None)
print("STOPS", *stops)
print("LOADED", sorted({"torch", "transformers", "vllm", "deepspeed"} & set(sys.modules)))
"""
"""`r1`, with the recipe followed call by call in every thread, and what the process has loaded at the end."""
MOST_STOPS = 40
"""Functions that are handed a whole recipe on the way of a run."""


@pytest.fixture
def home(smoke: Ran, tmp_path: Path) -> Path:
    """A home where all that the shared run has computed lies on the store, and nothing is promoted."""
    shutil.copytree(smoke.home / "store" / "artifacts", tmp_path / "home" / "store" / "artifacts")
    return tmp_path / "home"


def forget(home: Path, smoke: Ran, *names: str) -> None:
    """Let these stages be computed anew."""
    for name in names:
        ref = stages(smoke.summary)[name]["ref"]
        shutil.rmtree(home / "store" / "artifacts" / ref["kind"] / ref["fingerprint"][:16])


def files(home: Path, stage: dict[str, Any]) -> list[Any]:
    """What an artifact holds."""
    store = open_store(str(home / "store"))
    return list(verify(store, find(store, stage["ref"]["kind"], stage["ref"]["fingerprint"])).files)


def tracked(home: Path, run: str) -> dict[str, str]:
    """The stages of a run as MLflow shows them, with their states."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    parent = find_run(client, run)
    experiment = client.get_run(parent).info.experiment_id
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'", max_results=100)
    return {child.info.run_name: child.info.status for child in found}


def test_a_stage_alone_runs_with_what_it_needs_is_evaluated_and_nothing_is_promoted(home: Path, smoke: Ran) -> None:
    forget(home, smoke, "dev2", "evaluate/dev2")
    summary = run_recipe(home, "smoke", only=["dev2"])
    found = stages(summary)
    needs = {"suites", "problems", "base", "certify/exact", "r1_zero/gradient", "r1_zero", "chains", "dev1"}
    assert set(found) == needs | {"dev2/gradient", "dev2", "evaluate/dev2", "report"}
    assert {name for name, stage in found.items() if not stage["reused"]} == {"dev2", "evaluate/dev2", "report"}
    assert files(home, found["dev2"]) == files(smoke.home, stages(smoke.summary)["dev2"])
    assert summary["champions"] == []
    assert promoted_models(open_store(str(home / "store"))) == []


def test_of_several_stages_every_one_is_evaluated(home: Path, smoke: Ran) -> None:
    found = stages(run_recipe(home, "smoke", only=["dev1", "student_rl"]))
    assert {name for name in found if name.startswith("evaluate/")} == {"evaluate/dev1", "evaluate/student_rl"}
    assert {"student", "student_rl", "dev1"} <= set(found)
    assert not {"dev2", "teaching", "r1", "general"} & set(found)


def test_a_failure_stops_what_depends_on_it_and_nothing_else(home: Path, smoke: Ran, tmp_path: Path) -> None:
    (tmp_path / "lib" / "mypkg").mkdir(parents=True)
    (tmp_path / "lib" / "mypkg" / "spoilt.py").write_text(SPOILT)
    (tmp_path / "halves.toml").write_text(HALVES)
    forget(home, smoke, "student_rl", "evaluate/student_rl")
    done = r1(home, "run", str(tmp_path / "halves.toml"), path=tmp_path / "lib")
    told = done.stderr + done.stdout
    assert done.returncode == 1, told
    assert "Traceback" not in done.stderr.partition("last lines of")[0]
    assert "2 stages failed: " in done.stderr
    for name in ("r1_zero", "other"):
        assert f"\n{name}: " in done.stderr
    assert "no verdict today" in done.stderr

    store = open_store(str(home / "store"))
    assert promoted_models(store) == ["half"]
    [entry] = promotions(store, "half")
    run = entry.by.removeprefix("run ")
    ended = tracked(home, run)
    assert ended["r1_zero"] == ended["other"] == "FAILED"
    rest = {"student", "student_rl", "evaluate/base", "evaluate/student", "evaluate/student_rl", "report"}
    assert {name: ended.get(name) for name in rest} == dict.fromkeys(rest, "FINISHED")
    assert not {"chains", "dev1", "evaluate/dev1", "evaluate/r1_zero", "evaluate/other"} & set(ended)
    assert entry.ref.fingerprint == stages(smoke.summary)["student_rl"]["ref"]["fingerprint"]


def test_two_stages_of_one_fingerprint_are_one_artifact_that_is_computed_once(
    home: Path, smoke: Ran, tmp_path: Path
) -> None:
    recipe = tmp_path / "twins.toml"
    recipe.write_text(f"{Path(ZERO).read_text()}\n[stages.twin]\n{LEARNS}")
    forget(home, smoke, "r1_zero", "evaluate/r1_zero")
    summary = run_recipe(home, str(recipe))
    found = stages(summary)
    for one, other in (
        ("r1_zero", "twin"),
        ("evaluate/r1_zero", "evaluate/twin"),
        ("r1_zero/gradient", "twin/gradient"),
    ):
        assert found[one]["ref"] == found[other]["ref"]
        assert found[one]["metrics"] == found[other]["metrics"]
    for one, other in (("r1_zero", "twin"), ("evaluate/r1_zero", "evaluate/twin")):
        assert sorted([found[one]["reused"], found[other]["reused"]]) == [False, True]
        assert len({one, other} & {line["stage"] for line in summary["cost"]["stages"]}) == 1
    store = open_store(str(home / "store"))
    verify(store, ArtifactRef.model_validate(found["twin"]["ref"]))
    kinds = [ref.kind for ref, _ in all_artifacts(store)]
    assert kinds.count("rl") == sum(stage["ref"]["kind"] == "rl" for stage in smoke.summary["stages"])
    assert [champion["promoted"] for champion in summary["champions"]] == [True]


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_the_process_of_the_flow_never_loads_torch_and_hands_the_recipe_to_few(home: Path, device: str) -> None:
    """Everything else is on the store; the report is another one than the shared run's, and is computed."""
    arguments = ["run", ZERO, *options([f"run.device={device}"]), "--json", str(home / "summary.json")]
    done = subprocess.run(
        [sys.executable, "-c", FOLLOWED, *arguments],
        env=environment(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    summary: dict[str, Any] = json.loads((home / "summary.json").read_text())
    assert not stages(summary)["report"]["reused"]
    assert [champion["promoted"] for champion in summary["champions"]] == [True]
    stops, loaded = done.stdout.splitlines()[-2:]
    assert loaded == "LOADED []"
    said, *functions = stops.split()
    assert said == "STOPS"
    assert {"r1flow.flows.pipeline._run", "r1flow.tasks.declare.declare"} <= set(functions)
    assert len(functions) <= MOST_STOPS, functions


def test_a_run_that_is_open_takes_no_flow_of_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from r1flow.flows.evaluate import evaluate

    monkeypatch.setenv("R1_HOME", str(tmp_path))
    recipe = load_recipe("smoke", [])
    with session(recipe) as run:
        with session(recipe) as same:
            assert same is run
        with pytest.raises(ConfigError, match="a run of smoke is open, and this is another recipe; run it by itself"):
            evaluate.fn("builtin:tiny-base", preset="smoke")
        assert run.done == {}


def test_a_promotion_that_the_recipe_does_not_have_is_refused_with_those_it_has() -> None:
    from r1flow.flows.promote import promote

    with pytest.raises(ConfigError, match="recipe smoke promotes nothing of that name; its promotions: r1-smoke"):
        promote.fn("r1-tiny", preset="smoke")
