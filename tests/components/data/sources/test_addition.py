"""Sums in English: right, the same for a seed, distinct in any order of their terms, and shown as they are worked out."""

import re
from collections import Counter

import pytest

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.curation.text import normalise, words
from r1flow.components.data.intake import Intake
from r1flow.components.data.sources import read_source, row_key
from r1flow.components.data.sources.addition import addition_key, addition_rows, with_worked_sum, worked_sum
from r1flow.components.recipe.data import DatasetConfig, SourceConfig
from r1flow.components.recipe.origins import Origin
from r1flow.components.rewards.accuracy import score_answer
from r1flow.components.rewards.format import has_format

ALL = addition_rows(4095, 0)


def terms(row: Row) -> tuple[int, int]:
    one, other = re.findall(r"\d+", row.prompt)
    return int(one), int(other)


def test_answers_are_right_and_the_terms_have_two_digits() -> None:
    for row in ALL:
        assert all(10 <= term <= 99 for term in terms(row))
        assert row.answer == str(sum(terms(row)))


def test_every_sum_is_there_once_in_whatever_order_its_terms_stand() -> None:
    assert len({tuple(sorted(terms(row))) for row in ALL}) == len({row_key(row) for row in ALL}) == len(ALL)
    turned = ["What is 23 + 48? Reply with <think>...</think> <answer>...</answer>."]
    turned.append(turned[0].replace("23 + 48", "48 + 23"))
    assert {addition_key(text) for text in turned} == {"addition:23+48"}
    assert addition_key(turned[0] + " Quickly.") is None
    assert 0.4 < sum(one > other for one, other in map(terms, ALL)) / len(ALL) < 0.6


def test_the_level_is_how_often_the_digits_carry() -> None:
    by_hand = {(a, b): (a % 10 + b % 10 > 9) + (a + b > 99) for a, b in map(terms, ALL)}
    assert {terms(row): row.level for row in ALL} == by_hand
    assert set(Counter(row.level for row in ALL)) == {0, 1, 2}


def test_rows_depend_on_the_seed_alone_and_one_id_is_one_sum() -> None:
    assert addition_rows(40, 1) == addition_rows(400, 1)[:40]
    assert [row.prompt for row in addition_rows(40, 1)] != [row.prompt for row in addition_rows(40, 2)]


def test_a_worked_sum_is_right_well_formed_and_says_every_step() -> None:
    for row in ALL[:200]:
        worked = with_worked_sum(row)
        assert worked == row.model_copy(update={"completion": worked_sum(*terms(row))})
        assert worked.completion is not None
        assert score_answer(worked.completion, row).reward == 1.0
        assert has_format(worked.completion, "think_answer")
        thought = worked.completion.partition("</think>")[0]
        for left, right in re.findall(r"(\d[\d +]*) = (\d+)", thought):
            assert sum(map(int, left.split("+"))) == int(right)
        assert ("Carry 1" in thought) == (sum(term % 10 for term in terms(row)) > 9)


def test_a_named_source_has_its_name_its_licence_and_its_verifier() -> None:
    source = SourceConfig(generator="english/addition", size=3, licence="Apache-2.0", verifier="exact")
    rows = [row for row in read_source(source, "mine", seed=0, setting="x") if isinstance(row, Row)]
    assert [row.prompt for row in rows] == [row.prompt for row in ALL[:3]]
    assert {(row.source, row.licence, row.verifier, row.skill) for row in rows} == {
        ("mine", "Apache-2.0", "exact", "addition")
    }
    plain = SourceConfig(generator="english/addition", size=3)
    assert (plain.judged_by, plain.skill_of_rows, plain.is_tiny) == ("math", "addition", False)
    assert DatasetConfig(sources={"sums": plain}).has_keyed_problems_alone


def test_demonstrations_of_it_are_worked_and_problems_are_not() -> None:
    origin = Origin("sums", "x", SourceConfig(generator="english/addition", size=5))
    shown = [row for row in Intake(0.0).items([origin], 0, demonstrations=True) if isinstance(row, Row)]
    asked = [row for row in Intake(0.0).items([origin], 0) if isinstance(row, Row)]
    assert [row.completion for row in shown] == [worked_sum(*terms(row)) for row in asked]
    assert {row.completion for row in asked} == {None}


def test_the_instruction_is_too_short_to_count_as_overlap_with_an_evaluation_problem() -> None:
    common = DatasetConfig.model_fields["ngram"].default
    said = [words(normalise(row.prompt)) for row in ALL[:2]]
    assert all(len(text) <= common for text in said)  # a run of so many words holds the numbers too


def test_more_sums_than_there_are_and_other_tasks_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="4,095 sums of two numbers of two digits, 4,096 are asked for"):
        addition_rows(4096, 0)
    with pytest.raises(ConfigError, match="generator 'english/product': in English there is english/addition"):
        list(read_source(SourceConfig(generator="english/product", size=4), "x", seed=0, setting="x"))
