"""What a test program says about itself: its syntax tree, the names that it needs, whether it checks anything."""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings

FILE = "tests.py"


class Broken(Exception):
    """Tests that cannot judge any program."""


def parsed(source: str) -> ast.Module:
    """The syntax tree of a test program; Broken where it has none, or has nothing that could fail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, FILE)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Broken(f"the tests cannot be read: {type(error).__name__}: {error}") from None
    if not checks_anything(tree):
        raise Broken("the tests assert nothing")
    return tree


def checks_anything(tree: ast.Module) -> bool:
    """Whether something in it can fail by intent: an assert, a raise, a call of ``assert...`` or ``fail...``."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assert, ast.Raise)):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called.startswith(("assert", "fail")):
                return True
    return False


def free_names(source: str) -> set[str]:
    """Names that the test program reads as globals and that neither it nor Python defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = symtable.symtable(source, FILE, "exec")
    bound = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    read: set[str] = set()
    tables = [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        read |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is module or s.is_global())}
    return read - bound - set(dir(builtins)) - {"__file__"}


def called_names(tree: ast.Module) -> set[str]:
    """Names that the tests call."""
    return {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
