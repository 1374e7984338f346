"""``r1 doctor``: what is wrong here, and the fix."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from r1flow.components.core.cuda import describe_device
from r1flow.components.core.errors import R1Error, UserError
from r1flow.components.core.redact import escaped, redact
from r1flow.components.programs.finding import Finding
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.components.store.probe import clock_difference

NEEDED = ("torch", "transformers", "prefect", "mlflow", "s3fs", "math-verify", "pyarrow")
FREE_BYTES = 2e9
CLOCK_S = 20.0
"""A third of a lease's life."""
COLORS = {"ok": "green", "warning": "yellow", "failed": "red"}


def examine() -> None:
    """Print every finding; raises UserError when something must be fixed first."""
    settings = Settings()
    if broken := _show([check(settings) for check in CHECKS]):
        raise UserError(f"{len(broken)} to fix: {', '.join(broken)}")


def examine_model(source: str, revision: str | None) -> bool:
    """Print every finding about a model; whether none has failed. Raises UserError for a source that names none."""
    from r1flow.tasks.examination import examine_model as look_at

    return not _show(look_at(source, revision))


def _show(findings: Sequence[Finding]) -> list[str]:
    """As a table; what has failed."""
    table = Table("", "what", "finding", box=None)
    for finding in findings:
        verdict = finding.verdict
        table.add_row(
            f"[{COLORS[verdict]}]{verdict}[/]", escape(finding.what), escape(escaped(finding.detail, keep="\n"))
        )
    Console().print(table)
    return [finding.what for finding in findings if finding.verdict == "failed"]


def _python(settings: Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), f"{version} (3.11 or newer is needed)")


def _packages(settings: Settings) -> Finding:
    missing = []
    for name in NEEDED:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    fix = f"missing: {', '.join(missing)}; run `make demo` or `pip install -c constraints.txt -e .`"
    return Finding("packages", not missing, fix if missing else f"all {len(NEEDED)} core packages are installed")


def _home(settings: Settings) -> Finding:
    try:
        settings.prepare()
    except UserError as error:
        return Finding("R1_HOME", False, str(error))
    writable = os.access(settings.home, os.W_OK)
    return Finding("R1_HOME", writable, f"{settings.home}{'' if writable else ' cannot be written; set R1_HOME'}")


def _disk(settings: Settings) -> Finding:
    place = settings.home if settings.home.is_dir() else settings.home.parent
    free = shutil.disk_usage(place).free if place.is_dir() else 0
    return Finding("disk", free > FREE_BYTES, f"{free / 1e9:.1f} GB free at {place} (2 GB are enough for tiny)")


def _store(settings: Settings) -> Finding:
    try:
        open_store(settings.store_uri).probe()
    except R1Error as error:
        return Finding("store", False, str(error))
    return Finding("store", True, f"{settings.store_uri}: written, read, created-if-absent and deleted a probe")


def _clock(settings: Settings) -> Finding:
    try:
        ahead = clock_difference(open_store(settings.store_uri))
    except R1Error as error:
        return Finding("clock", False, f"not compared: {error}", needed=False)
    fix = "" if abs(ahead) < CLOCK_S else "; leases would be taken over too early or too late: set the clock (NTP)"
    way = "ahead of" if ahead > 0 else "behind"
    return Finding("clock", not fix, f"the store's is {abs(ahead):.0f} s {way} this machine's{fix}")


def _slots(settings: Settings) -> Finding:
    if not settings.slots:
        return Finding("slots", True, "R1_SLOTS names no limit: stages wait for no device")
    url = settings.prefect_api_url or os.environ.get("PREFECT_API_URL", "")
    if not url:
        return Finding("slots", False, "R1_SLOTS is a limit of a Prefect server: set PREFECT_API_URL, or unset it")
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL, temporary_settings

    try:  # Prefect may have read its settings before the address was given
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            limit = client.read_global_concurrency_limit_by_name(settings.slots).limit
    except (PrefectException, HTTPError) as error:
        fix = f"prefect gcl create {settings.slots} --limit DEVICES"
        return Finding("slots", False, f"R1_SLOTS: no limit {settings.slots!r} on this Prefect server ({error}); {fix}")
    return Finding("slots", limit > 0, f"{settings.slots}: {limit} of them")


def _tracking(settings: Settings) -> Finding:
    from r1flow.components.tracking.mirror import Mirror
    from r1flow.components.tracking.runs import Tracking

    Tracking(settings.tracking_uri, settings.experiment, settings.outboxes).recover()
    reached = Mirror(settings.tracking_uri, settings.experiment).reachable()
    where = redact(settings.tracking_uri)
    return Finding("MLflow", reached, f"{where}{'' if reached else ' cannot be reached; set R1_MLFLOW_URI'}")


def _champions(settings: Settings) -> Finding:
    from r1flow.components.tracking.promotions import promoted_models
    from r1flow.components.tracking.registry import Registry

    try:
        store, registry = open_store(settings.store_uri), Registry(settings.tracking_uri)
        models = promoted_models(store)
        wrong = [line for model in models for line in registry.differences(store, model)]
    except Exception as error:  # whatever store or MLflow raise: the findings above name the cause
        return Finding("champions", False, redact(f"not compared: {error}"), needed=False)
    fix = f"{'; '.join(wrong)}: `r1 reindex` makes MLflow follow the promotion log"
    return Finding("champions", not wrong, fix if wrong else f"{len(models)} in the log, MLflow agrees")


def _device(settings: Settings) -> Finding:
    return Finding("device", True, describe_device())


def _sandbox(settings: Settings) -> Finding:
    from r1flow.components.processes.sandbox.choose import describe

    status = describe()
    return Finding("sandbox", bool(status.isolation), f"{status} (judges programs)", needed=False)


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _python,
    _packages,
    _home,
    _disk,
    _store,
    _clock,
    _tracking,
    _slots,
    _champions,
    _device,
    _sandbox,
)
