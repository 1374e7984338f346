import pytest

from r1flow.components.rewards.mathematics.extraction import find_answers


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{\\frac{1}{2}} it is", "\\frac{1}{2}"),
        ("\\fbox{7} and \\boxed 7", "7"),
        ("<answer>it is \\boxed{7}</answer> \\boxed{8}", "7"),
        ("She has 18 left.\nA: 18", "18"),
        ("x\n#### 1,234", "1,234"),
        ("Answer: **18**", "18"),
        ("**Answer:** $18$", "$18$"),
        ("The final answer is: $\\frac12$.", "\\frac12"),
        ("\\boxed{255} so far. Final Answer: The final answer is $10,455$. I hope it is correct.", "$10,455$"),
        ("Answer:\n\\[\n5\n\\]\nas required", "\\[\n5\n\\]"),
        ("Answer: 41 was a wrong guess.\nAnswer: 42", "42"),
        ("\u7b54\u6848\uff1a42", "42"),
        ("R\u00e9ponse : 3,5", "3,5"),
        ("She pays **18 dollars** in all.", "18 dollars"),
        ("it costs $<<9*2=18>>18 a day", "$18"),
        ("the number is not 10, it is 1,000.99m\u00b2", "1,000.99"),
        ("35 + 70 = 105 in all", "105"),
        ("\\boxed{5}<|im_end|>\\boxed{6}", "5"),
        ("\\boxed{\\phantom{2}} + 3 = 7, so \\boxed{4}", "4"),
    ],
)
def test_the_strongest_mark_gives_the_answer(text: str, answer: str) -> None:
    assert find_answers(text).candidates[-1] == answer


def test_every_answer_of_the_strongest_kind_is_found() -> None:
    assert find_answers("\\boxed{1} \\boxed{2} #### 3").candidates == ("1", "2")
    assert find_answers("The answer is 4. The answer is 5.").candidates == ("4", "5")


@pytest.mark.parametrize("text", ["", "no number here at all", "\\boxed{5", "is it 5?", "The answer is not 5"])
def test_where_nothing_is_said_nothing_is_found(text: str) -> None:
    assert find_answers(text).candidates == ()


def test_hostile_lengths_are_scanned_once() -> None:
    for text in ("\\boxed{" * 50_000, "<answer>" * 50_000, "{" * 200_000, "answer is " * 20_000, "$" * 100_000):
        find_answers(text)
