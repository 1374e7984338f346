"""Stored completions: outputs of real models give the labels' metrics but for the listed disagreements."""

import gzip
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from r1flow.cli.evaluate import evaluate
from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.evals.completions import Columns, read_completions
from r1flow.components.rewards.mathematics import judge
from r1flow.components.rewards.mathematics.extraction import find_answers
from tests.components.rewards.mathematics.test_cases import DISPUTED_QWEN, GSM8K, QWEN, here, rows

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
OPTIONS: dict[str, Any] = {"verifier": "math", "style": "think", "language": "en", "prefilled": False, "workers": 1}


def evaluated(tmp_path: Path, *files: Path, **columns: Any) -> dict[str, Any]:
    options = {name: columns.pop(name) for name in list(columns) if name in OPTIONS}
    evaluate(files, "suite", Columns(**columns), **(OPTIONS | options), json_file=tmp_path / "found.json")
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    return found


def only(found: dict[str, Any]) -> tuple[dict[str, float], list[list[int]]]:
    (model,) = found["models"].values()
    return model["metrics"], list(model["correct"].values())


def written(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@here
def test_gsm8k_model_solutions_have_the_accuracy_of_their_labels(tmp_path: Path) -> None:
    texts = tuple(f"{model}.solution" for model in MODELS)
    found = evaluated(tmp_path, GSM8K, gold="ground_truth", gold_after="A: ", completions=texts)
    metrics, correct = only(found)
    labels = [[int(row[model]["is_correct"]) for model in MODELS] for row in rows(GSM8K)]
    assert correct == labels, "there is no disagreement in this file"
    golds = [row["ground_truth"].rpartition("A: ")[2].strip() for row in rows(GSM8K)]
    said = [[row[model]["solution"] for model in MODELS] for row in rows(GSM8K)]
    check(metrics, labels, golds, said)


@here
def test_qwen_outputs_differ_from_their_labels_by_the_listed_disagreements(tmp_path: Path) -> None:
    metrics, correct = only(evaluated(tmp_path, QWEN, gold="gt", completions=("response",)))
    data = rows(QWEN)
    differ = {
        (row["gt"], prediction)
        for row, marks in zip(data, correct, strict=True)
        for mark, label, prediction in zip(marks, row["score"], row["pred"], strict=True)
        if mark != label
    }
    assert differ == set(DISPUTED_QWEN) & {(row["gt"], said) for row in data for said in row["pred"]}
    fixed = [
        [
            int(label or (row["gt"], said) in DISPUTED_QWEN)
            for label, said in zip(row["score"], row["pred"], strict=True)
        ]
        for row in data
    ]
    assert correct == fixed
    check(metrics, fixed, [row["gt"] for row in data], [row["response"] for row in data])


def check(metrics: dict[str, float], correct: list[list[int]], golds: list[str], said: list[list[str]]) -> None:
    """pass@k, cons@k and intervals computed once more, by other means."""
    marks = np.array(correct)
    n, k = marks.shape
    assert metrics["pass_at_1"] == pytest.approx(marks.mean())
    for draws in {2, 4, k}:
        subsets = np.array([marks[:, list(chosen)].max(axis=1) for chosen in combinations(range(k), draws)])
        assert metrics[f"pass_at_{draws}"] == pytest.approx(subsets.mean())
        held(metrics, f"pass_at_{draws}", subsets.mean(axis=0), n * k)
    won = np.array([majority(*problem) for problem in zip(golds, said, correct, strict=True)], dtype=float)
    assert metrics[f"cons_at_{k}"] == pytest.approx(won.mean())
    held(metrics, f"cons_at_{k}", won, n)
    held(metrics, "pass_at_1", marks.mean(axis=1), n * k)
    mean = marks.mean()
    inside = (marks.mean(axis=1) * (1 - marks.mean(axis=1))).sum() * k
    variance = (inside + 4 * widest(mean, n * k)) / (n * k - n + 4) / (n * k)
    ends(metrics, "pass_at_1_sample", mean, variance, student.ppf(0.975, n * k - n))


def held(metrics: dict[str, float], name: str, shares: Any, samples: int) -> None:
    n, mean = len(shares), shares.mean()
    variance = (shares.var() * n + 4 * widest(mean, n)) / (n + 3) / n
    variance = min(max(variance, mean * (1 - mean) / samples), mean * (1 - mean) / n)
    ends(metrics, name, mean, variance, student.ppf(0.975, n - 1))


def widest(mean: float, n: int) -> float:
    return (mean * n + 0.5) / (n + 1) * (1 - (mean * n + 0.5) / (n + 1))


def ends(metrics: dict[str, float], name: str, mean: float, variance: float, t: float) -> None:
    """Wilson: the ends are the p whose own standard error lies t times between p and the mean."""
    per_toss = t * t * variance / (mean * (1 - mean))
    low, high = sorted(np.roots([1 + per_toss, -2 * mean - per_toss, mean * mean]).real)
    assert (metrics[f"{name}_low"], metrics[f"{name}_high"]) == (pytest.approx(low), pytest.approx(high))


def majority(gold: str, said: list[str], correct: list[int]) -> bool:
    """The vote by asking the verifier about every pair of answers."""
    answers = [(find_answers(text).candidates or (None,))[-1] for text in said]
    parties: list[list[int]] = []
    for place, answer in enumerate(answers):
        if answer is None and not correct[place]:
            continue
        for party in parties:
            first = party[0]
            both = correct[first] and correct[place]
            neither = not correct[first] and not correct[place]
            if both or (neither and judge(str(answers[first]), f"<answer>{answer}</answer>").reward == 1.0):
                party.append(place)
                break
        else:
            parties.append([place])
    return bool(parties) and bool(correct[max(parties, key=lambda party: (len(party), -party[0]))[0]])


def test_lists_columns_and_lines_are_three_ways_to_say_the_same(tmp_path: Path) -> None:
    said = ["\\boxed{7}", "\\boxed{8}", "<think>a</think>7", "<think>\\boxed{7}"]
    one = written(tmp_path / "one.jsonl", {"gold": 7, "completion": said})
    two = written(tmp_path / "two.jsonl", {"gold": 7, "a": {"text": said[:2]}, "b": said[2], "c": said[3]})
    many = tmp_path / "many.jsonl.gz"
    many.write_bytes(
        gzip.compress(b"".join(json.dumps({"gold": 7, "id": 1, "completion": t}).encode() + b"\n" for t in said))
    )
    found = [
        only(evaluated(tmp_path, one)),
        only(evaluated(tmp_path, two, completions=("a.text", "b", "c"))),
        only(evaluated(tmp_path, many, problem="id")),
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][1] == [[1, 0, 1, 0]]
    assert found[0][0]["format"] == 0.25


def test_cons_at_k_takes_as_many_samples_of_every_problem(tmp_path: Path) -> None:
    """Of six samples the right answer has four, of the first three one, against 0.5 and 1/2."""
    said = ["\\boxed{7}", "\\boxed{0.5}", "\\boxed{1/2}", *["\\boxed{7}"] * 3]
    path = written(tmp_path / "a.jsonl", {"gold": 7, "completion": said}, {"gold": 7, "completion": ["7"] * 3})
    metrics, _ = only(evaluated(tmp_path, path))
    assert metrics["cons_at_3"] == 0.5
    assert metrics["pass_at_1"] == pytest.approx((4 / 6 + 1) / 2)


def test_a_thought_that_the_prompt_opened_and_nobody_closed_is_no_answer(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"gold": "7", "completion": "\\boxed{7}", "stop": "length"})
    assert only(evaluated(tmp_path, path))[1] == [[1]]
    metrics, correct = only(evaluated(tmp_path, path, prefilled=True, finished="stop"))
    assert (correct, metrics["truncated"]) == ([[0]], 1.0)


def test_models_are_compared_on_the_problems_they_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def model(name: str, right: int) -> Path:
        records = [
            {"gold": "7", "id": f"p{i}", "completion": "7" if i < right else "8", "seen": i == 0} for i in range(40)
        ]
        return written(tmp_path / name, *records)

    files = (model("base.jsonl", 10), model("good.jsonl", 30), model("alike.jsonl", 12))
    found = evaluated(tmp_path, *files, problem="id", contaminated="seen")
    assert {name: c["verdict"] for name, c in found["comparisons"].items()} == {
        "good.jsonl": "better",
        "alike.jsonl": "no difference shown at n = 40",
    }
    assert found["models"]["base.jsonl"]["metrics"]["contaminated"] == 1
    assert "good.jsonl beside base.jsonl: better (+0.500" in capsys.readouterr().out
    other = written(tmp_path / "other.jsonl", {"gold": "9", "id": "p0", "completion": "9"})
    with pytest.raises(DataError, match=r"problem p0 has gold '7' in base.jsonl and '9' in other.jsonl"):
        evaluated(tmp_path, files[0], other, problem="id")


@pytest.mark.parametrize(
    ("line", "columns", "reason"),
    [
        ('{"gold": "7"', {}, "line 2: not JSON"),
        ("[]", {}, "line 2: not a JSON object"),
        ('{"gold": "7"}', {}, "line 2: no column 'completion'; there are 'gold'"),
        ('{"gold": null, "completion": "7"}', {}, "line 2: no text under 'gold'"),
        ('{"gold": "7", "completion": null}', {}, "line 2: no text and no list of texts under 'completion'"),
        ('{"gold": "7", "completion": []}', {}, "line 2: no text and no list of texts"),
        ('{"gold": "7", "completion": "7"}', {"gold_after": "#"}, "line 2: no '#' in 'gold'"),
        ('{"gold": "8", "completion": "7", "id": "a"}', {"problem": "id"}, "line 2: problem 'a' has another gold"),
        ('{"gold": "7", "completion": "7", "id": "a", "end": "?"}', {"finished": "end"}, "line 2: 'end' is neither"),
        ('{"gold": "7", "completion": "7", "id": "a", "end": 1}', {"contaminated": "end"}, "line 2: 'end' is neither"),
    ],
)
def test_a_line_that_cannot_be_read_ends_it_with_its_number(
    tmp_path: Path, line: str, columns: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "a.jsonl"
    good = {"gold": "7", "completion": "#7", "id": "a", "end": True} | (
        {"gold": "#7"} if "gold_after" in columns else {}
    )
    path.write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(DataError) as error:
        read_completions(path, Columns(**columns), "math")
    assert reason in str(error.value)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "a.jsonl.gz"
    broken.write_bytes(b"no gzip")
    for path, reason in ((tmp_path / "none", "no such file"), (broken, "cannot be read")):
        with pytest.raises(DataError, match=reason):
            read_completions(path, Columns(), "math")
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="no lines at all"):
        read_completions(tmp_path / "empty", Columns(), "math")
    path = written(tmp_path / "b.jsonl", {"gold": "7", "completion": "7"})
    with pytest.raises(ConfigError, match="--verifier 'code' is not one of"):
        evaluated(tmp_path, path, verifier="code")
    with pytest.raises(ConfigError, match="the same file"):
        evaluated(tmp_path, path, path)
