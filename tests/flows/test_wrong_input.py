"""Wrong input gets one message that names the field and the fix, exit code 2, no traceback, nothing published."""

import json
import shutil
from pathlib import Path

import pytest

from r1flow.components.core.models import BUILTIN
from tests.runs import r1, stages

GSM8K = [{"question": f"What is {n} plus {n}?", "answer": f"It is #### {2 * n}"} for n in range(300)]


def _refused(home: Path, *arguments: str, published: tuple[str, ...] = ()) -> str:
    """What is said. Nothing is on the store but ``published``, whose own input was right."""
    done = r1(home, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert tuple(path.parts[-3] for path in (home / "store").rglob("MANIFEST.json")) == published
    return done.stderr


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sources(train: Path, test: Path) -> list[str]:
    """Where the problems and the suite of gsm8k-curate lie."""
    return ["--set", f"problems.sources.train.uri={train}", "--set", f"suites.gsm8k.source.uri={test}"]


def test_an_unknown_setting_is_named_with_the_likely_one(tmp_path: Path) -> None:
    assert "stages.distilled.epoch: unknown setting; did you mean epochs?" in _refused(
        tmp_path, "run", "smoke", "--set", "distilled.epoch=3"
    )


def test_a_stage_that_the_recipe_does_not_have_is_named_with_the_likely_one(tmp_path: Path) -> None:
    assert "--only: there is no stage 'dev22'; did you mean dev2?" in _refused(
        tmp_path, "run", "smoke", "--only", "dev22"
    )


def test_a_setting_of_before_0_2_is_told_its_new_name(tmp_path: Path) -> None:
    assert "grpo: now stages.dev2, of kind rl" in _refused(tmp_path, "run", "smoke", "--set", "grpo.steps=3")


def test_a_nan_learning_rate_is_refused(tmp_path: Path) -> None:
    assert "stages.dev2.learning_rate" in _refused(tmp_path, "run", "smoke", "--set", "dev2.learning_rate=nan")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_reward_that_does_not_exist_is_refused_with_the_likely_one(tmp_path: Path, command: str) -> None:
    message = _refused(tmp_path, command, "smoke", "--set", "dev2.rewards.overlng=0.5")
    assert "dev2.rewards.overlng: no reward is called 'overlng'; did you mean overlong?" in message.replace("\n", " ")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_model_of_a_family_that_cannot_be_served_is_refused_by_name(tmp_path: Path, command: str) -> None:
    model = shutil.copytree(BUILTIN["tiny-base"], tmp_path / "model")
    (model / "config.json").write_text('{"model_type": "rwkv"}')
    message = _refused(tmp_path / "home", command, "smoke", "--set", f"base.source={model}")
    assert "models.base.source: " in message
    assert "models of type 'rwkv' cannot be sampled" in " ".join(message.split())


def test_an_unknown_preset_names_the_likely_one(tmp_path: Path) -> None:
    assert "did you mean smoke?" in _refused(tmp_path, "run", "smoek")


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    settings = sources(tmp_path / "absent.jsonl", write(tmp_path / "test.jsonl", GSM8K[:1]))
    message = _refused(tmp_path / "h", "run", "gsm8k-curate", *settings)
    assert "problems.sources.train.uri" in message
    assert "absent.jsonl" in message


def test_a_model_directory_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(BUILTIN["tiny-base"], model)
    (model / "tokenizer.json").unlink()
    message = _refused(tmp_path / "h", "run", "smoke", "--set", f"base.source={model}", "--only", "r1_zero")
    assert "tokenizer" in message


def test_a_store_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a directory")
    message = _refused(tmp_path / "h", "run", "smoke", "--set", f"store={blocked}/store")
    assert str(blocked) in message


def test_malformed_rows_are_quarantined_with_line_and_reason(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in GSM8K]
    lines[7] = '{"question": "half a row'
    lines[11] = json.dumps({"question": "no answer here"})
    source, against = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    source.write_text("\n".join([*lines, lines[3]]) + "\n")
    against.write_text(json.dumps(GSM8K[20]) + "\n")
    home = tmp_path / "h"
    done = r1(home, "run", "gsm8k-curate", *sources(source, against), "--json", str(tmp_path / "s.json"))
    assert done.returncode == 0, done.stderr
    metrics = stages(json.loads((tmp_path / "s.json").read_text()))["problems"]["metrics"]
    assert (metrics["read"], metrics["quarantined"], metrics["duplicates"], metrics["contaminated"]) == (301, 2, 1, 1)
    quarantine = [
        json.loads(line)
        for line in next((home / "store/artifacts/dataset").rglob("quarantine.jsonl")).read_text().splitlines()
    ]
    assert [entry["line"] for entry in quarantine] == [8, 12]
    assert all(entry["reason"] for entry in quarantine)


def test_too_many_malformed_rows_fail_with_a_table_of_reasons(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text("\n".join(['{"question": 1}'] * 10 + [json.dumps(row) for row in GSM8K[:50]]) + "\n")
    settings = sources(source, write(tmp_path / "test.jsonl", GSM8K[60:61]))
    message = _refused(tmp_path / "h", "run", "gsm8k-curate", *settings, published=("suites",))
    assert "max_bad_fraction" in message


@pytest.mark.parametrize("preset", ["tiny", "qwen2.5-0.5b-gsm8k", "qwen2.5-1.5b-math", "r1-zero-7b", "r1-32b"])
def test_plan_prints_stages_and_parameter_counts(tmp_path: Path, preset: str) -> None:
    done = r1(tmp_path, "plan", preset)
    assert done.returncode == 0, done.stderr
    assert "r1_zero" in done.stdout
    expected = {"r1-zero-7b": "7,615,616,512", "r1-32b": "32,763,876,352", "tiny": "builtin:tiny-base"}
    assert expected.get(preset, "494,032,768" if "0.5b" in preset else "1,543,714,304") in done.stdout
