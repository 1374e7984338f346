"""Recall and exactness against the quadratic comparison of all pairs, on generated problems and on GSM8K and MATH."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.data.curation.pipeline import Curated, curate
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.curation.text import jaccard, shingles
from tests.fakes import word_problems
from tests.runs import ROOT

DATA = ROOT.parent / "shared" / "data"
SETTINGS = Curation()


def row(row_id: str, prompt: str, completion: str | None = None, answer: str = "a") -> Row:
    return Row(id=row_id, prompt=prompt, answer=answer, verifier="exact", source="s", completion=completion)


def run(rows: list[Row], tmp_path: Path, settings: Curation = SETTINGS) -> Curated:
    return curate(rows, {}, settings, work=tmp_path / "work", quarantine=tmp_path / "quarantine.jsonl")


def kept(rows: list[Row], tmp_path: Path) -> list[str]:
    return [r.id for r in run(rows, tmp_path).rows()]


def test_the_first_row_is_kept_and_the_others_name_it(tmp_path: Path) -> None:
    rows = [row("a", "What is 1?"), row("b", "other"), row("c", "what  IS 1?"), row("d", "What is 1? ")]
    found = run(rows, tmp_path)
    assert [r.id for r in found.rows()] == ["a", "b"]
    assert found.duplicates.exact == {2: 0, 3: 0}


def test_several_chains_for_one_prompt_are_not_duplicates(tmp_path: Path) -> None:
    rows = [row("a", "p", "one"), row("b", "p", "two"), row("c", "p"), row("d", "p", "One")]
    assert kept(rows, tmp_path) == ["a", "b", "c"]


def test_chains_are_near_duplicates_only_where_prompt_and_completion_are(tmp_path: Path) -> None:
    rng = Random(0)
    prompt, chain = word_problems.problem(rng)[0], word_problems.problem(rng)[0]
    other = word_problems.problem(rng)[0]
    rows = [row("a", prompt, chain), row("b", prompt, other), row("c", prompt + " Please.", chain + " Done.")]
    assert kept(rows, tmp_path) == ["a", "b"]


def test_rows_with_other_numbers_and_another_answer_are_variants(tmp_path: Path) -> None:
    text = "A farmer who lives beside the old mill has %s sheep and buys a few more sheep at the fair. How many sheep has he?"
    rows = [row("a", text % 12, answer="15"), row("b", text % 13, answer="16"), row("c", text % 14, answer="15")]
    found = run([*rows, row("d", text % "twelve", answer="15")], tmp_path)
    assert [r.id for r in found.rows()] == ["a", "b"]  # c has a's answer, and d its number in a word
    assert found.variants == {1: 0}
    assert (found.counts()["variants"], found.counts()["variant_groups"]) == (2, 1)


def test_a_changed_sign_with_another_answer_is_a_variant(tmp_path: Path) -> None:
    text = "Let x be the only real number for which the following equation holds and find its value: x %s 3 = 5"
    assert kept([row("a", text % "+", answer="2"), row("b", text % "-", answer="8")], tmp_path) == ["a", "b"]


def test_no_chain_of_small_steps_drops_a_row_far_from_what_is_kept(tmp_path: Path) -> None:
    words = list(word_problems.WORDS[:30])
    texts = []
    for step in range(12):  # one word more is exchanged at every step
        texts.append(" ".join([f"new{place}" if place < step else word for place, word in enumerate(words)]))
    found = run([row(str(step), text) for step, text in enumerate(texts)], tmp_path)
    for dropped, leader in found.duplicates.near.items():
        assert found.keep[leader]
        assert jaccard(shingles(texts[dropped], 2), shingles(texts[leader], 2)) >= 0.8
    assert 1 < found.counts()["kept"] < 12


def sources() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    rng = Random(1)
    yield "generated", [word_problems.problem(rng) for _ in range(100)]
    if DATA.is_dir():
        with (DATA / "gsm8k" / "train.jsonl").open(encoding="utf-8") as lines:
            gsm8k = [json.loads(line) for line in lines]
        with (DATA / "math" / "train_answers.jsonl").open(encoding="utf-8") as lines:
            mathematics = [json.loads(line) for line in lines]
        pairs = [(entry["question"], entry["answer"].rpartition("####")[2].strip()) for entry in rng.sample(gsm8k, 50)]
        yield "real", pairs + [(entry["problem"], entry["answer"]) for entry in rng.sample(mathematics, 50)]


@pytest.mark.parametrize("name", ["generated", "real"])
def test_near_duplicates_are_found_and_every_one_is_exact(name: str, tmp_path: Path) -> None:
    problems = dict(sources()).get(name)
    if problems is None:
        pytest.skip(f"no real problems at {DATA}")
    rng = Random(2)
    rows = [row(f"{place}", text, answer=answer) for place, (text, answer) in enumerate(problems)]
    for change in word_problems.ALL:
        for place, (text, answer) in enumerate(problems):
            other = f"{answer} and {rng.randrange(10**6)}" if change is word_problems.in_numbers else answer
            rows.append(row(f"{place}-{change.__name__}", change(text, rng), answer=other))
    found = run(rows, tmp_path)
    sets = [shingles(r.prompt, SETTINGS.shingle) for r in rows]
    for dropped, leader in found.duplicates.near.items():
        similarity = jaccard(sets[dropped], sets[leader])
        assert similarity == pytest.approx(found.duplicates.similarity[dropped], abs=1e-12)
        assert similarity >= SETTINGS.similar
        assert found.keep[leader]
        assert leader < dropped
    heads = {**{head: head for head in found.variants.values()}, **found.variants}
    pairs = [(i, j) for i in range(len(rows)) for j in range(i) if jaccard(sets[i], sets[j]) >= SETTINGS.similar]
    met = [not (found.keep[i] and found.keep[j]) or heads.get(i, -1) == heads.get(j, -2) for i, j in pairs]
    assert len(pairs) > 400
    assert sum(met) / len(pairs) >= 0.98
    changed = [
        place for place, r in enumerate(rows) if r.id.endswith("in_numbers") and any(c.isdigit() for c in r.prompt)
    ]
    assert sum(found.keep[changed]) >= 0.98 * len(changed)  # but where two of them became the same problem
