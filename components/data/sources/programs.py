"""The tests of programming problems as their authors publish them, in whatever columns, as ``CodeTests``."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from r1flow.components.core.tests import CodeTests
from r1flow.components.data.sources.records import BadRow
from r1flow.components.rewards.code.livecodebench import livecodebench_tests
from r1flow.components.rewards.code.suites import humaneval_tests, mbpp_tests

FORMS: dict[str, tuple[Callable[[Mapping[str, Any]], CodeTests], tuple[str, ...]]] = {
    "humaneval": (humaneval_tests, ("prompt", "test", "entry_point")),
    "mbpp": (mbpp_tests, ("test_list", "test_setup_code", "test_imports")),
    "livecodebench": (livecodebench_tests, ("public_test_cases", "private_test_cases", "metadata", "starter_code")),
}
"""By form: what reads it, and the columns that it looks into."""


def upstream_tests(form: str, columns: Mapping[str, Any]) -> CodeTests:
    """The tests of one record. Raises BadRow for columns that are missing or hold something else."""
    read, _ = FORMS[form]
    try:
        return read(columns)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, ValidationError):
        raise BadRow(f"no tests in the form of {form}") from None
