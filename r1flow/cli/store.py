"""``r1 ls``, ``show``, ``lineage``, ``report``, ``verify-store``: what is in the store."""

import json

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from r1flow.components.core.errors import DataError
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.artifact import (
    ArtifactRef,
    Manifest,
    all_artifacts,
    materialize,
    read_manifest,
    resolve,
    verify_all,
)
from r1flow.components.store.objects import ObjectStore, open_store
from r1flow.components.store.runs import summaries


def list_all(kind: str | None) -> None:
    """One line per artifact, newest last."""
    store = open_store(Settings().store_uri)
    console = Console()
    found = [(ref, manifest) for ref, manifest in all_artifacts(store) if kind in (None, ref.kind)]
    table = Table("artifact", "stage", "made", "size", "metrics", box=None)
    for column in table.columns[:4]:
        column.no_wrap = True
    for ref, manifest in sorted(found, key=lambda pair: pair[1].provenance.get("started", 0)):
        size = sum(entry.size for entry in manifest.files)
        table.add_row(ref.short, _stage(manifest), _when(manifest), f"{size / 1e6:.2f} MB", _metrics(manifest))
    console.print(table if found else f"{store.uri} holds no artifact yet; `r1 run tiny` makes some")


def show_one(text: str) -> None:
    """Everything that the manifest says."""
    store = open_store(Settings().store_uri)
    ref = resolve(store, text)
    manifest = read_manifest(store, ref)
    console = Console()
    console.print(f"[bold]{ref.kind}/{ref.fingerprint}[/]\n{ref.uri}\nmanifest sha256 {ref.manifest_sha256}")
    for title, value in (
        ("settings", manifest.config),
        ("metrics", manifest.metrics),
        ("provenance", manifest.provenance),
    ):
        console.print(f"\n[bold]{title}[/]")
        console.print_json(json.dumps(value))
    console.print("\n[bold]inputs[/]")
    for name, source in manifest.inputs.items():
        console.print(f"  {name:<12} {source.short}")
    table = Table("file", "bytes", "sha256", box=None)
    for entry in manifest.files:
        table.add_row(entry.path, f"{entry.size:,}", entry.sha256)
    console.print(table)


def show_lineage(text: str) -> None:
    """From an artifact back to its sources."""
    store = open_store(Settings().store_uri)
    ref = resolve(store, text)
    tree = Tree(_node(ref, read_manifest(store, ref)))
    _grow(store, tree, ref, seen=set())
    Console().print(tree)


def show_report(run_id: str) -> None:
    """The page of one run (of the last one that has a page), as a local file."""
    settings = Settings()
    store = open_store(settings.store_uri)
    pages = [(run["run"], s["ref"]) for run in summaries(store) for s in run["stages"] if s["name"] == "report"]
    chosen = [ref for run, ref in pages if run_id in ("last", run)]
    if not chosen:
        known = ", ".join(run for run, _ in pages) or "none"
        raise DataError(f"no report of run {run_id!r}; runs that have one: {known}")
    directory = materialize(store, ArtifactRef.model_validate(chosen[-1]), settings.cache)
    print(directory / "report.html")


def verify_store(kind: str | None) -> bool:
    """A line for every artifact with a damaged file, and one at the end; whether there is none."""
    store = open_store(Settings().store_uri)
    read = damaged = 0
    for name, error in verify_all(store, kind):
        read += 1
        if error is not None:
            damaged += 1
            print(f"{name}: {error}", flush=True)
    print(f"{read} artifacts in {store.uri}, {damaged or 'none'} damaged")
    return not damaged


def _grow(store: ObjectStore, tree: Tree, ref: ArtifactRef, seen: set[str]) -> None:
    for name, source in read_manifest(store, ref).inputs.items():
        known = source.fingerprint in seen
        seen.add(source.fingerprint)
        branch = tree.add(f"{name}: {_node(source, read_manifest(store, source))}{' (see above)' if known else ''}")
        if not known:
            _grow(store, branch, source, seen)


def _node(ref: ArtifactRef, manifest: Manifest) -> str:
    commit = manifest.provenance.get("commit")
    return f"{ref.short}  {_stage(manifest)}  {_metrics(manifest)}{f'  commit {commit[:10]}' if commit else ''}"


def _stage(manifest: Manifest) -> str:
    return str(manifest.provenance.get("stage", ""))


def _when(manifest: Manifest) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(manifest.provenance.get("started", 0)).strftime("%Y-%m-%d %H:%M:%S")


def _metrics(manifest: Manifest) -> str:
    from r1flow.cli.headline import headline

    return headline(manifest.metrics)
