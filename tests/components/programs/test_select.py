"""From a lake to a teaching set with its card: what is in it, what it is made from, always the same bytes."""

import json

import pytest

from r1flow.components.core.errors import DataError
from r1flow.components.core.rollout import Group
from r1flow.components.core.schema import Row
from r1flow.components.data.files import dump_rows, load_rows
from r1flow.components.programs.select import main
from r1flow.components.store.rollouts import lake
from tests.fakes.tiny import make_rollout


def row(name, **fields):
    return Row(**({"id": name, "prompt": f"{name}?", "answer": "1", "verifier": "exact", "source": "gsm"} | fields))


@pytest.fixture
def inputs(tmp_path):
    dataset, policy = tmp_path / "dataset", tmp_path / "policy"
    dataset.mkdir()
    dump_rows(
        [row("a", licence="MIT", level=1), row("b", licence="A|B", source="math|x", level=2)], dataset / "train.jsonl"
    )
    dump_rows(
        [row(f"g{i}", completion="done", skill="chat", source="talk") for i in range(8)], dataset / "general.jsonl"
    )
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
    return {"dataset": str(dataset), "policy": str(policy)}


def run(tmp_path, inputs, name="out", **reject):
    out = tmp_path / name
    settings = {"select": {"examples": 100, "per_problem": 2}} | reject
    spec = {
        "stage": "reject",
        "seed": 3,
        "config": {"reject": settings},
        "notes": {"made_from": {"policy": "grpo/ab", "dataset": "dataset/cd"}},
        "inputs": inputs,
        "out": str(out),
        "work": str(tmp_path),
        "store": "x",
        "checkpoints": "y",
    }
    return out, main(spec)


def test_a_set_holds_what_was_chosen_and_general_data_by_its_share(tmp_path, inputs):
    out, metrics = run(tmp_path, inputs, general_share=0.5)
    assert metrics == {
        "seen": 8, "not_correct": 2, "enough_of_problem": 2, "good": 4, "selected": 4, "general": 4,
    }  # fmt: skip
    rows = load_rows(out / "sft.jsonl")
    assert sorted(r.source for r in rows) == ["lake"] * 4 + ["talk"] * 4
    assert all(r.completion for r in rows)


def test_the_card_says_whence_and_under_which_licence(tmp_path, inputs):
    out, _ = run(tmp_path, inputs, general=3)
    card = json.loads((out / "card.json").read_text())
    assert card["licences"] == {"not stated": 3, "A|B": 2, "MIT": 2}
    assert card["sources"][0] == {"origin": "general data", "source": "talk", "licence": "not stated", "rows": 3}
    assert (card["rows"], card["problems"], card["levels"]) == (7, 5, {"1": 2, "2": 2})
    assert card["language"] == {"target": "en", "measured": 4, "least": 1.0, "median": 1.0, "mean": 1.0, "most": 1.0}
    assert card["tokens"]["most"] == 5
    assert card["rules"]["per_problem"] == 2
    assert card["made_from"] == {"policy": "grpo/ab", "dataset": "dataset/cd"}
    page = (out / "card.md").read_text()
    assert "# Teaching set of reject\n" in page
    assert r"| sampled | math\|x | A\|B | 2 |" in page
    assert "* policy: `grpo/ab`" in page


def test_two_runs_give_the_same_bytes(tmp_path, inputs):
    one, other = (run(tmp_path, inputs, name, general=2)[0] for name in ("one", "other"))
    for path in sorted(one.iterdir()):
        assert path.read_bytes() == (other / path.name).read_bytes()


def test_more_general_data_than_there_is_and_an_empty_selection_are_errors(tmp_path, inputs):
    with pytest.raises(DataError, match=r"reject\.general: 9 rows, and the dataset has 8"):
        run(tmp_path, inputs, general=9)
    with pytest.raises(DataError, match=r"general_share: a share of 0.8 beside 4 completions is 16 rows"):
        run(tmp_path, inputs, general_share=0.8)
    with pytest.raises(DataError, match="loosen select"):
        run(tmp_path, inputs, select={"examples": 5, "max_tokens": 4})
