"""Where the thought of a completion ends and its answer begins; every reward cuts here and nowhere else."""

OPEN, CLOSE = "<think>", "</think>"


def answer_of(completion: str) -> str | None:
    """What stands after the last ``</think>``; None when a thought was never closed, or was opened once more.

    >>> answer_of("<think>1+1=2</think>2")
    '2'
    """
    _, closing, answer = completion.rpartition(CLOSE)
    return answer if closing and OPEN not in answer else None


def thought_of(completion: str, *, prefilled: bool = False) -> str:
    """The thought, closed or not: from the first ``<think>`` to the last ``</think>``.

    With ``prefilled`` it begins at the start, because the prompt opened it. Empty when nothing marks a thought. Tags
    inside are left in.
    """
    body, closing, _ = completion.rpartition(CLOSE)
    if not closing:
        body = completion
    before, opening, inside = body.partition(OPEN)
    if opening and not (prefilled and before.strip()):
        return inside
    return body if prefilled or closing else ""
