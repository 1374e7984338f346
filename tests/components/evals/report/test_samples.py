"""The shown problem is chosen by a rule, and what models wrote is shown as they wrote it."""

import pytest

from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.rivals import verdicts
from r1flow.components.evals.report.samples import HEAD, SHOWN, TAIL, before_after, choose_problem, printable, shorten
from tests.components.evals.report.report_inputs import evaluation

NAMES = Names({"distilled": "Taught", "student_rl": "Self-taught"}, ("base", "r1_zero", "dev1", "r1"))
PAIR = ("distilled", "student_rl")


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluations")
    return {
        m: evaluation(root / m, m, problems=12) for m in ("base", "r1_zero", "dev1", "r1", "distilled", "student_rl")
    }


def test_the_hardest_learned_problem_is_chosen():
    before = {"easy": 0.0, "known": 0.9, "learned": 0.1, "lost": 0.0, "only-before": 0.0}
    after = {"easy": 1.0, "known": 1.0, "learned": 0.9, "lost": 0.5, "only-after": 1.0}
    levels = {"easy": 2, "known": 5, "learned": 5, "lost": 5, "only-after": 9}
    assert choose_problem(before, after, levels) == "learned"


def test_ties_go_to_the_first_name_and_levels_may_be_missing():
    assert choose_problem({"b": 0.0, "a": 0.0}, {"b": 1.0, "a": 1.0}, {"a": None}) == "a"
    assert choose_problem({"a": 0.0}, {"b": 1.0}, {}) is None


def test_the_same_problem_is_shown_for_base_r1_zero_and_r1(evaluations):
    shown = before_after(evaluations, "sums", NAMES)
    assert [answers.model for answers in shown.models] == ["base", "r1_zero", "r1"]
    assert shown.level == 5
    for answers in shown.models:
        assert len(answers.samples) == SHOWN
        assert answers.asked == 8
        assert all(sample.correct == sample.text.endswith(f">{shown.gold}") for sample in answers.samples)
    assert shown.models[-1].correct > shown.models[0].correct


def test_a_model_before_and_one_after_are_needed(evaluations):
    assert before_after({"r1": evaluations["r1"], "distilled": evaluations["distilled"]}, "sums", NAMES) is None
    assert before_after(evaluations, "unknown-suite", NAMES) is None
    assert before_after({}, "", NAMES) is None
    assert before_after(evaluations, "sums", Names()) is None


def test_a_long_text_keeps_both_ends_and_counts_what_is_left_out():
    text = "a" * HEAD + "b" * 1234 + "c" * TAIL
    assert shorten(text) == "a" * HEAD + "\n[... 1,234 characters left out ...]\n" + "c" * TAIL
    assert shorten("a" * (HEAD + TAIL)) == "a" * (HEAD + TAIL)


def test_control_characters_are_made_visible():
    assert printable("a\x00b\x1b[2J\r\n\tc\x7f") == "a\u2400b\u241b[2J\u240d\n\tc\u2421"


def test_rivals_are_compared_on_the_same_problems(evaluations):
    sentence = verdicts(evaluations, "sums", [PAIR], NAMES)[PAIR]
    assert sentence.startswith("On sums Taught is ahead of Self-taught: pass@1 0.")
    assert "paired over 12 problems" in sentence


def test_equal_rivals_are_called_equal(evaluations):
    twins = {"distilled": evaluations["r1"], "student_rl": evaluations["r1"]}
    assert "neither Taught nor Self-taught is clearly ahead" in verdicts(twins, "sums", [PAIR], NAMES)[PAIR]
    swapped = {"distilled": evaluations["base"], "student_rl": evaluations["r1"]}
    assert "Self-taught is ahead of Taught" in verdicts(swapped, "sums", [PAIR], NAMES)[PAIR]
    assert verdicts({"distilled": evaluations["r1"]}, "sums", [PAIR], NAMES) == {}


def test_p_is_corrected_for_all_pairs(evaluations):
    alone = verdicts(evaluations, "sums", [PAIR], NAMES)[PAIR]
    among = verdicts(evaluations, "sums", [PAIR, ("base", "r1"), ("r1_zero", "r1")], NAMES)
    assert len(among) == 3
    p = [float(text.rpartition("p = ")[2].rstrip(").")) for text in (alone, among[PAIR])]
    assert p[0] <= p[1]
