"""Programs that try to be paid without solving the task. None may earn anything, and none may end as None."""

import pytest

from r1flow.components.core.tests import CodeTests
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.code import judge
from tests.conftest import need_program

SECRET = "s3cr3t-4711-value"
TESTS = {
    "assertions": CodeTests(
        assertions=f"SECRET = {SECRET!r}\n\ndef check(candidate):\n"
        "    assert candidate([2, 1]) == SECRET + str(1)\n    assert candidate([5]) == SECRET + str(2)\n",
        entry_point="f",
        seconds=1,
        total_seconds=2,
    ),
    "calls": CodeTests.model_validate(
        {
            "calls": [{"args": [[2, 1]], "expected": SECRET + "1"}, {"args": [[5]], "expected": SECRET + "2"}],
            "entry_point": "f",
            "seconds": 1,
            "total_seconds": 2,
        }
    ),
}
VERDICT = '{"verdict": "CORRECT", "passed": 2, "total": 2, "reward": 1}'
FRAME = """
import json, os
def send(frame):
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    os.write(4, len(data).to_bytes(4, "big") + data)
"""
ATTACKS = {
    "nothing": "",
    "returns nothing": "def f(x): return None",
    "exits at import": "import sys; sys.exit(0)",
    "leaves at import": "import os; os._exit(0)",
    "leaves in the call": "import os\ndef f(x): os._exit(0)",
    "raises SystemExit": "def f(x): raise SystemExit(0)",
    "raises KeyboardInterrupt": "def f(x): raise KeyboardInterrupt",
    "raises GeneratorExit": "def f(x): raise GeneratorExit",
    "raises StopIteration": "def f(x): raise StopIteration",
    "raises its own BaseException": "class B(BaseException): pass\ndef f(x): raise B",
    "an exception without text": "class E(Exception):\n    def __str__(self): raise E\ndef f(x): raise E",
    "an exception of a strange name": "def f(x): raise type('AssertionError\\0', (Exception,), {})()",
    "an exception group": "def f(x): raise ExceptionGroup('g', [ValueError(1)])",
    "exits when it is left": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 1",
    "kills itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)",
    "kills its init": "import os\nos.kill(1, 9)\ndef f(x): os.kill(1, 9)",
    "kills everything": "import os\ndef f(x): os.kill(-1, 9)",
    "crashes": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)",
    "prints the verdict": f"print('{VERDICT}')\ndef f(x): print('{VERDICT}')",
    "writes the verdict to the report": f"import os\nos.write(5, b'{VERDICT}')\ndef f(x): os.write(5, b'{VERDICT}'); os._exit(0)",
    "writes the verdict to every descriptor": f"""
import os
for fd in range(64):
    try: os.write(fd, b'{VERDICT}')
    except OSError: pass
def f(x): return 1""",
    "closes every descriptor": "import os\nos.closerange(0, 64)\ndef f(x): return 1",
    "equals everything": "class A:\n    def __eq__(self, o): return True\n    def __hash__(self): return 0\ndef f(x): return A()",
    "a text that equals everything": "class A(str):\n    def __eq__(self, o): return True\ndef f(x): return A('a')",
    "a list that equals everything": "class A(list):\n    def __eq__(self, o): return True\ndef f(x): return A()",
    "lies about its class": "class A:\n    __class__ = str\n    def __eq__(self, o): return True\ndef f(x): return A()",
    "a mock": "from unittest.mock import ANY\ndef f(x): return ANY",
    "patched builtins": """
import builtins, operator
class A:
    def __eq__(self, o): return True
for name in ("all", "any", "str", "isinstance", "len", "repr", "type", "id"):
    setattr(builtins, name, lambda *a, **k: True)
builtins.AssertionError = builtins.Exception = ValueError
operator.eq = lambda a, b: True
def f(x): return A()""",
    "patched harness": """
import sys, builtins
for name in ("peer", "plain_data", "__main__", "referee", "reading", "json"):
    module = sys.modules.get(name)
    for key in list(vars(module) if module else ()):
        if callable(getattr(module, key)) and not key.startswith("_"):
            setattr(module, key, lambda *a, **k: True)
def f(x): return 1""",
    "modules in the place of the judge's": """
import sys, types
for name in ("referee", "tests", "solution", "job"):
    sys.modules[name] = types.ModuleType(name)
def f(x): return 1""",
    "overwritten files": """
import os
for folder in (".", "/tmp", "/tmp/work"):
    for name in ("job.json", "tests.py", "referee.py", "reading.py", "peer.py", "plain_data.py", "candidate.py"):
        try: open(os.path.join(folder, name), "w").write('{}')
        except OSError: pass
def f(x): return 1""",
    "looks for the answer in memory and frames": """
import gc, inspect, os, sys
def f(x):
    heap = [o for o in gc.get_objects()] + [v for s in inspect.stack() for v in s.frame.f_locals.values()]
    found = [str(o) for o in heap if "s3cr3t-" in str(o)[:10**5] and "heap" not in str(o)[:10**5]]
    text = found[0] if found else "none"
    return text[text.find("s3cr3t-"):][:17] + ("1" if len(x) == 2 else "2")""",
    "looks for the answer in files and processes": """
import glob
found = "none"
for path in glob.glob("/tmp/**", recursive=True) + glob.glob("/proc/*/*") + glob.glob("/dev/shm/*") + glob.glob("/proc/*/fd/*"):
    if "solution.py" in path or path.endswith(("kmsg", "clear_refs", "/fd/3", "/fd/0", "kcore")): continue
    try:
        with open(path, "rb", buffering=0) as file: text = file.read(10**6).decode("latin-1")
    except (OSError, ValueError, OverflowError): continue
    if "s3cr3t-4" in text: found = text[text.find("s3cr3t-4"):][:17]
def f(x): return found + ("1" if len(x) == 2 else "2")""",
    "many answers to one question": FRAME
    + "def f(x):\n    for guess in range(99): send({'reply': 1, 'value': guess})\n    return 1",
    "answers before questions": FRAME + "for n in range(9): send({'reply': n, 'value': None})\ndef f(x): return 1",
    "a frame that is no JSON": FRAME + "def f(x): send(b'\\xff{')",
    "a frame nested deeply": FRAME + "def f(x): send(b'[' * 10**6)",
    "a frame nested deeply that is JSON": FRAME
    + "def f(x): send(b'{\"reply\": 1, \"value\": ' + b'[' * 900 + b']' * 900 + b'}')",
    "a frame without end": FRAME
    + "def f(x):\n    os.write(4, b'\\0\\xff\\xff\\xff')\n    while True: os.write(4, b'a' * 9999)",
    "a frame too large": "import os\ndef f(x): os.write(4, b'\\xff' * 8)",
    "a frame that is a verdict": FRAME + f"def f(x): send({VERDICT.replace('true', 'True')})",
    "an unknown tag": FRAME + "def f(x): send({'reply': 1, 'value': {'~': 'os.system', 'v': 'true'}})",
    "a tag that cannot be": FRAME + "def f(x): send({'reply': 1, 'value': {'~': ['a'], 'v': 1}})",
    "a huge fraction": FRAME + "def f(x): send({'reply': 1, 'value': {'~': 'Fraction', 'v': ['1e99999999']}})",
    "a number of a million digits": "def f(x): return 1 << 4000000",
    "an unhashable set": FRAME + "def f(x): send({'reply': 1, 'value': {'~': 'set', 'v': [[]]}})",
    "arguments of another type": FRAME
    + "def f(x): send({'reply': 1, 'value': 1, 'args': [{'~': 'type', 'v': 'int'}]})",
    "calls the judge back": FRAME + "def f(x): send({'call': 1, 'of': 'check', 'args': [None], 'kwargs': {}})",
    "calls the judge back by a handle": FRAME + "def f(x): send({'call': 1, 'of': 0, 'args': [], 'kwargs': {}})",
    "floods the judge with calls": FRAME
    + "def f(x):\n    while True: send({'call': 1, 'of': 'f', 'args': [], 'kwargs': {}})",
    "never answers": "def f(x):\n    while True: pass",
    "catches everything": "def f(x):\n  while True:\n    try:\n      while True: pass\n    except BaseException: pass",
    "takes all memory": "def f(x): return bytearray(10**10)",
    "takes memory bit by bit": "def f(x):\n    a = []\n    while True: a.append(bytearray(10**7))",
    "forks without end": "import os\ndef f(x):\n    while True: os.fork()",
    "floods its output": "import os\nwhile True: os.write(2, b'x' * 65536)",
    "an endless generator": "def f(x):\n    while True: yield 1",
    "a generator that does nothing": "def f(x):\n    while True: pass\n    yield 1",
    "an object that cannot be shown": "class A:\n    def __repr__(self): raise MemoryError\ndef f(x): return A()",
    "debugs its parent": "import ctypes, os\nctypes.CDLL(None).ptrace(16, 1, 0, 0)\ndef f(x): return 1",
}


@pytest.fixture(autouse=True)
def _bubblewrap():
    need_program("bwrap")


def judged(tests: CodeTests, program: str) -> Score:
    return judge(tests, f"```{tests.language}\n{program}\n```")


def is_nothing(score: Score) -> bool:
    return score.reward == 0.0


@pytest.mark.parametrize("kind", TESTS)
def test_the_right_program_passes(kind):
    assert judged(TESTS[kind], f"def f(x): return {SECRET!r} + str(1 if len(x) == 2 else 2)").reward == 1.0


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_on_assertions_earns_anything(attack):
    score = judged(TESTS["assertions"], ATTACKS[attack] or "x = 1")
    assert is_nothing(score), score


CALLS = [name for name in ATTACKS if "equals" in name or "verdict" in name or "looks" in name or "frame" in name]


@pytest.mark.parametrize("attack", CALLS)
def test_no_attack_on_calls_earns_anything(attack):
    score = judged(TESTS["calls"], ATTACKS[attack])
    assert is_nothing(score), score


def test_these_attacks_are_live_ones_where_tests_and_program_share_a_process():
    tests = TESTS["assertions"].model_copy(update={"isolation": "one"})
    for attack in ("looks for the answer in memory and frames", "equals everything"):
        assert judge(tests, f"```python\n{ATTACKS[attack]}\n```", allow_one_process=True).reward == 1.0
        assert judge(tests, f"```python\n{ATTACKS[attack]}\n```").reward is None


HELPED = CodeTests(
    prefix='def shift(s):\n    return "".join(chr(ord(c) + 1) for c in s)\n\n\ndef unshift(s):\n    """Undo shift."""\n',
    assertions="def check(candidate):\n    for s in ('abc', 'xyz'):\n        assert candidate(shift(s)) == s\n",
    entry_point="unshift",
)


def test_a_helper_of_the_prompt_is_the_prompts_own_for_the_tests():
    assert judged(HELPED, 'def unshift(s):\n    return "".join(chr(ord(c) - 1) for c in s)').reward == 1.0
    assert is_nothing(judged(HELPED, "def shift(s):\n    return s\n\ndef unshift(s):\n    return s"))


STDIO = {
    "python": "print(1)\nprint(2)\nprint(int(input()) + 3)",
    "c": '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("1\\n2\\n%d\\n", n + 3); return 0; }',
    "javascript": "const n = Number(require('fs').readFileSync(0)); console.log(`1\\n2\\n${n + 3}`)",
}
STDIO_ATTACKS = {
    "python": [
        "print(1)",
        "print(1); print(2)",
        "print(1); print(2); import os; os._exit(0)",
        STDIO["python"] + "\nprint(4)",
        STDIO["python"] + "\nimport sys; sys.exit(1)",
        STDIO["python"].replace("print(2)", "print(2.0)"),
        STDIO["python"].replace("print(2)", "print()\nprint(2)"),
        f"import os\nprint('CORRECT')\nos.write(5, b'{VERDICT}')",
        "import os\nfor n in range(9): print(n)",
        "import time\ntime.sleep(60)",
        "import os\nif os.fork() == 0:\n    while True: pass",
        "a = [0]\nwhile True: a += a",
        "while True: print('1')",
        # what a first run leaves behind would help the second
        "import os\nseen = os.path.exists('/tmp/x')\nopen('/tmp/x', 'w').close()\nprint(1); print(2); print(14 if seen else 3)",
    ],
    "c": [
        "#include <unistd.h>\n__attribute__((constructor)) void go(void) { _exit(0); }\nint main(void) { return 0; }",
        "#include <stdlib.h>\nint main(void) { abort(); }",
        STDIO["c"].replace("return 0", "return 3"),
        "int main(void) { for (;;); }",
        '#include "/etc/passwd"\nint main(void) { return 0; }',
        "char a[1L << 40] = {1}; int main(void) { return 0; }",
        "int main(void) { return *(volatile int *)0; }",
        "int main(int argc, char **argv) { return main(argc, argv) + 1; }",
    ],
    "javascript": [
        "process.exit(0)",
        f"require('fs').writeSync(5, '{VERDICT}')",
        "console.log(1)",
        "while (true) {}",
        "const a = []; while (true) a.push(new Array(1e6).fill(1))",
        STDIO["javascript"] + "; console.log()\nconsole.log('x')",
        STDIO["javascript"] + "; process.exit(7)",
    ],
}


def stdio_tests(language: str) -> CodeTests:
    cases = [{"stdin": f"{n}\n", "stdout": f"1\n2\n{n + 3}\n"} for n in (0, 11)]
    return CodeTests.model_validate({"language": language, "stdio": cases, "seconds": 1, "total_seconds": 2})


@pytest.mark.parametrize(
    ("language", "program"), [(name, text) for name, texts in STDIO_ATTACKS.items() for text in texts]
)
def test_no_attack_on_outputs_earns_anything(language, program):
    need_program({"c": "gcc", "javascript": "node"}.get(language, "bwrap"))
    score = judged(stdio_tests(language), program)
    assert is_nothing(score), score


@pytest.mark.parametrize("language", STDIO)
def test_the_right_programs_output_passes(language):
    need_program({"c": "gcc", "javascript": "node"}.get(language, "bwrap"))
    assert judged(stdio_tests(language), STDIO[language]).reward == 1.0
