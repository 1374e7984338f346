"""The stack as people use it: deploy, run from another shell, schedule, event; refusals; nothing left at the end."""

import base64
import json
import shlex
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from infra.pools import CRASHED
from infra.services import BUCKET
from r1flow.components.recipe.presets import load_recipe
from tests.processes import survivors, told
from tests.runs import ROOT
from tests.stack.conftest import Stack

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed; `make test-stack` installs it")
pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

TLS_ALERT = b"\x15"
DEPLOYMENTS = """
name: stack-test
pull:
  - prefect.deployments.steps.set_working_directory: {{directory: "{root}"}}
deployments:
  - name: every-15-seconds
    entrypoint: flows/housekeeping.py:housekeeping
    work_pool: {{name: cpu}}
    schedules: [{{interval: 15}}]
"""


def command_line(process: psutil.Process) -> list[str]:
    return list(process.cmdline())


def ask(stack: Stack, path: str, body: dict[str, Any]) -> Any:
    """One authenticated question to Prefect's API."""
    token = base64.b64encode(stack.variables["PREFECT_API_AUTH_STRING"].encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    url = f"{stack.variables['PREFECT_API_URL']}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
        return json.load(answer)


def runs_of(stack: Stack, deployment: str) -> list[dict[str, Any]]:
    """The flow runs of FLOW/DEPLOYMENT, newest first."""
    flow, name = deployment.split("/")
    wanted = {"flows": {"name": {"any_": [flow]}}, "deployments": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC"}
    found: list[dict[str, Any]] = ask(stack, "/flow_runs/filter", wanted)
    return found


def completed(stack: Stack, deployment: str, number: int, limit_s: float) -> list[dict[str, Any]]:
    """Wait until ``number`` runs of a deployment have completed."""
    deadline = time.monotonic() + limit_s
    while True:
        runs = runs_of(stack, deployment)
        states = [run["state_type"] for run in runs]
        assert not {"FAILED", "CRASHED", "CANCELLED"} & set(states), runs
        if states.count("COMPLETED") >= number:
            return runs
        assert time.monotonic() < deadline, states
        time.sleep(1)


def code_of(url: str, **headers: str) -> int:
    """The status of one request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def allowed_origin(url: str, origin: str) -> str | None:
    """Whether a page of ``origin`` may read the answer."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Origin": origin}), timeout=30) as answer:
        found: str | None = answer.headers.get("Access-Control-Allow-Origin")
        return found


def secrets_of(stack: Stack) -> list[str]:
    lines = (stack.home / "stack" / "secrets").read_text().split()
    return [line.split("=", 1)[1] for line in lines]


def port_of(stack: Stack, server: str, kind: str = "") -> int:
    """A port of a server that has no variable of its own, from its command line."""
    flag = f"-{server}.port{kind}="
    found = [part for line in told(stack.processes(), command_line).values() for part in line if part.startswith(flag)]
    return int(found[0].removeprefix(flag))


def answer_to_grpc(port: int) -> bytes:
    """What comes back for the first bytes of a call without a certificate: frames, or an end."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        try:
            return connection.recv(100)
        except ConnectionResetError:
            return b""


def test_a_deployment_runs_on_the_worker_from_another_shell_with_everything_on_s3(stack: Stack) -> None:
    print(stack.shell("prefect --no-prompt deploy --all", timeout=600))
    print(stack.shell("prefect deployment run pipeline/smoke --watch --watch-timeout 900", timeout=1000))
    [run] = runs_of(stack, "pipeline/smoke")
    assert (run["state_type"], run["work_pool_name"]) == ("COMPLETED", "cpu")

    s3 = boto3.client(
        "s3",
        endpoint_url=stack.variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=stack.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.variables["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    manifests = {
        key.split("/")[2] for key in keys if key.startswith("store/artifacts/") and key.endswith("/MANIFEST.json")
    }
    assert {"suites", "dataset", "model", "rl", "sft", "evaluation", "report"} <= manifests
    assert [key for key in keys if key.startswith("store/promotions/r1-smoke/")]
    assert [key for key in keys if key.startswith("mlflow/") and key.endswith("/log.txt")]
    assert not (stack.home / "store").exists()
    assert not (stack.home / "mlflow.db").exists()
    assert "report" in stack.shell("r1 ls report")


def test_its_tracking_runs_and_model_versions_are_in_postgresql(stack: Stack) -> None:
    with database(stack, "mlflow") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM runs WHERE status = 'FINISHED'")}
        assert {"smoke-0", "r1_zero", "dev3"} <= names
        [(points,)] = connection.execute("SELECT count(*) FROM metrics").fetchall()
        assert points > 0
        aliases = connection.execute("SELECT name, alias FROM registered_model_aliases").fetchall()
        assert ("r1-smoke", "champion") in aliases
    with database(stack, "prefect") as connection:
        [(tasks,)] = connection.execute("SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'").fetchall()
        assert tasks > 0


def database(stack: Stack, name: str, password: str | None = None) -> "psycopg.Connection[Any]":
    secret = next(
        line.split("=", 1)[1] for line in (stack.home / "stack" / "secrets").read_text().split() if "POSTGRES" in line
    )
    lines = told(stack.processes(), command_line).values()
    server = next(line for line in lines if Path(line[0]).name == "postgres" and "-p" in line)
    port = int(server[server.index("-p") + 1])
    return psycopg.connect(host="127.0.0.1", port=port, user="r1", password=password or secret, dbname=name)


def test_a_scheduled_deployment_fires(stack: Stack) -> None:
    file = stack.home / "deployments.yaml"
    file.write_text(DEPLOYMENTS.format(root=ROOT))
    stack.shell(f"prefect --no-prompt deploy --all --prefect-file {file}")
    runs = completed(stack, "housekeeping/every-15-seconds", 2, limit_s=180)
    assert all(run["auto_scheduled"] for run in runs)
    stack.shell("prefect deployment schedule pause --all --no-prompt || prefect deployment schedule pause --all")


def test_announced_data_are_curated_and_a_published_dataset_starts_the_recipe(stack: Stack) -> None:
    payload = shlex.quote(json.dumps({"preset": "smoke"}))
    stack.shell(f"prefect event emit r1.data.announced --resource-id r1.data.test --payload {payload}")
    problems = load_recipe("smoke").datasets["problems"].model_dump(mode="json", exclude_none=True)
    # The deployment of tiny listens to datasets of tiny; what the event asks for is smoke, which is there in a minute.
    news = {
        "uri": f"s3://{BUCKET}/store/artifacts/dataset/0123456789abcdef",
        "preset": "smoke",
        "dataset": "problems",
        "set": {"seed": 0, "problems.sources": problems["sources"]},
    }
    resource = {"prefect.resource.id": "r1.dataset.test", "r1.preset": "tiny"}
    told = f"--resource {shlex.quote(json.dumps(resource))} --payload {shlex.quote(json.dumps(news))}"
    stack.shell(f"prefect event emit r1.dataset.published {told}")
    for deployment in ("curate/announced", "pipeline/tiny"):
        [started] = completed(stack, deployment, 1, limit_s=300)
        assert started["created_by"]["type"] == "AUTOMATION"
        assert started["parameters"]["preset"] == "smoke"
    [whole] = runs_of(stack, "pipeline/tiny")
    assert whole["parameters"]["set"] == news["set"]


def test_pools_slots_and_the_automation_for_crashed_runs_are_there_once(stack: Stack) -> None:
    stack.shell("python -m infra.pools")  # again
    assert {pool["name"] for pool in ask(stack, "/work_pools/filter", {})} >= {"cpu", "gpu"}
    [slots] = [limit for limit in ask(stack, "/v2/concurrency_limits/filter", {}) if limit["name"] == "gpu"]
    assert slots["limit"] >= 1
    automations = [one["name"] for one in ask(stack, "/automations/filter", {})]
    assert automations.count(CRASHED) == 1


def test_a_run_that_falls_silent_has_crashed_and_one_that_has_ended_stays_as_it_is(stack: Stack) -> None:
    assert "silent CRASHED, ended COMPLETED" in stack.shell("python -m tests.stack.silent_run")


def test_whoever_brings_no_credentials_is_refused(stack: Stack) -> None:
    prefect, mlflow, s3 = (
        stack.variables[name] for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL")
    )
    wrong = "Basic " + base64.b64encode(b"r1:wrong").decode()
    for headers in ({}, {"Authorization": wrong}):
        assert code_of(f"{prefect}/deployments/", **headers) == 401
        assert code_of(f"{prefect}/admin/settings", **headers) == 401
        assert code_of(f"{mlflow}/api/2.0/mlflow/experiments/get?experiment_id=0", **headers) == 401
        assert code_of(f"{mlflow}/", **headers) == 401
    assert code_of(f"{mlflow}/api/2.0/mlflow/experiments/get?experiment_id=0", Host="evil.example") == 403
    assert allowed_origin(f"{prefect}/health", "https://evil.example") is None
    assert code_of(f"{s3}/") == 403
    assert code_of(f"{s3}/{BUCKET}") == 403
    stranger = boto3.client(
        "s3", endpoint_url=s3, aws_access_key_id="somebody", aws_secret_access_key="else", region_name="us-east-1"
    )
    with pytest.raises(ClientError) as refused:
        stranger.list_objects_v2(Bucket=BUCKET)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert code_of(f"http://127.0.0.1:{port_of(stack, 'filer')}/buckets/{BUCKET}/") == 401
    for server in ("master", "volume", "filer", "s3"):
        assert answer_to_grpc(port_of(stack, server, ".grpc"))[:1] in (b"", TLS_ALERT), server
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        database(stack, "prefect", password="wrong")


def test_every_listener_is_on_loopback(stack: Stack) -> None:
    listening = {
        (name, connection.laddr.ip, connection.laddr.port)
        for name, connections in told(stack.processes(), lambda p: (p.name(), p.net_connections("inet"))).values()
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(listening) >= 8
    assert {one for one in listening if one[1] not in ("127.0.0.1", "::1")} == set()


def test_no_secret_is_in_a_command_line_a_log_or_what_is_printed(stack: Stack) -> None:
    secrets = secrets_of(stack)
    texts = {str(process.pid): " ".join(line) for process, line in told(stack.processes(), command_line).items()}
    texts |= {path.name: path.read_text(errors="replace") for path in (stack.home / "stack" / "logs").iterdir()}
    texts["printed"] = stack.printed
    assert [name for name, text in texts.items() if any(secret in text for secret in secrets)] == []
    for file in ("env", "secrets"):
        assert (stack.home / "stack" / file).stat().st_mode & 0o777 == 0o600


def test_a_second_stack_of_the_same_home_is_refused(stack: Stack) -> None:
    assert "runs already" in stack.shell("! python -m infra.stack 2>&1")


def test_ctrl_c_stops_everything(stack: Stack) -> None:
    everything = stack.processes()
    assert len(everything) > 10
    assert stack.stop() == 0
    assert stack.printed.rstrip().endswith("stopped")
    assert survivors(everything, 0) == []
