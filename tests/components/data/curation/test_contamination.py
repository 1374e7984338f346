"""Evaluation problems planted in training rows."""

import json
from pathlib import Path
from random import Random

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.data.curation.contamination import Match
from r1flow.components.data.curation.pipeline import curate
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.sources import tiny_key, tiny_rows
from tests.fakes import word_problems
from tests.runs import ROOT

DATA = ROOT.parent / "shared" / "data"
LONG = "A train leaves the station at nine and travels north at forty miles an hour."
LORE = "Here is what I found in an old book of riddles, copied by hand. {} I never solved it, and my teacher did not either."


def row(row_id: str, prompt: str, completion: str | None = None, answer: str = "a") -> Row:
    return Row(id=row_id, prompt=prompt, answer=answer, verifier="exact", source="s", completion=completion)


def run(train: list[Row], evaluation: list[Row], tmp_path: Path, settings: Curation = Curation(), **given: object):  # noqa: B008
    work = {"work": tmp_path / "work", "quarantine": tmp_path / "quarantine.jsonl"}
    found = curate(train, {"suite": evaluation}, settings, **work, **given)
    return [r.id for r in found.rows()], found.matches


def rules(matches: list[Match]) -> list[str]:
    return [match.rule for match in matches]


def test_clean_rows_pass(tmp_path: Path) -> None:
    train = [row("t", "something else entirely"), row("u", "A train leaves the station at nine in the dark of night")]
    assert run(train, [row("e", LONG)], tmp_path) == (["t", "u"], [])


def test_the_same_normalised_prompt_matches(tmp_path: Path) -> None:
    kept, matches = run([row("t", "what IS  1+1?")], [row("e", "What is 1+1?")], tmp_path)
    assert (kept, matches) == ([], [Match(0, "suite", "e", "identical", 1.0, "what is 1+1?")])


def test_ten_shared_words_match_in_prompt_or_completion(tmp_path: Path) -> None:
    shared = "train leaves the station at nine and travels north at"
    train = [row("t", f"Once the {shared} dawn"), row("u", "Tell me.", f"<think>{LONG}</think>"), row("v", shared[6:])]
    kept, matches = run(train, [row("e", LONG)], tmp_path)
    assert kept == ["v"]
    assert matches == [
        Match(0, "suite", "e", "ngram", round(10 / 15, 4), shared),
        Match(1, "suite", "e", "ngram", 1.0, LONG.lower().rstrip(".")),
    ]


def test_a_stock_phrase_of_ten_words_is_no_match_unless_the_plain_rule_is_asked_for(tmp_path: Path) -> None:
    phrase = "Express your answer as a decimal rounded to the nearest hundredth."
    train = [row("t", f"How long is the river of my home village in summer? {phrase}")]
    problem = [
        row(
            "e",
            f"A cube of ice melts in the sun and loses a third of its weight each minute. When is it gone? {phrase}",
        )
    ]
    assert run(train, problem, tmp_path) == (["t"], [])
    kept, matches = run(train, problem, tmp_path, Curation(ngram_share=0.0))
    assert (kept, rules(matches)) == ([], ["ngram"])


def test_chinese_characters_are_words(tmp_path: Path) -> None:
    text = "\u5c0f\u660e\u6709\u4e94\u4e2a\u82f9\u679c\u548c\u4e09\u4e2a\u68a8"
    _, matches = run([row("t", f"\u95ee\uff1a{text}\uff1f")], [row("e", text)], tmp_path)
    assert rules(matches) == ["ngram"]


def test_problems_of_less_than_ten_words_are_matched_whole(tmp_path: Path) -> None:
    train = [
        row("a", "Warm up first. Compute $17 + 25$, then go on."),
        row("b", "Compute 17 - 25"),
        row("c", "Compute 17 + 26"),
        row("d", "My essay on what x is"),
        row("e", "what  IS x"),
    ]
    kept, matches = run(train, [row("p", "Compute $17+25$."), row("q", "What is x")], tmp_path)
    assert kept == ["b", "c", "d"]
    assert rules(matches) == ["whole", "identical"]


def test_a_numeric_variant_is_reported_apart_and_dropped_unless_told_otherwise(tmp_path: Path) -> None:
    text = "A plane travels %d miles in %d hours. At the same rate, how many additional hours would it take for %d miles more?"
    train = [row("t", text % (1250, 4, 2500))]
    kept, matches = run(train, [row("e", text % (1200, 3, 2000))], tmp_path)
    assert (kept, rules(matches)) == ([], ["variant"])
    kept, matches = run(
        train, [row("e", text % (1200, 3, 2000))], tmp_path, Curation(drop_variants=False, ngram_share=0.9)
    )
    assert (kept, rules(matches)) == (["t"], ["variant"])


def test_a_sum_is_the_same_problem_in_any_order_of_its_terms(tmp_path: Path) -> None:
    evaluation = tiny_rows("sum", 40, 0, ())
    turned = [
        r.model_copy(update={"id": f"t-{r.id}", "prompt": "+".join(r.prompt.split("+")[::-1])}) for r in evaluation
    ]
    fresh = tiny_rows("sum", 20, 5, {tiny_key(r) for r in evaluation})
    kept, matches = run([*turned, *fresh], evaluation, tmp_path, Curation(near=False), key=tiny_key)
    assert kept == [r.id for r in fresh]
    assert [match.problem for match in matches] == [r.id for r in evaluation]
    assert set(rules(matches)) <= {"key", "identical"}


def real(path: str, field: str) -> list[str]:
    with (DATA / path).open(encoding="utf-8") as lines:
        return [json.loads(line)[field] for line in lines]


@pytest.mark.parametrize("name", ["generated", "real"])
def test_planted_problems_are_found_and_clean_rows_pass(name: str, tmp_path: Path) -> None:
    rng = Random(3)
    if name == "generated":
        made = [word_problems.problem(rng)[0] for _ in range(900)]
        problems, clean = made[:300], made[300:]
    elif DATA.is_dir():
        problems = rng.sample(real("gsm8k/test.jsonl", "question"), 200) + rng.sample(
            real("math500/test.rows000-249.jsonl", "problem"), 100
        )
        clean = rng.sample(real("gsm8k/train.jsonl", "question"), 600)
    else:
        pytest.skip(f"no real problems at {DATA}")
    train = [row(f"verbatim-{i}", text) for i, text in enumerate(problems)]
    train += [row(f"embedded-{i}", LORE.format(text)) for i, text in enumerate(problems)]
    reworded = {i: changed for i, text in enumerate(problems) if (changed := word_problems.in_words(text, rng)) != text}
    train += [row(f"reworded-{i}", word_problems.in_names(text, rng)) for i, text in reworded.items()]
    train += [row(f"clean-{i}", text) for i, text in enumerate(clean)]
    kept, _ = run(train, [row(f"e{i}", text, answer="b") for i, text in enumerate(problems)], tmp_path)
    left = [kept_id.partition("-")[0] for kept_id in kept]
    assert len(reworded) > 150
    assert left.count("verbatim") == 0
    assert left.count("reworded") <= 0.1 * len(reworded)
    assert len(clean) - left.count("clean") <= 0.005 * len(clean)
    embedded = [i for i in range(len(problems)) if f"embedded-{i}" in kept]
    assert not [problems[i] for i in embedded]
