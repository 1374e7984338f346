"""What is voted on: the answer behind the thought, as the verifier reads it."""

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.evals.answers import extract_answer


def make_row(verifier):
    return Row(id="a", prompt="p", answer="50", verifier=verifier, source="test")


@pytest.mark.parametrize(
    ("verifier", "completion", "answer"),
    [
        ("exact", "<think>37+13=50</think> 50\n", "50"),
        ("exact", "<think>50</think>", None),
        ("exact", "<think>50", None),
        ("exact", "50", None),
        ("math", "<think>x</think> so \\boxed{7} or <answer>\\boxed{50}</answer>", "50"),
        ("math", "<think>\\boxed{9}</think>\\boxed{7}, no, \\boxed{ 50 }", "50"),
        ("math", "<think>x</think>fifty", "fifty"),
        ("math", "<think>x</think>\\boxed{50", None),
        ("math", "<think>x</think>  ", None),
    ],
)
def test_the_answer_stands_behind_the_thought(verifier, completion, answer):
    assert extract_answer(completion, make_row(verifier)) == answer
