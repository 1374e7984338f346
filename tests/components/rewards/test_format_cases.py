"""The formats and shaping rewards agree with the cases of open-r1's, TRL's and NeMo RL's own tests."""

import json
import operator
import re
from collections import Counter
from typing import Any

import pytest

from r1flow.components.rewards.format import has_code_block, has_format
from r1flow.components.rewards.shaping import cosine_length, group_length, repetition_penalty, soft_overlong
from r1flow.components.rewards.tags import tag_count
from tests.runs import ROOT

CASES = ROOT.parent / "shared" / "data" / "verifier_cases" / "format_cases.jsonl"
NOT_OFFERED = {
    "reasoning_steps": "counts words such as 'First,': three of them earn everything, whatever is said",
    "weighted_tag_format": "pays 0.75 for an answer without a thought",
}
NOT_OURS = {"fc-c92a07f5da": "an unreadable gold answer is masked before shaping, which is told correct or not"}
RELATIONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def cases() -> list[dict[str, Any]]:
    if not CASES.is_file():
        return []
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def offered() -> list[Any]:
    kept = [case for case in cases() if case["reward"] not in NOT_OFFERED and case["id"] not in NOT_OURS]
    return [pytest.param(case, id=f"{case['reward']}-{case['id']}") for case in kept]


def value(case: dict[str, Any]) -> float:
    given, params = case["input"], case["params"]
    match case["reward"]:
        case "think_answer_format_strict":
            return float(has_format(given["completion"], "think_answer_strict"))
        case "think_format":
            return float(has_format(given["completion"], "think"))
        case "code_format":
            return float(has_code_block(given["completion"], params["language"]))
        case "tag_count":
            return tag_count(given["completion"])
        case "soft_overlong":
            return soft_overlong(given["completion_tokens"], params["max_completion_len"], params["soft_punish_cache"])
        case "ngram_repetition_penalty":
            units = given["completion_ids"] if "completion_ids" in given else given["completion"]
            return repetition_penalty(units or "", params["ngram_size"], params["max_penalty"])
        case "cosine_length_scaled":
            length = given.get("length_tokens", given.get("length_chars"))
            return cosine_length(
                given["gold"] in given["completion"],
                length,
                params["max_len"],
                if_correct=(params["max_value_correct"], params["min_value_correct"]),
                if_wrong=(params["min_value_wrong"], params["max_value_wrong"]),
            )
        case other:
            raise AssertionError(f"no reward here is called {other}")


def holds(relation: str, rewards: list[float]) -> bool:
    found = re.fullmatch(r"r\[(\d)\](>=|<=|==|>|<)(?:r\[(\d)\]|(.+))", relation)
    assert found, relation
    left, sign, index, number = found.groups()
    return RELATIONS[sign](rewards[int(left)], rewards[int(index)] if index else float(number))


@pytest.mark.skipif(not CASES.is_file(), reason="the shared data is not beside this checkout")
def test_the_cases_are_all_here() -> None:
    counted = Counter(case["reward"] for case in cases())
    assert counted.total() == 71
    assert counted.total() - len(offered()) == 3 + 7 + 1
    assert all(reward in counted for reward in NOT_OFFERED)


@pytest.mark.skipif(not CASES.is_file(), reason="the shared data is not beside this checkout")
@pytest.mark.parametrize("case", offered())
def test_the_case_comes_out_as_its_suite_says(case: dict[str, Any]) -> None:
    expected = case["expected"]
    if case["reward"] == "kimi_length_group":
        texts, golds = case["input"]["completions"], case["input"]["golds"]
        correct = [gold in text for gold, text in zip(golds, texts, strict=True)]
        rewards = group_length(correct, [len(text) for text in texts])
        assert all(holds(relation.strip(), rewards) for relation in expected.split(";")), rewards
    elif isinstance(expected, str):
        with pytest.raises(ValueError, match=expected.removeprefix("error: ")):
            value(case)
    else:
        assert round(value(case) - expected, case["params"].get("places", 7)) == 0
