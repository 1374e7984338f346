"""How a suite asks its problems: the instruction around a problem's text, before the recipe's template."""

import re

from r1flow.components.core.schema import Row

_PLACES = re.compile(r"\{(prompt|tests)\}")


def asked(row: Row, prompt: str) -> Row:
    """The row with its text put into ``prompt``, where ``{prompt}`` stands; ``{tests}`` are the assertions of its program.

    What judges the answer stays as it is. Of a conversation the last turn is asked so.

    >>> row = Row(id="1", prompt="1+1?", answer="2", verifier="math", source="sums")
    >>> asked(row, "{prompt} Put the answer in \\\\boxed{}.").prompt
    '1+1? Put the answer in \\\\boxed{}.'
    """
    tests = row.tests.assertions.strip() if row.tests else ""

    def put(text: str) -> str:
        return _PLACES.sub(lambda place: text if place[1] == "prompt" else tests, prompt)

    if row.messages is None:
        return row.model_copy(update={"prompt": put(row.prompt)})
    last = row.messages[-1]
    turns = (*row.messages[:-1], last.model_copy(update={"content": put(last.content)}))
    return row.model_copy(update={"messages": turns})
