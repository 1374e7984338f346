"""The tests of HumanEval and MBPP rows, as their authors publish them, as ``CodeTests``."""

from collections.abc import Mapping
from typing import Any, Literal

from r1flow.components.core.tests import CodeTests


def humaneval_tests(record: Mapping[str, Any]) -> CodeTests:
    """HumanEval (Chen et al. 2021): ``test`` defines ``check(candidate)``; the completion goes on with ``prompt``."""
    return CodeTests(assertions=record["test"], entry_point=record["entry_point"], prefix=record["prompt"])


def mbpp_tests(record: Mapping[str, Any], *, isolation: Literal["two", "one"] = "two") -> CodeTests:
    """MBPP (Austin et al. 2021), full or sanitized: ``test_setup_code`` or ``test_imports``, then ``test_list``."""
    setup = [record.get("test_setup_code") or "", *record.get("test_imports", ())]
    lines = [line.replace("\r\n", "\n") for line in (*setup, *record["test_list"]) if line.strip()]
    return CodeTests(assertions="\n".join(lines) + "\n", isolation=isolation)
