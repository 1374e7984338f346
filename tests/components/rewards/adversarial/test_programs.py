"""The programs are what they claim: the right ones solve their task, the wrong ones and the attacks do not."""

import ast
import copy
import json

import pytest

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.cases import Family
from r1flow.components.rewards.adversarial.certify import judge_cases, make_cases
from r1flow.components.rewards.adversarial.programs import attacks
from r1flow.components.rewards.adversarial.programs.cases import TASKS
from r1flow.components.rewards.adversarial.programs.mutations import _keeping, _spoiling
from r1flow.components.rewards.adversarial.programs.task import Task
from r1flow.components.rewards.adversarial.programs.tests import STYLES, make_tests
from tests.conftest import need_program
from tests.fakes import broken_verifiers


def solves(program: str, task: Task) -> bool:
    """Whether a program of our own writing, never an attack, is right on the edges and on a few drawn inputs."""
    space: dict = {"__name__": "program"}
    rng = python_rng(5, "test", task.entry)
    try:
        exec(program, space)
        for args in [*task.edges, *(task.draw(rng) for _ in range(5))]:
            got = space[task.entry](*copy.deepcopy(args))
            if json.dumps(got) != json.dumps(task.solve(*args)):
                return False
    except Exception:  # a wrong program may fail in any way
        return False
    return True


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.entry)
def test_right_programs_solve_their_task_and_wrong_ones_fail_on_an_edge(task):
    base = next(iter(task.right.values())).replace(task.entry, "_inner")
    special = list(task.edges[-1])
    right = {**task.right, **{name: base + end for name, end in _keeping(task.entry).items()}}
    wrong = {**task.wrong, **{name: base + end for name, end in _spoiling(task.entry, special).items()}}
    assert [name for name, program in right.items() if not solves(program, task)] == []
    assert [name for name, program in wrong.items() if solves(program, task)] == []


def test_every_attack_is_a_program():
    for name, program in {**attacks.on_functions("f"), **attacks.on_assertions("f"), **attacks.on_output()}.items():
        ast.parse(program, name)
    assert set(attacks.on_functions("f")) | set(attacks.on_output()) >= attacks.ENDLESS


def test_every_kind_of_test_holds_every_input():
    task = TASKS[0]
    tests = {style: make_tests(task, style, list(task.edges)) for style in STYLES}
    assert len(tests["calls"].calls) == len(task.edges)
    assert tests["check"].assertions.count("assert candidate(") == len(task.edges)
    assert tests["asserts"].assertions.count(f"assert {task.entry}(") == len(task.edges)
    assert sum(case.stdin.count("\n") for case in tests["stdio"].stdio) == len(task.edges)


def failing(verifier, cases):
    certificate = judge_cases(verifier, "code", cases, threads=2)
    assert not certificate.passed
    return {
        mutation for result in certificate.families for mutation, _ in result.failed if result.family != "equivalent"
    }


def output_cases():
    return [case for case in make_cases("code") if case.mutation.startswith("output/") and "flood" not in case.mutation]


def test_a_verifier_that_takes_a_prefix_of_the_output_fails():
    need_program("bwrap")
    found = failing(broken_verifiers.prefix_of_output, output_cases())
    assert found >= {"output/first line alone", "output/nothing", "output/last line missing"}


def test_a_verifier_that_compares_only_what_is_there_fails():
    need_program("bwrap")
    found = failing(broken_verifiers.lines_that_are_there, output_cases())
    assert found >= {"output/one line more", "output/one number more"}


def test_a_verifier_that_passes_what_crashes_fails():
    need_program("bwrap")
    cases = [case for case in make_cases("code") if case.family is Family.NEAR_MISS and "(stdio)" in case.mutation]
    assert any(
        "raises" in mutation or "missing" in mutation for mutation in failing(broken_verifiers.crashes_count, cases)
    )


def test_a_verifier_that_takes_exit_code_0_for_a_pass_fails():
    need_program("bwrap")
    names = ("exit/", "equal/", "assert/", "patch/")
    found = failing(
        broken_verifiers.exit_code, [case for case in make_cases("code") if case.mutation.startswith(names)]
    )
    for seen in ("exit/at once on import", "equal/", "assert/hook"):
        assert any(mutation.startswith(seen) for mutation in found), (seen, found)
