"""What must hold for every file of the repository, and for the first thing that a person types."""

import re
import subprocess
import sys
import tomllib

import yaml

from tests.docs import ROOT, page, text_files

MAX_LINES = 400
HEAVY = ("torch", "prefect", "mlflow", "transformers", "pyarrow", "s3fs", "pandas", "numpy")
# Written in two parts, so that this file is not its own finding.
FORBIDDEN = {
    "a path of somebody's machine": r"/wor" r"k/|/tmp/e" r"nv\b|/roo" r"t/",
    "the address of a package index": r"://[^\s\"'<>]*/simp" r"le\b",
    "code from a model's directory": r"trust_remote_co" r"de\s*=\s*True",
    "unpickling": r"\btorch\.loa" r"d\(|\bimport pick" r"le\b|\bfrom pick" r"le\b",
}


STAGES_OF_THE_PAPER = ("r1_zero", "dev1", "dev2", "dev3", "teaching", "chains", "student_rl", "distilled")
NAMED = re.compile(rf"""(["'])(?:evaluate/)?(?:{"|".join(STAGES_OF_THE_PAPER)})(?:/\w+)?\1""")


def test_no_stages_name_stands_in_code() -> None:
    """A recipe's names are its own. The paper's stand in presets, in the table of the paper's results, and in tests."""
    found = [
        f"{name}: {line.strip()}"
        for name, text in text_files().items()
        if name.endswith(".py")
        and not name.startswith(("tests/", "benchmarks/"))
        and name != "components/evals/report/paper.py"
        for line in text.splitlines()
        if NAMED.search(line) and "template: str" not in line  # a prompt template is called r1_zero, too
    ]
    assert found == []


def test_no_python_file_is_longer_than_the_limit() -> None:
    lengths = {name: text.count("\n") for name, text in text_files().items() if name.endswith(".py")}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_file_holds_what_no_file_may_hold() -> None:
    found = [
        f"{name}: {what}: {match[0]}"
        for name, text in text_files().items()
        for what, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, text)
    ]
    assert found == []


def test_constraints_are_exact_pins_and_cover_what_is_installed() -> None:
    lines = page("constraints.txt").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)] == []
    pinned = {normal(line.partition("==")[0]) for line in lines}
    assert len(pinned) == len(lines)
    project = tomllib.loads(page("pyproject.toml"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert sorted({normal(re.split(r"[\[<>=!~; ]", name)[0]) for name in named} - pinned) == []


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_pre_commit_runs_are_the_checks_of_make_without_network() -> None:
    [repo] = yaml.safe_load(page(".pre-commit-config.yaml"))["repos"]
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    entries = [hook["entry"].replace(" --force-exclude", "") for hook in repo["hooks"]]
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", page("Makefile"), re.MULTILINE)
    assert recipe
    made = [re.sub(r" (--check )?\.$", "", line.strip("\t@")) for line in recipe[1].splitlines()]
    assert [entry.removeprefix("env ") for entry in entries] == [line.replace("$(BIN)", ".venv/bin") for line in made]


def test_importing_the_package_imports_the_standard_library_at_most() -> None:
    program = (
        "import sys; before = set(sys.modules); import r1flow\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print('FOREIGN', sorted(new - sys.stdlib_module_names - {'r1flow'}), r1flow.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("FOREIGN [] "), done.stdout


def test_help_is_shown_without_importing_anything_heavy() -> None:
    program = (
        "import sys; sys.argv = ['r1', '--help']\n"
        "from r1flow.cli.main import app\n"
        "try: app()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "distill" in done.stdout or "Run a recipe" in done.stdout
    assert "HEAVY []" in done.stdout


def test_what_starts_a_run_imports_no_prefect_and_what_orchestrates_it_no_torch() -> None:
    """Prefect reads its settings when it is first imported; torch and transformers belong to the programs, not to flows."""
    program = (
        "import sys, r1flow.cli.run\n"
        "print('EARLY', sorted({'prefect', 'mlflow', 'torch', 'transformers'} & set(sys.modules)))\n"
        "import r1flow.flows.pipeline, r1flow.flows.sweep, r1flow.flows.evaluate, r1flow.flows.ledger\n"
        "import r1flow.flows.housekeeping\n"
        "print('LATE', sorted({'torch', 'transformers', 'vllm', 'deepspeed'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "EARLY []" in done.stdout, done.stdout
    assert "LATE []" in done.stdout, done.stdout
