"""What a dataset is made of and what was dropped, from its files alone."""

import json

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.data.composition import card, compose, dropped, falls
from r1flow.components.data.files import dump_rows

COUNTS = {"read": 9, "quarantined": 2, "contaminated": 1, "near_duplicates": 2, "odd": 0, "kept": 4, "evaluation": 5}


@pytest.fixture
def dataset(tmp_path):
    def row(i, **fields):
        given = {"id": f"r{i}", "prompt": "x" * (10 * i + 1), "answer": "1", "verifier": "exact", "source": "gsm"}
        return Row(**given | fields)

    dump_rows(
        [row(1, level=2, licence="MIT"), row(2, level=1), row(3, licence="MIT"), row(4, source="a|b")],
        tmp_path / "train.jsonl",
    )
    report = {
        "counts": COUNTS,
        "duplicates": [{"id": f"d{i}", "duplicate_of": "r1", "rule": "near"} for i in range(5)]
        + [{"id": "e", "duplicate_of": "r2"}],
        "contaminated": [
            {"train_id": "c", "eval_id": "aime-3", "rule": "ngram", "shared": "s" * 300},
            {"train_id": "kept", "eval_id": "aime-4", "rule": "ngram", "shared": "s", "dropped": False},
        ],
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    bad = [{"source": "a.jsonl", "line": n, "reason": "not JSON", "excerpt": "{|"} for n in (3, 8)]
    (tmp_path / "quarantine.jsonl").write_text("".join(json.dumps(b) + "\n" for b in bad))
    return tmp_path


def test_every_row_is_in_every_table_that_speaks_of_it(dataset):
    found = compose(dataset)
    assert found.rows == 4
    assert found.tables() == {
        "source and licence": [("gsm (MIT)", 2), ("a|b (not stated)", 1), ("gsm (not stated)", 1)],
        "level": [("1", 1), ("2", 1)],
        "characters of the prompt": [("below 16", 1), ("below 32", 2), ("below 64", 1)],
    }


def test_the_waterfall_goes_from_read_to_kept_in_the_order_of_the_counts():
    assert [(name, number) for name, _, number in falls(COUNTS)] == list(COUNTS.items())[:-1]
    assert sum(number for name, _, number in falls(COUNTS) if name not in ("read", "kept")) == 9 - 4
    assert falls({"kept": 3}) == []


def test_dropped_rows_are_shown_by_reason_a_few_of_each(dataset):
    shown = {d.reason: [(e.row, e.why) for e in d.examples] for d in dropped(dataset)}
    assert list(shown) == [
        "met an evaluation problem: ngram",
        "says what another row says: near",
        "says what another row says",
        "malformed: not JSON",
    ]
    assert [row for row, _ in shown["says what another row says: near"]] == ["d0", "d1", "d2"]
    ((row, why),) = shown["met an evaluation problem: ngram"]
    assert (row, len(why), why[-1]) == ("c", 120, "\u2026")
    assert shown["malformed: not JSON"] == [("a.jsonl, line 3", "{|"), ("a.jsonl, line 8", "{|")]


def test_the_card_has_it_all_and_text_from_outside_stays_in_its_cell(dataset):
    page = card(dataset, "Training problems")
    assert page.startswith("# Training problems\n\n| step | rows |\n| --- | --- |\n| read from the sources | 9 |\n")
    assert r"| a\|b (not stated) | 1 |" in page
    assert r"| malformed: not JSON | a.jsonl, line 3 | {\| |" in page
    assert page == card(dataset, "Training problems")
