"""The rollout browser's data: a bounded sample, token by token, that no markup reads."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.models import BUILTIN
from r1flow.components.core.rollout import Group, Rollout
from r1flow.components.evals.report import rollouts
from r1flow.components.evals.report.aha import address
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.rollouts import browse, dump, pieces
from r1flow.components.store.rollouts import lake
from tests.components.evals.test_aha_counts import group, rollout

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028\x00\u202e&lt;"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


@given(st.text() | st.just(EVIL))
def test_data_in_a_script_element_are_no_markup(text: str) -> None:
    page = f'<script type="application/json">{dump([text])}</script><p>'
    assert Tags(page).tags == ["script", "p"]
    assert json.loads(dump([text])) == [text]


def lake_of(directory: Path, steps: int, said: str = "1", problems: int = 10) -> Path:
    groups = [group(f"p{n}", (said, True), ("no", False)) for n in range(problems)]
    lake.write_shard(directory / "lake" / lake.shard_name(1, steps), [(step, groups) for step in range(1, steps + 1)])
    return directory


def test_a_sample_holds_the_first_and_the_last_step_and_whatever_is_wanted(tmp_path: Path) -> None:
    inputs = {"r1_zero": lake_of(tmp_path, 50)}
    (found,) = browse(inputs, {}, {"r1_zero": {(13, "p7")}}, Names())
    steps = sorted({entry["step"] for entry in found["groups"]})
    assert (steps[0], steps[-1], 13 in steps) == (1, 50, True)
    assert len(found["groups"]) == rollouts.STEPS * rollouts.GROUPS + 1
    assert (found["held"], found["whole"]) == (2 * len(found["groups"]), 1000)
    assert [len(entry["completions"]) for entry in found["groups"]] == [2] * len(found["groups"])


def test_a_group_shows_the_problem_of_its_own_dataset(tmp_path: Path) -> None:
    row = {"id": "p0", "prompt": "How many?", "answer": "1", "level": 3}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    inputs = {name: lake_of(tmp_path / name, 1, problems=1) for name in ("a", "b")}
    known, unknown = browse(inputs, {"a": tmp_path}, {}, Names({"a": "First"}))
    assert (known["name"], unknown["name"]) == ("First", "b")
    [(asked, gold, level)] = [(group["prompt"], group["gold"], group["level"]) for group in known["groups"]]
    assert (asked, gold, level) == ("How many?", "1", 3)
    assert unknown["groups"][0]["gold"] == ""


def test_what_does_not_fit_is_left_out_and_what_is_wanted_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "MAX_BYTES", 3000)
    inputs = {"r1_zero": lake_of(tmp_path, 50)}
    (found,) = browse(inputs, {}, {"r1_zero": {(13, "p7")}}, Names())
    assert len(dump(found["groups"])) < 3500
    assert (13, "p7") in {(entry["step"], entry["problem"]) for entry in found["groups"]}


def test_a_long_completion_is_shortened_and_says_so(tmp_path: Path) -> None:
    (found,) = browse({"r1": lake_of(tmp_path, 1, said="ab" * 5000, problems=1)}, {}, {}, Names())
    (text,) = found["groups"][0]["completions"][0]["text"]
    assert "characters left out" in text
    assert len(text) < 4 * (rollouts.HEAD + rollouts.TAIL) + 100
    assert found["groups"][0]["completions"][0]["tokens"] == 10_000


def test_tokens_are_told_apart_where_they_are_texts() -> None:
    letters = dict(enumerate("abc"))
    decode = lambda ids: "".join(letters.get(i, "\ufffd") for i in ids)  # noqa: E731
    assert pieces([0, 1, 2], "abc", decode) == ["a", "b", "c"]
    assert pieces([0, 1, 2], "ab", decode) == ["a", "b"]  # the last one ends the text
    assert pieces([0, 9], "a\u4e2d", decode) is None


def test_of_many_tokens_the_first_and_the_last_are_shown() -> None:
    ids = [0, 1] * 1000
    decode = lambda ids: "".join("ab"[i] if i < 2 else "" for i in ids)  # noqa: E731
    for end in ([], [2]):
        found = pieces([*ids, *end], "ab" * 1000, decode)
        assert found is not None
        assert "tokens left out" in found[rollouts.HEAD]
        assert len(found) in (rollouts.HEAD + rollouts.TAIL + 1, rollouts.HEAD + rollouts.TAIL)
    assert pieces(ids, "cb" + "ab" * 999, decode) is None


def test_the_stages_tokenizer_tells_tokens_apart(tmp_path: Path) -> None:
    from r1flow.components.core.models import load_tokenizer

    (tmp_path / "model").symlink_to(BUILTIN["tiny-base"])
    tokenizer = load_tokenizer(BUILTIN["tiny-base"])
    text = "<think>12+30=42;wait12+31=43</think>43"
    ids = tuple(tokenizer.encode(text, add_special_tokens=False))
    one = rollout("p", 0, text, True)
    made = Rollout(**{**vars(one), "ids": ids, "logprobs": (-0.25,) * len(ids)})
    lake.write_shard(tmp_path / "lake" / lake.shard_name(1, 1), [(1, [Group((made,), (0.5,))])])
    (found,) = browse({"r1": tmp_path}, {}, {}, Names())
    (completion,) = found["groups"][0]["completions"]
    assert "".join(completion["text"]) == text
    assert "wait" in completion["text"]
    assert completion["logprobs"] == [-0.25] * len(ids)
    assert (completion["advantage"], completion["rewards"]) == (0.5, {"accuracy": 1.0})


def test_an_address_survives_names_of_any_kind() -> None:
    assert address("r1", 2, "a/b#c %", 3) == "#rollout/r1/2/a%2Fb%23c%20%25/3"
