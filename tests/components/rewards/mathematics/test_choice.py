import pytest

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.mathematics import judge_choice
from r1flow.components.rewards.mathematics.choice import find_choice


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("B", "B"),
        ("B", "(b)"),
        ("B", "B. Because A is not valid"),
        ("B", "\\boxed{\\text{(B)}}"),
        ("B", "<answer>B) Paris</answer>"),
        ("(B) Paris", "The answer is B."),
        ("B", "It's not A because it makes no sense, therefore I think it's B"),
        ("B", "The answer is for sure B, it can't be A or C"),
        ("B", "A is tempting. Actually let's finalize B"),
        ("A, C", "\\boxed{A,C}"),
        ("AC", "The answer is A and C"),
        ("B", "The answer is B, not A."),
        ("B", "A and C are wrong. Therefore B."),
        ("B", "C cannot be right; the answer is (B)."),
        ("B", "\u7b54\u6848\u9009B\u3002"),
        ("B", "option (b)"),
        ("E", "\\boxed{\\textbf{(E)}\\ 12}"),
        ("D", "<answer>D. None of the above is correct</answer>"),
    ],
)
def test_the_letter_is_found_however_it_is_said(gold: str, answer: str) -> None:
    assert judge_choice(gold, answer).verdict is Verdict.CORRECT


@pytest.mark.parametrize("answer", ["A", "A or B", "\\boxed{A} \\boxed{B}", "A, B, C, D", "not B, but C", "  "])
def test_other_letters_and_hedges_are_wrong(answer: str) -> None:
    assert judge_choice("B", answer).verdict is Verdict.WRONG


def test_no_letter_is_unparseable_and_no_gold_letter_unusable() -> None:
    assert judge_choice("B", "I have no idea").verdict is Verdict.UNPARSEABLE
    assert judge_choice("a long text", "B").reward is None
    assert find_choice("No valid answer here") is None


@pytest.mark.parametrize(
    "answer",
    [
        *(
            "The answer is B or D.",
            "It's either A or B.",
            "<answer>B</answer>\nSo \\boxed{D}.",
            "B or maybe C",
            "B is wrong",
        ),
        *(
            "anything but B",
            "<answer>anything but B</answer>",
            "All except B",
            "The answer cannot be B.",
            "B isn't right",
        ),
        *("\\boxed{B}\nThe answer is C.", "<answer>not B</answer>", "\u7b54\u6848\u662fA\u6216B"),
    ],
)
def test_a_letter_that_is_doubled_or_taken_back_earns_nothing(answer: str) -> None:
    assert judge_choice("B", answer).reward == 0.0
