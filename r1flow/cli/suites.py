"""``r1 suites``: the evaluation suites that are shipped."""

from rich import box
from rich.console import Console
from rich.table import Table

from r1flow.components.recipe.suites import SuiteConfig, suite_names


def list_suites() -> None:
    """A line for each: how many problems, how often and at which temperature each is asked, what judges, who owns it."""
    table = Table(
        "suite", "version", "problems", "k", "temperature", "verifier", "licence", "problems from", box=box.SIMPLE
    )
    for name in suite_names():
        suite = SuiteConfig(known=name)
        source = suite.source
        protocol = [f"{suite.problems:,}", str(suite.samples), f"{suite.temperature:g}"]
        made = f"the tiny world ({suite.skill})" if source is None else source.generator
        of = "exact" if source is None else source.judged_by
        where = made or f"suites.{name}.source.uri"
        table.add_row(name, suite.version, *protocol, of, source.licence if source else "Apache-2.0", where)
    console = Console()
    console.print(table)
    console.print(
        'In a recipe: [suites.NAME] with known = "SUITE"; give its file with --set suites.NAME.source.uri=FILE.',
        markup=False,
    )
