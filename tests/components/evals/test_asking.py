"""A suite's instruction goes around the problem when it is asked, and nowhere else."""

from r1flow.components.core.schema import Message, Row
from r1flow.components.core.tests import CodeTests
from r1flow.components.evals.asking import asked


def test_text_and_tests_are_put_in_once_whatever_they_hold() -> None:
    tests = CodeTests(assertions="\nassert f('{prompt}') == 1\n")
    row = Row(id="1", prompt="Write f for {tests}.", answer="", verifier="code", tests=tests, source="x")
    found = asked(row, "{prompt}\n{tests}\nin \\boxed{}")
    assert found.prompt == "Write f for {tests}.\nassert f('{prompt}') == 1\nin \\boxed{}"
    assert found.model_copy(update={"prompt": row.prompt}) == row


def test_a_problem_is_asked_as_it_stands_by_default() -> None:
    row = Row(id="1", prompt="1+1?", answer="2", verifier="math", source="x")
    assert asked(row, "{prompt}") == row


def test_of_a_conversation_the_last_turn_is_asked_so() -> None:
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="1+1?"))
    row = Row(id="1", prompt="Be brief.\n\n1+1?", messages=turns, answer="2", verifier="math", source="x")
    found = asked(row, "{prompt} Box it.")
    assert found.messages == (turns[0], Message(role="user", content="1+1? Box it."))
    assert found.prompt == row.prompt
