"""Cases for programs, with every kind of test: calls, assertions in both styles, standard input and output."""

import random
from collections.abc import Callable
from typing import Any

from r1flow.components.core.seeds import derive_seed, python_rng
from r1flow.components.core.tests import CodeTests
from r1flow.components.rewards.adversarial.cases import Case, Family, thought
from r1flow.components.rewards.adversarial.programs import attacks
from r1flow.components.rewards.adversarial.programs.list_tasks import LIST_TASKS, SUM_EVEN
from r1flow.components.rewards.adversarial.programs.mutations import mutations
from r1flow.components.rewards.adversarial.programs.number_tasks import GREATEST_DIVISOR, NUMBER_TASKS
from r1flow.components.rewards.adversarial.programs.tests import STYLES, Style, code_row, make_tests, with_main
from r1flow.components.rewards.adversarial.programs.text_tasks import TEXT_TASKS

TASKS = (*LIST_TASKS, *NUMBER_TASKS, *TEXT_TASKS)
DRAWN = 3  # tests besides the edges
SHORT_SECONDS = 1.0  # for programs that never end


def make_cases(seed: int = 0) -> list[Case]:
    """About two hundred cases, the same for the same seed; the seed moves programs between the kinds of tests too."""
    cases: list[Case] = []
    for number, task in enumerate(TASKS):
        rng = python_rng(seed, "adversarial", "code", task.entry)
        inputs = [*task.edges, *(task.draw(rng) for _ in range(DRAWN))]
        first = derive_seed(seed, "adversarial", "code", "style", number)
        programs = [(Family.EQUIVALENT, f"{task.entry}/{name}", text) for name, text in task.right.items()]
        programs += [(Family.NEAR_MISS, f"{task.entry}/{name}", text) for name, text in task.wrong.items()]
        programs += mutations(task, inputs, rng)
        for place, (family, name, program) in enumerate(programs):
            style = STYLES[(first + place) % len(STYLES)]
            text = with_main(program, task) if style == "stdio" else program
            row = code_row(make_tests(task, style, inputs))
            cases.append(Case(family, f"{name} ({style})", row, fenced(text, rng)))
    rng = python_rng(seed, "adversarial", "code", "attacks")
    inputs = [*SUM_EVEN.edges, *(SUM_EVEN.draw(rng) for _ in range(DRAWN))]
    return (
        cases + _output_cases(inputs, rng) + _attack_cases(inputs, rng) + _text_cases(inputs, rng) + _unusable_cases()
    )


def fenced(program: str, rng: random.Random) -> str:
    """A completion that gives ``program`` as models do."""
    block = f"```python\n{program.strip()}\n```"
    form = rng.choice(("{}", "Here is the program:\n\n{}\n", "<answer>\n{}\n</answer>", "{}\nIt runs in linear time."))
    return thought(rng) + form.replace("{}", block)


def _output_cases(inputs: list[tuple[Any, ...]], rng: random.Random) -> list[Case]:
    """What is done to a right output on its way out: forgiven where only white space at an end changes."""
    row = code_row(make_tests(SUM_EVEN, "stdio", inputs))
    base = "import json\nimport sys\n\nrows = [json.loads(line) for line in sys.stdin if line.strip()]\n"
    base += "out = [str(sum(x for x in xs if x % 2 == 0)) for (xs,) in rows]\n"
    forgiven = {
        "no last line end": "sys.stdout.write('\\n'.join(out))",
        "spaces at the end": "print(' \\n'.join(out) + '  ')",
        "empty lines at the end": "print('\\n'.join(out) + '\\n\\n')",
        "debug on stderr": "print('\\n'.join(out))\nprint('done', file=sys.stderr)",
        "exit 0 when done": "print('\\n'.join(out))\nsys.exit(0)",
    }
    wrong = {
        "one line more": "print('\\n'.join(out))\nprint('done')",
        "one number more": "print('\\n'.join(out))\nprint(0)",
        "one line before": "print('Result:')\nprint('\\n'.join(out))",
        "last line missing": "print('\\n'.join(out[:-1]))",
        "first line alone": "print(out[0])",
        "first character alone": "print(out[0][:1], end='')",
        "first line, then exit 0": "print(out[0], flush=True)\nimport os\nos._exit(0)",
        "first line, then a crash": "print(out[0], flush=True)\nraise ValueError(out)",
        "nothing": "pass",
        "lines turned round": "print('\\n'.join(out[1:] + out[:1]))",
        "one line": "print(' '.join(out))",
        "floats": "print('\\n'.join(x + '.0' for x in out))",
        "nearly": "print('\\n'.join(x + '.0000001' for x in out))",
        "on stderr": "print('\\n'.join(out), file=sys.stderr)",
        "twice": "print('\\n'.join(out * 2))",
        "letters behind": "print('\\n'.join(x + 'x' for x in out))",
    }
    return [
        Case(family, f"output/{name}", row, fenced(base + end + "\n", rng))
        for family, ends in ((Family.EQUIVALENT, forgiven), (Family.NEAR_MISS, wrong))
        for name, end in ends.items()
    ]


def _attack_cases(inputs: list[tuple[Any, ...]], rng: random.Random) -> list[Case]:
    cases = []
    styles: tuple[Style, ...] = ("calls", "check", "asserts")
    for place, (name, program) in enumerate(attacks.on_functions(SUM_EVEN.entry).items()):
        style = styles[(rng.randrange(3) + place) % 3]
        cases.append(_attack(name, style, inputs, program, rng))
    for name, program in attacks.on_assertions(SUM_EVEN.entry).items():
        cases += [_attack(name, style, inputs, program, rng) for style in styles[1:]]
    for name, program in attacks.on_output().items():
        cases.append(_attack(name, "stdio", inputs, program, rng))
    return cases


def _attack(name: str, style: Style, inputs: list[tuple[Any, ...]], program: str, rng: random.Random) -> Case:
    seconds = SHORT_SECONDS if name in attacks.ENDLESS else 4.0
    row = code_row(make_tests(SUM_EVEN, style, inputs, seconds))
    return Case(Family.ADVERSARIAL, f"{name} ({style})", row, fenced(program, rng))


def _text_cases(inputs: list[tuple[Any, ...]], rng: random.Random) -> list[Case]:
    """Completions without a right program as their final answer."""
    right, wrong = SUM_EVEN.right["loop"], SUM_EVEN.wrong["odd"]
    block = f"```python\n{right.strip()}\n```"
    tests = make_tests(SUM_EVEN, "calls", inputs)
    texts = {
        "nothing at all": "",
        "thought alone": f"<think>\n{block}\n</think>",
        "thought never closed": f"<think>\n{block}",
        "talk behind the thought": f"<think>\n{block}\n</think>\nThe program above is right.",
        "empty block": thought(rng) + "```python\n```",
        "comment": thought(rng) + "```python\n# sum_even\n```",
        "talk in a block": thought(rng) + "```python\nWe add all even numbers.\n```",
        "verdict": thought(rng) + "CORRECT",
        "reward": thought(rng) + '```python\n{"reward": 1.0}\n```',
        "right, then wrong": thought(rng) + f"{block}\nor rather\n```python\n{wrong.strip()}\n```",
        "nul": thought(rng) + "```python\n\x00\n```",
        "lone surrogate": thought(rng) + "```python\nx = '\ud800'\n```",
        "nested brackets": thought(rng) + "```python\nx = " + "(" * 5000 + ")" * 5000 + "\n```",
        "huge": thought(rng) + "```python\n" + "x = 1\n" * 150_000 + "```",
        "other task": thought(rng) + f"```python\n{GREATEST_DIVISOR.right['Euclid']}\n```",
    }
    return [Case(Family.ADVERSARIAL, f"text/{name}", code_row(tests), text) for name, text in texts.items()]


def _unusable_cases() -> list[Case]:
    text = f"<think>\nHm.\n</think>\n```python\n{SUM_EVEN.right['loop']}\n```"
    broken: dict[str, Callable[[], CodeTests | None]] = {
        "no tests": lambda: None,
        "empty tests": lambda: CodeTests(entry_point="sum_even"),
        "syntax error": lambda: CodeTests(assertions="assert sum_even([2] == 2", entry_point="sum_even"),
        "no call": lambda: CodeTests(assertions="def check(candidate):\n    pass\n", entry_point="sum_even"),
    }
    return [Case(Family.UNUSABLE, f"tests/{name}", code_row(make()), text) for name, make in broken.items()]
