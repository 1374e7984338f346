"""The program in a text: its last fenced block of the language, or a function body that goes on with the prompt."""

import ast
import re
import textwrap
import warnings

from r1flow.components.core.tests import CodeTests, ProgramLanguage
from r1flow.components.rewards.code.languages import LANGUAGES

MAX_PROGRAM = 200_000  # characters
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`{]*)[^\n`]*$", re.MULTILINE)
_ANSWER, _ANSWER_END = "<answer>", "</answer>"
_LOOKS_LIKE = {
    "c": re.compile(r"\bmain\s*\("),
    "cpp": re.compile(r"\bmain\s*\("),
    "javascript": re.compile(r"\bconsole\.log\s*\(|\bprocess\.stdout\b|\brequire\s*\("),
}


def extract_program(text: str, tests: CodeTests) -> str | None:
    """The program that is to be judged, with what the prompt began in front of it; None where the text has none.

    The last fenced block of the tests' language counts, else the last one that names no language, else the text itself
    where it is code; of a text with ``<answer>``, what stands in the last one. A block that is never closed ends with
    the text. Where ``prefix`` and ``entry_point`` say how the program begins, a body alone is put behind the prefix,
    and a program that defines the function gets what the prefix has before it (imports, helpers).
    """
    code, fenced = _code(_answer(text), tests)
    if not code.strip() or len(code) > MAX_PROGRAM:
        return None
    code = code.replace("\r\n", "\n")
    if not tests.prefix:
        return code if fenced or _is_code(code, tests.language) else None
    program = _joined(code, tests)
    return program if fenced or tests.language != "python" or _compiles(program) else None


def _answer(text: str) -> str:
    _, opening, inside = text.rpartition(_ANSWER)
    inside = inside.partition(_ANSWER_END)[0]
    return inside if opening and inside.strip() else text


def _code(text: str, tests: CodeTests) -> tuple[str, bool]:
    """The block that counts, True; the text itself, False, where it has no blocks at all."""
    blocks = fenced_blocks(text)
    for wanted in (LANGUAGES[tests.language].fences, frozenset({""})):
        found = [body for info, body in blocks if info in wanted]
        if found:
            return found[-1], True
    return ("" if blocks else text), False


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """Every fenced block as its language word, in lower case, and its content. The last one may be left open."""
    blocks: list[tuple[str, str]] = []
    opened: tuple[str, str, int, int] | None = None  # fence, word, indent, start of the content
    for mark in _FENCE.finditer(text):
        fence, word = mark[1], mark[2].lower()
        if opened is None:
            opened = fence, word, mark.start(1) - mark.start(), mark.end() + 1
        elif fence[0] == opened[0][0] and len(fence) >= len(opened[0]) and not word:
            blocks.append((opened[1], _undented(text[opened[3] : mark.start()], opened[2])))
            opened = None
    if opened is not None:
        blocks.append((opened[1], _undented(text[opened[3] :], opened[2])))
    return blocks


def _undented(body: str, indent: int) -> str:
    """A block's content without the indentation that its fence has (in a list, say)."""
    if not indent:
        return body
    lines = body.split("\n")
    return "\n".join(line[min(indent, len(line) - len(line.lstrip())) :] for line in lines)


def _is_code(text: str, language: ProgramLanguage) -> bool:
    if language != "python":
        return _LOOKS_LIKE[language].search(text) is not None
    tree = _parsed(text)
    return tree is not None and any(not isinstance(node, ast.Expr) or _is_call(node) for node in tree.body)


def _is_call(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Call)


def _joined(code: str, tests: CodeTests) -> str:
    """The whole program: the prefix and a body, or what the prefix has before the function and the program."""
    name = (tests.entry_point or "").partition(".")[0]
    defined = re.compile(rf"^(?:async\s+def|def|class)\s+{re.escape(name)}\b", re.MULTILINE) if name else None
    if defined is not None and defined.search(code):
        if re.search(r"^from\s+__future__\b", code, re.MULTILINE):
            return code
        begun = defined.search(tests.prefix)
        return f"{tests.prefix[: begun.start()] if begun else tests.prefix}\n{code}"
    prefix = tests.prefix if tests.prefix.endswith("\n") else tests.prefix + "\n"
    joined = [prefix + code]
    if tests.language == "python":
        first = code.lstrip("\n")
        joined += [prefix + textwrap.indent(textwrap.dedent(first), "    "), prefix + "    " + first.lstrip(" ")]
        if first[:1] not in (" ", "\t"):  # an unindented body is no body yet
            joined = [*joined[1:], joined[0]]
    return next((program for program in joined if _compiles(program)), joined[0])


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "program", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
