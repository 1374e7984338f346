"""No secret of the environment turns up anywhere: logs, databases, artifacts, manifests, summaries, argv, messages."""

import gzip
import os
import shutil
import sqlite3
import subprocess
import time
import traceback
from contextlib import closing
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r1flow.components.core.errors import ConfigError, StoreUnavailable
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.models import locate_model
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.client import open_client
from tests.conftest import Ran
from tests.processes import family
from tests.runs import ROOT, ZERO, command, environment, r1
from tests.security.canaries import SECRETS, STORE_PASSWORD, TRACKING_PASSWORD, found_in, search

FLOWS_OWN = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PREFECT_API_AUTH_STRING",
    "OPENAI_API_KEY",
    "R1_MLFLOW_URI",
)


def test_a_whole_run_leaves_no_secret_behind(smoke: Ran) -> None:
    """The shared run had all of them in its environment."""
    assert {"mlflow.db", "console.txt", "prefect", "store"} <= {path.name for path in smoke.home.iterdir()}
    assert search(smoke.home) == []


@pytest.mark.slow
def test_a_run_that_fails_without_its_tracking_server_tells_no_secret_either(smoke: Ran, tmp_path: Path) -> None:
    """While it runs: nothing in any argv, and its programs do not have what only the flow needs."""
    home = tmp_path / "home"
    shutil.copytree(smoke.home / "store" / "artifacts", home / "store" / "artifacts")  # reused, but for r1_zero
    address = f"http://somebody:{TRACKING_PASSWORD}@127.0.0.1:9"
    env = environment(home) | SECRETS | {"R1_MLFLOW_URI": address}
    sets = ["--set", "r1_zero.min_pass_rate=0.999"]
    lines: set[str] = set()
    variables: dict[str, set[str]] = {}
    with (home / "console.txt").open("wb") as console:
        run = subprocess.Popen(command("run", ZERO, *sets), env=env, cwd=ROOT, stdout=console, stderr=console)
        own, deadline = command("run", ZERO, *sets), time.monotonic() + 240
        while run.poll() is None:
            assert time.monotonic() < deadline
            for child in family(run.pid):
                try:
                    lines.add("\0".join(line := child.cmdline()))
                    if (
                        line[:1] == own[:1] and line != own
                    ):  # else it is the flow, just before it starts another program
                        variables.setdefault(" ".join(line), set()).update(child.environ())
                except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has just ended
                    continue
            time.sleep(0.05)
    told = (home / "console.txt").read_text()
    assert run.returncode == 2, told
    assert "min_pass_rate" in told
    assert any("r1flow.components.processes.forker" in line for line in lines)
    assert [found for line in lines for found in found_in(line)] == []
    assert {name: sorted(has & set(FLOWS_OWN)) for name, has in variables.items() if has & set(FLOWS_OWN)} == {}
    assert any("HF_TOKEN" in has for has in variables.values())
    assert search(home) == []


def test_a_store_s_address_with_a_password_is_refused_without_repeating_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    address = f"s3://somebody:{STORE_PASSWORD}@bucket/prefix"
    done = r1(home, "ls", extra={"R1_STORE": address})
    assert done.returncode == 2
    assert "s3://***@bucket/prefix" in done.stderr
    assert "AWS_ACCESS_KEY_ID" in done.stderr
    assert found_in(done.stdout + done.stderr) == []
    assert search(home) == []


@pytest.mark.parametrize("arguments", [["doctor"], ["reindex"]])
def test_commands_that_speak_to_mlflow_do_not_repeat_its_password(
    smoke: Ran, arguments: list[str], tmp_path: Path
) -> None:
    address = f"http://somebody:{TRACKING_PASSWORD}@127.0.0.1:9"
    extra = SECRETS | {"R1_MLFLOW_URI": address, "R1_STORE": (smoke.home / "store").as_uri()}
    done = r1(tmp_path, *arguments, extra=extra)
    assert done.returncode != 0
    assert found_in(done.stdout + done.stderr) == []


def test_no_exception_holds_a_secret_not_even_in_its_causes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")  # put back at the end, as the password is
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("R1_MLFLOW_URI", f"http://somebody:{TRACKING_PASSWORD}@127.0.0.1:9")
    texts = [
        _raised(lambda: open_store("s3://bucket", deadline_s=0.2).exists("k"), StoreUnavailable),
        _raised(lambda: open_store(f"ftp://somebody:{STORE_PASSWORD}@host/x"), ConfigError),
        _raised(lambda: open_client(Settings().tracking_uri).search_experiments(), Exception),
        _raised(lambda: locate_model("org/name-that-is-nowhere", cache=tmp_path), Exception),
        repr(Settings()),
    ]
    monkeypatch.setenv("R1_PRICES", "not JSON")
    texts.append(_raised(Settings, Exception))
    assert [found for text in texts for found in found_in(text)] == []


def _raised(do: object, kind: type[Exception]) -> str:
    assert callable(do)
    with pytest.raises(kind) as caught:
        do()
    return "".join(traceback.format_exception(caught.value))


def test_the_search_finds_what_was_hidden(tmp_path: Path) -> None:
    secret = SECRETS["HF_TOKEN"]
    (tmp_path / "log.txt").write_text(f"x {secret} y")
    (tmp_path / "log.gz").write_bytes(gzip.compress(secret.encode()))
    pq.write_table(pa.table({"a": [[secret]]}), tmp_path / "t.parquet", compression="zstd")
    with closing(sqlite3.connect(tmp_path / "rows.db")) as database:
        database.execute("CREATE TABLE t (v TEXT)")
        database.execute("INSERT INTO t VALUES (?)", ("-" * 3000 + secret + os.urandom(3000).hex(),))
        database.commit()
    assert search(tmp_path) == [f"{name}: {secret}" for name in ("log.gz", "log.txt", "rows.db", "t.parquet")]
