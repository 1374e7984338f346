"""What a completion answers, as text that can be voted on."""

from r1flow.components.core.schema import Row
from r1flow.components.rewards.mathematics.choice import find_choice
from r1flow.components.rewards.mathematics.extraction import find_answers
from r1flow.components.rewards.thought import answer_of


def extract_answer(completion: str, row: Row) -> str | None:
    """The answer behind the thought, reduced as the row's verifier reads it; None where there is none to read.

    A program is no answer that others could give too: with the verifier ``code`` there is none.
    """
    answer = answer_of(completion)
    if answer is None or not answer.strip() or row.verifier == "code":
        return None
    if row.verifier == "exact":
        return answer.strip()
    if row.verifier == "choice":
        letters = find_choice(answer)
        return "".join(sorted(letters)) if letters else None
    candidates = find_answers(answer).candidates
    return candidates[-1] if candidates else None
