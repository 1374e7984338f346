"""The pre-training mixture: short guesses, worked chains, flawed chains and two scripts, as the web has them.

Why each part is there (metrics: ARCHITECTURE.md, "The tiny world"):

* two-number sums as *worked* chains carry the skill; without that emphasis the model never learns to add;
* most longer sums are answered at once, often wrongly: the base can think but mostly does not, so thinking is there to
  be found by RL;
* chains in digits are often flawed, chains in letters mostly right: accuracy alone pulls RL towards the letters, which
  is the language drift that the language reward has to cure;
* a few flawed chains say ``wait`` and redo the step, so that reflection can be measured, whichever way it goes;
* string tasks are the second skill, the recipe's general data.
"""

from collections.abc import Collection
from random import Random

from r1flow.components.data.tinyworld.problems import (
    MODULUS,
    Problem,
    levels,
    make_problem,
    string_thought,
    sum_steps,
    write_step,
)

STRING_SHARE = 0.12
PAIR_SHARE = 0.6  # of the sums
DIRECT_SHARE = {"pair": 0.4, "sum": 0.7, "string": 0.4}
GUESS_WRONG = 0.5
LETTERS_SHARE = {"pair": 0.48, "sum": 0.46, "string": 0.3}
FLAWED_SHARE = {"digits": 0.5, "letters": 0.12}  # of the worked chains over three terms and more
STEP_WRONG = 0.3
UNCLOSED = 0.3
WAIT_AND_REDO = 0.12


def make_row(rng: Random, excluded: Collection[str]) -> tuple[Problem, str]:
    """One document of the corpus: a problem whose key is not ``excluded``, and a completion of it."""
    while True:
        problem = _draw(rng)
        if problem.key not in excluded:
            return problem, make_completion(rng, problem)


def _draw(rng: Random) -> Problem:
    if rng.random() < STRING_SHARE:
        return make_problem(rng, "string", rng.choice(levels("string")))
    if rng.random() < PAIR_SHARE:
        return make_problem(rng, "sum", 2)
    return make_problem(rng, "sum", rng.choice(levels("sum")[1:]))


def make_completion(rng: Random, problem: Problem) -> str:
    """What somebody on the web might have written under ``problem``: a guess, a chain, or a flawed chain."""
    kind = "string" if problem.skill == "string" else "pair" if problem.level == 2 else "sum"
    if rng.random() < DIRECT_SHARE[kind]:
        return "<think></think>" + _guess(rng, problem)
    script = "letters" if rng.random() < LETTERS_SHARE[kind] else "digits"
    if kind == "string":
        return f"<think>{string_thought(problem.answer, script)}</think>{problem.answer}"
    if kind == "sum" and rng.random() < FLAWED_SHARE[script]:
        return _flawed_chain(rng, problem, script)
    return worked_chain(problem, script)


def worked_chain(problem: Problem, script: str) -> str:
    """The right chain and the answer: ``<think>37+45=82;82+68=50</think>50``."""
    thought = ";".join(write_step(step, script) for step in sum_steps(problem.prompt))
    return f"<think>{thought}</think>{problem.answer}"


def _guess(rng: Random, problem: Problem) -> str:
    if rng.random() >= GUESS_WRONG:
        return problem.answer
    if problem.skill == "sum":
        return f"{rng.randrange(MODULUS):02d}"
    letters = list(problem.answer)
    rng.shuffle(letters)
    return "".join(letters)


def _flawed_chain(rng: Random, problem: Problem, script: str) -> str:
    numbers = [int(term) for term in problem.prompt.split("+")]
    written, total = [], numbers[0]
    for term in numbers[1:]:
        right = (total + term) % MODULUS
        if rng.random() >= STEP_WRONG:
            written.append(write_step((total, term, right), script))
            total = right
            continue
        wrong = (right + rng.choice((-10, -1, 1, 10))) % MODULUS
        written.append(write_step((total, term, wrong), script))
        if rng.random() < WAIT_AND_REDO:
            written.append("wait" + write_step((total, term, right), script))
            wrong = right
        total = wrong
    thought = ";".join(written)
    closing = "" if rng.random() < UNCLOSED else "</think>"
    return f"<think>{thought}{closing}{total:02d}"
