"""The console script ``r1``. Heavy imports happen inside commands, so that ``r1 --help`` is quick."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from r1flow.components.core.errors import BudgetExhausted, ConfigError, R1Error, UserError

app = typer.Typer(
    help="From data to a reasoning model by the DeepSeek-R1 recipe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
lake = typer.Typer(help="Everything that was ever sampled.", no_args_is_help=True)
app.add_typer(lake, name="lake")
INTERRUPTED = 130
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as run.threads=2.")
]
Preset = Annotated[str, typer.Argument(help="A preset's name, or a recipe file (.toml).")]


@app.command()
def run(
    preset: Preset,
    overrides: Overrides = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="STAGE", help="This stage with what it needs, evaluated, nothing promoted; repeatable."
        ),
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep", metavar="KEY=[VALUE,...]", help="Run once per value, several as a product, and compare."
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the run's summary there.")] = None,
) -> None:
    """Run a recipe from data to model, with progress; stages that are already there are reused."""
    from r1flow.cli.run import run_recipe

    if sweeps:
        from r1flow.cli.sweep import run_sweep

        run_sweep(preset, overrides or [], sweeps, json_file, only or ())
        return
    run_recipe(preset, overrides or [], json_file, only or ())


@app.command()
def plan(
    preset: Preset,
    overrides: Overrides = None,
    on: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Device to plan for; default: H100, or the CPU.")
    ] = None,
    memory: Annotated[float | None, typer.Option(metavar="GB", min=0, help="Memory that a rank has.")] = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="CPU presets: measure a step here.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="Settings beside the paper's, and nothing else.")] = False,
) -> None:
    """Parameters, settings, memory, time and cost of a recipe, before anything is computed."""
    from r1flow.cli.plan import show_conformance, show_plan

    if paper:
        show_conformance(preset, overrides or [])
        return
    show_plan(preset, overrides or [], on=on, memory_gb=memory, measure=calibrate)


@app.command("ls")
def list_artifacts(kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None) -> None:
    """The artifacts in the store."""
    from r1flow.cli.store import list_all

    list_all(kind)


@app.command("verify-store")
def verify_store(kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None) -> None:
    """Read every byte in the store; a line for each damaged artifact, and exit code 1 where there is one."""
    from r1flow.cli.store import verify_store as verify_artifacts

    if not verify_artifacts(kind):
        raise typer.Exit(1)


@app.command()
def show(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="REF | masks REF|PRESET",
            help="kind/fingerprint, a fingerprint's start, or a URI; or `masks` and SFT data, a model or a preset.",
        ),
    ],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="masks: rows to show.")] = 3,
    model: Annotated[
        str | None, typer.Option(help="masks: whose tokenizer; default: the model that was trained or sampled.")
    ] = None,
) -> None:
    """One artifact: settings, inputs, metrics, files, provenance. `show masks`: what SFT trains on, token by token."""
    match what:
        case ["masks", ref]:
            from r1flow.cli.masks import show_masks

            show_masks(ref, model, rows)
        case [ref] if ref != "masks":
            from r1flow.cli.store import show_one

            show_one(ref)
        case _:
            raise ConfigError("show takes one artifact, or `masks` and SFT data, a model or a preset (r1 ls)")


@app.command()
def lineage(
    ref: Annotated[str, typer.Argument(help="kind/fingerprint, a fingerprint's start, or a URI.")],
    row: Annotated[
        str | None, typer.Option(metavar="PROBLEM", help="A row of an evaluation, an RL stage or a dataset.")
    ] = None,
) -> None:
    """The tree of artifacts that an artifact was made from; of one row the way back to rollouts, dataset row and source."""
    if row is None:
        from r1flow.cli.store import show_lineage

        show_lineage(ref)
    else:
        from r1flow.cli.lineage import show_row

        show_row(ref, row)


@app.command()
def suites() -> None:
    """The evaluation suites that are shipped; a recipe takes one by `known` in a section of `suites`."""
    from r1flow.cli.suites import list_suites

    list_suites()


@app.command()
def ledger(
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="Problems to show of each list.")] = 10,
) -> None:
    """Pass rates over all models of the store: the hardest problems, those never solved, labels that look wrong."""
    from r1flow.cli.ledger import show_ledger

    show_ledger(overrides or [], rows)


@app.command()
def report(run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `last`.")] = "last") -> None:
    """Where a run's report page lies."""
    from r1flow.cli.store import show_report

    show_report(run_id)


@app.command()
def ui() -> None:
    """Prefect's and MLflow's pages and the reports in a browser, until Ctrl-C; on this machine alone."""
    from r1flow.cli.ui import show_pages

    show_pages()


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Ids' first digits, `last`, `last~1`.")],
) -> None:
    """Runs side by side: the first stages in which they differ and why, and the metrics with paired tests."""
    from r1flow.cli.compare import compare_runs

    if len(runs) < 2:
        raise ConfigError("compare takes two runs or more, such as `r1 compare last~1 last`")
    compare_runs(runs)


@app.command()
def doctor(
    model: Annotated[
        str | None, typer.Option(help="Look at this model: a directory, FILE.gguf, s3://DIR or a hub id.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Of a hub's model.")] = None,
) -> None:
    """What is wrong here, and the fix: Python, packages, store, tracking, disk; or with --model, whether that model works:
    family, weights, tokenizer, template, ends, log-probabilities. Exit code 1 where it does not."""
    from r1flow.cli.doctor import examine, examine_model

    if model is None:
        examine()
    elif not examine_model(model, revision):
        raise typer.Exit(1)


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="An artifact, a model directory or `champion`.")],
    prompt: Annotated[str, typer.Argument(help="The problem, such as 37+45+68.")],
    num: Annotated[int, typer.Option("--num", "-n", min=1, help="Completions to draw.")] = 1,
    template: Annotated[str | None, typer.Option(help="Prompt template; default: the artifact's own.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Default: 256, or what the model has room for.")] = None,
    temperature: Annotated[float, typer.Option(min=0)] = 0.6,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Talk to a model."""
    from r1flow.cli.sample import draw

    draw(model, prompt, num=num, template=template, max_tokens=max_tokens, temperature=temperature, seed=seed)


@app.command()
def promote(
    ref: Annotated[str, typer.Argument(help="kind/fingerprint, a fingerprint's start, or a URI.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
    model: Annotated[str | None, typer.Option(help="The registered model; default: its recipe's.")] = None,
) -> None:
    """Make an evaluated model champion, whatever the gate says."""
    from r1flow.cli.promote import promote as decide

    decide(ref, model, reason)


@app.command()
def rollback(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Default: the only registered model.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
) -> None:
    """Give the title back to the champion before; again, to the one before that."""
    from r1flow.cli.promote import rollback as take_back

    take_back(model, reason)


@app.command()
def reindex() -> None:
    """Rebuild MLflow's runs, model versions and aliases from the store; what is there already stays as it is."""
    from r1flow.cli.reindex import rebuild

    rebuild()


@app.command()
def verify(
    source: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Rows with `gold` and `prediction`, and so on.")],
    out: Annotated[Path, typer.Option("--out", help="The same rows with verdict, reward, seconds, extracted.")],
    kind: Annotated[str, typer.Option(help="math, choice, exact, code, format or language.")] = "math",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that judge; default: one per processor.")
    ] = None,
) -> None:
    """Judge answers in a file as training would judge them."""
    from r1flow.cli.verify import verify as verify_rows

    verify_rows(source, out, kind, workers)


@app.command()
def evaluate(
    suites: Annotated[
        list[str],
        typer.Option("--suite", help="A suite (`r1 suites`); of completions the name under which metrics stand."),
    ],
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="An artifact, `champion`, a directory or a hub id.")
    ] = None,
    completions: Annotated[
        list[Path] | None,
        typer.Option("--completions", metavar="FILE", help="JSON lines (.gz too); repeat to compare models."),
    ] = None,
    overrides: Overrides = None,
    template: Annotated[str | None, typer.Option(help="Prompt template of MODEL; default: its own.")] = None,
    gold: Annotated[str, typer.Option(metavar="COLUMN", help="The right answer; a.b leads into objects.")] = "gold",
    gold_after: Annotated[str | None, typer.Option(metavar="TEXT", help="Take what follows it in the gold.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--column", metavar="COLUMN", help="A text or a list of texts; repeatable.")
    ] = None,
    problem: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Lines of one name are samples of one problem.")
    ] = None,
    finished: Annotated[str | None, typer.Option(metavar="COLUMN", help="true or false; stop or length.")] = None,
    contaminated: Annotated[str | None, typer.Option(metavar="COLUMN", help="true where it was trained on.")] = None,
    verifier: Annotated[str, typer.Option(help="math, choice or exact.")] = "math",
    style: Annotated[str, typer.Option(help="think, think_answer or think_answer_strict.")] = "think",
    language: Annotated[str, typer.Option(help="The language of the thoughts, by its code.")] = "en",
    prefilled: Annotated[bool, typer.Option("--prefilled", help="The prompt had opened the thought.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that judge.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all metrics there.")] = None,
) -> None:
    """Measure a model on suites, or stored completions of any model: pass@1, pass@k, cons@k and form, with intervals."""
    if (model is None) == (completions is None):
        raise ConfigError("evaluate takes a model, or --completions FILE with its stored answers: one of the two")
    if model is not None:
        from r1flow.cli.measure import measure_model

        measure_model(model, suites, overrides or [], template, json_file)
        return
    if len(suites) != 1 or completions is None:
        raise ConfigError("--completions takes one --suite: the name under which the metrics stand")
    from r1flow.cli.evaluate import evaluate as evaluate_files
    from r1flow.components.evals.completions import Columns

    where = Columns(gold, tuple(columns or ("completion",)), gold_after, problem, finished, contaminated)
    evaluate_files(
        completions,
        suites[0],
        where,
        verifier=verifier,
        style=style,
        language=language,
        prefilled=prefilled,
        workers=workers,
        json_file=json_file,
    )


@lake.command("query")
def lake_query(
    sql: Annotated[str, typer.Argument(help="One SELECT over rollouts, evaluations, rescored, aha and aha_words.")],
    json_lines: Annotated[bool, typer.Option("--json", help="All rows, as JSON lines.")] = False,
) -> None:
    """Ask the lake: SQL over every rollout and every answer of an evaluation in the store."""
    from r1flow.cli.lake import query

    query(sql, json_lines)


@app.command()
def rescore(
    artifacts: Annotated[list[str] | None, typer.Argument(help="RL stages or evaluations; default: all.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that judge.")] = None,
) -> None:
    """Judge stored completions by this checkout's verifiers: what flips, and which runs trained on it."""
    from r1flow.cli.rescore import rescore_all

    rescore_all(artifacts or [], workers)


@app.command()
def certify(
    what: Annotated[str, typer.Argument(help="`rewards`, `gradient`, `weights` or `resume`.")],
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="rewards: only this verifier; repeatable.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="rewards, gradient: draws other cases.")] = 0,
    model: Annotated[str | None, typer.Option(help="gradient, weights: a model directory or builtin:NAME.")] = None,
) -> None:
    """Prove it here: verifiers that are not deceived, one gradient however it is computed, weights that are really
    served, a killed run that ends like one that was not. Exit code 1 where a proof fails."""
    from r1flow.cli.certify import certify as prove

    if not prove(what, kinds or [], seed, model):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: a user's mistake is one clear message and exit code 2, an exhausted budget 3; an interrupt is 130."""
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer makes this of a KeyboardInterrupt
            print("r1: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        if end.code:
            raise
        # Everything is flushed and closed; taking Prefect's and MLflow's modules apart would cost two seconds more.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    except BudgetExhausted as error:
        print(f"r1: {error}", file=sys.stderr)
        sys.exit(3)
    except UserError as error:
        print(f"r1: {error}", file=sys.stderr)
        sys.exit(2)
    except R1Error as error:
        print(f"r1: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
