"""From a lake, or from demonstrations, to SFT data with its card: what is in it, what it is made from, always the same bytes."""

import json

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.rollout import Group
from r1flow.components.core.schema import Message, Row
from r1flow.components.core.tests import CodeTests
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.data.sources.tiny import tiny_rows, with_worked_completion
from r1flow.components.programs.demonstrations import need_answers
from r1flow.components.programs.select import main
from r1flow.components.store.rollouts import lake
from tests.fakes.tiny import make_rollout

TINY = {
    "prompt": {"template": "tiny", "format": "think"},
    "language": {"target": "0123456789", "other": "abcdefghij", "reflection_words": ["wait"]},
}


def row(name, **fields):
    return Row(**({"id": name, "prompt": f"{name}?", "answer": "1", "verifier": "exact", "source": "gsm"} | fields))


@pytest.fixture
def inputs(tmp_path):
    dataset, general, policy = tmp_path / "dataset", tmp_path / "general", tmp_path / "policy"
    dataset.mkdir(), general.mkdir()
    dump_rows(
        [row("a", licence="MIT", level=1), row("b", licence="A|B", source="math|x", level=2)], dataset / "train.jsonl"
    )
    dump_rows([row(f"g{i}", completion="done", skill="chat", source="talk") for i in range(8)], general / "sft.jsonl")
    groups = [
        Group(
            tuple(
                make_rollout(
                    (1,), (5, 6, 7, sample, 9), prompt_id=name, text=f"{name} {sample}", sample=sample, verdict=v
                )
                for sample, v in enumerate(["CORRECT", "WRONG", "CORRECT", "CORRECT"])
            ),
            (0.0,) * 4,
        )
        for name in ("a", "b")
    ]
    lake.write_shard(policy / "lake" / lake.shard_name(1, 1), [(1, groups)])
    return {"from": str(policy), "problems": str(dataset), "mix.0": str(general)}


def run(tmp_path, inputs, name="out", mixed=None, reads=None, **config):
    out = tmp_path / name
    settings = {"from": "from", "examples": 100, "per_problem": 2} | config
    spec = {
        "stage": "teaching",
        "seed": 3,
        "config": settings | ({"mix": {"mix.0": mixed}} if mixed else {}),
        "notes": {"made_from": {"from": "rl/ab", "problems": "dataset/cd"}},
        **(reads or {}),
        "inputs": inputs,
        "out": str(out),
        "work": str(tmp_path),
        "store": "x",
        "checkpoints": "y",
    }
    return out, main(spec)


def test_a_set_holds_what_was_chosen_and_general_data_by_its_share(tmp_path, inputs):
    out, metrics = run(tmp_path, inputs, mixed={"share": 0.5})
    assert metrics == {
        "seen": 8, "not_correct": 2, "enough_of_problem": 2, "good": 4, "selected": 4, "general": 4,
    }  # fmt: skip
    rows = load_rows(out / "sft.jsonl")
    assert sorted(r.source for r in rows) == ["lake"] * 4 + ["talk"] * 4
    assert all(r.completion for r in rows)


def test_the_card_says_whence_and_under_which_licence(tmp_path, inputs):
    out, _ = run(tmp_path, inputs, mixed={"rows": 3})
    card = json.loads((out / "card.json").read_text())
    assert card["licences"] == {"not stated": 3, "A|B": 2, "MIT": 2}
    assert card["sources"][0] == {"origin": "general data", "source": "talk", "licence": "not stated", "rows": 3}
    assert (card["rows"], card["problems"], card["levels"]) == (7, 5, {"1": 2, "2": 2})
    assert card["language"] == {"target": "en", "measured": 4, "least": 1.0, "median": 1.0, "mean": 1.0, "most": 1.0}
    assert card["tokens"]["most"] == 5
    assert card["rules"]["per_problem"] == 2
    assert card["made_from"] == {"from": "rl/ab", "problems": "dataset/cd"}
    assert not {"kind", "title", "prompt", "language", "from", "source"} & set(card["rules"])
    page = (out / "card.md").read_text()
    assert "# SFT data of teaching\n" in page
    assert r"| sampled | math\|x | A\|B | 2 |" in page
    assert "* from: `rl/ab`" in page


def test_two_runs_give_the_same_bytes(tmp_path, inputs):
    one, other = (run(tmp_path, inputs, name, mixed={"rows": 2})[0] for name in ("one", "other"))
    for path in sorted(one.iterdir()):
        assert path.read_bytes() == (other / path.name).read_bytes()


def test_more_general_data_than_there_is_and_an_empty_selection_are_errors(tmp_path, inputs):
    with pytest.raises(DataError, match=r"teaching\.mix\.0: 9 rows are asked for, and there are 8"):
        run(tmp_path, inputs, mixed={"rows": 9})
    with pytest.raises(DataError, match=r"teaching\.mix\.0: 16 rows are asked for, and there are 8"):
        run(tmp_path, inputs, mixed={"share": 0.8})  # beside 4: 4 / 0.2 - 4
    with pytest.raises(DataError, match=r"teaching: no completion is good enough .*; loosen the stage's settings"):
        run(tmp_path, inputs, max_tokens=4)


def demonstrations(tmp_path, rows):
    directory = tmp_path / "traces"
    directory.mkdir(exist_ok=True)
    dump_rows(rows, directory / "sft.jsonl")
    return {"from": str(directory)}


def worked(num=6):
    return [with_worked_completion(row) for row in tiny_rows("string", num, 0, ())]


def test_of_demonstrations_the_correct_and_well_formed_ones_stay_as_they_were(tmp_path):
    good = worked()
    bad = {
        "wrong": good[0].model_copy(update={"id": "wrong", "answer": "zzz"}),
        "open": good[1].model_copy(update={"id": "open", "completion": good[1].completion.replace("</think>", "")}),
        "bare": good[2].model_copy(update={"id": "bare", "completion": f"</think>{good[2].answer}"}),
        "foreign": good[3].model_copy(update={"id": "foreign", "completion": f"<think>abcabc</think>{good[3].answer}"}),
    }
    out, metrics = run(tmp_path, demonstrations(tmp_path, [*good, *bad.values()]), reads=TINY)
    rows = load_rows(out / "sft.jsonl")
    assert sorted(rows, key=lambda row: row.id) == sorted(
        good, key=lambda row: row.id
    )  # source and completion are theirs
    assert metrics == {
        "seen": 10, "good": 6, "not_correct": 2, "malformed": 1, "unreadable": 1, "selected": 6, "general": 0,
    }  # fmt: skip


def test_several_demonstrations_of_one_problem_are_all_looked_at(tmp_path):
    (first,) = worked(1)[:1]
    wrong = first.model_copy(update={"completion": "<think>12</think>no"})
    out, metrics = run(tmp_path, demonstrations(tmp_path, [first, wrong, first]), reads=TINY)
    assert metrics == {"seen": 3, "good": 1, "not_correct": 1, "repeated": 1, "selected": 1, "general": 0}
    assert load_rows(out / "sft.jsonl") == [first]


def test_the_same_demonstrations_give_the_same_bytes(tmp_path):
    inputs = demonstrations(tmp_path, worked(12))
    one, other = (run(tmp_path, inputs, name, reads=TINY, examples=5)[0] for name in ("one", "other"))
    assert len(load_rows(one / "sft.jsonl")) == 5
    for path in sorted(one.iterdir()):
        assert path.read_bytes() == (other / path.name).read_bytes()


def test_mathematics_is_compared_as_in_training(tmp_path):
    given = {"verifier": "math", "answer": "1/2"}
    rows = [
        row("a", completion="<think>we add the two halves of it</think>It is \\boxed{0.5}.", **given),
        row("b", completion="<think>we add the two halves of it</think>It is \\boxed{0.25}.", **given),
    ]
    reads = {"prompt": {"format": "think"}, "language": {"target": "en"}}
    out, metrics = run(tmp_path, demonstrations(tmp_path, rows), reads=reads)
    assert [kept.id for kept in load_rows(out / "sft.jsonl")] == ["a"]
    assert metrics["not_correct"] == 1


def test_demonstrations_without_answers_are_refused_before_any_is_scored(tmp_path):
    rows = [*worked(2), row("chat:7", answer="", completion="hello"), row("chat:9", answer="", completion="bye")]
    with pytest.raises(DataError) as caught:
        run(tmp_path, demonstrations(tmp_path, rows), reads=TINY)
    assert str(caught.value).startswith(
        "teaching.from: 2 of 4 demonstrations have no answer to hold their completion against (first: chat:7); give the source "
    )
    assert not (tmp_path / "out").exists()


def test_a_program_has_its_tests_in_place_of_an_answer():
    tests = CodeTests.model_validate({"stdio": [{"stdin": "1", "stdout": "1"}]})
    code = {"verifier": "code", "answer": "", "completion": "x"}
    need_answers([row("a", tests=tests, **code), row("b", answer="2", completion="y")], "s.from")
    with pytest.raises(DataError, match=r"s\.from: 1 of 1 demonstrations have no answer"):
        need_answers([row("a", **(code | {"answer": "print(1)"}))], "s.from")
    chat = row("c", answer="", messages=(Message(role="user", content="hi"),), completion="x")
    with pytest.raises(DataError, match=r"first: c\)"):
        need_answers([chat], "s.from")
