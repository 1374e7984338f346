"""The services that r1flow stands on, one table: ``infra.stack`` starts it on this machine, ``infra.compose`` in containers.

Texts are templates. What is in braces depends on the place: ``{at[NAME]}`` is host and port of the port NAME as other
services see it, ``{host[NAME]}`` and ``{port[NAME]}`` its parts, ``{public[NAME]}`` the address that a browser on this machine
uses, ``{bind}`` the address to listen on, ``{folder}`` the service's own directory, ``{home}`` R1_HOME and ``{checkout}`` this
repository as workers see them, ``{python}`` and ``{weed}`` programs. ``{secret[NAME]}`` stands in environments alone: command
lines are readable by everybody.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

BUCKET = "r1flow"
DATABASES = ("prefect", "mlflow", "mlflow_auth")
SECRETS = ("postgres", "s3", "s3_files", "mlflow", "mlflow_cookies", "prefect")
POOLS = ("cpu", "gpu")


@dataclass(frozen=True)
class Service:
    """A server; where ``ready`` is empty, a job that has to be done. ``ports`` maps names to defaults, its address first."""

    name: str
    what: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    needs: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    ready: str = ""
    page: str = ""
    """What a person may open."""
    gently: signal.Signals | None = signal.SIGTERM
    """What asks it to end; None: SIGTERM for its whole process tree."""
    grace_s: float = 10.0


QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
# libpq and asyncpg read these: no address of a database has to hold a password.
DATABASE = {
    "PGHOST": "{host[postgres]}",
    "PGPORT": "{port[postgres]}",
    "PGUSER": "r1",
    "PGPASSWORD": "{secret[postgres]}",
}
STORE = {
    "AWS_ENDPOINT_URL": "http://{at[s3]}",
    "AWS_ACCESS_KEY_ID": "r1flow",
    "AWS_SECRET_ACCESS_KEY": "{secret[s3]}",
    "AWS_DEFAULT_REGION": "us-east-1",
}
ORCHESTRATOR = {"PREFECT_API_URL": "http://{at[prefect]}/api", "PREFECT_API_AUTH_STRING": "r1:{secret[prefect]}"}
TRACKING = {
    "R1_MLFLOW_URI": "http://{at[mlflow]}",
    "MLFLOW_TRACKING_URI": "http://{at[mlflow]}",
    "MLFLOW_TRACKING_USERNAME": "r1",
    "MLFLOW_TRACKING_PASSWORD": "{secret[mlflow]}",
}
USER = {
    "R1_HOME": "{home}",
    "R1_STORE": f"s3://{BUCKET}/store",
    **STORE,
    **TRACKING,
    **ORCHESTRATOR,
    **QUIET,
}
"""What a shell needs for `r1`, `prefect` and `mlflow` to work with the stack; workers have the same."""

POSTGRES = Service(
    "postgres",
    "databases of Prefect and MLflow",
    ("{python}", "-m", "infra.postgres", "{folder}", "{bind}", "{port[postgres]}"),
    {"PGUSER": "r1", "PGPASSWORD": "{secret[postgres]}"},
    ports={"postgres": 5432},
    ready="tcp://{at[postgres]}",
    gently=signal.SIGINT,  # fast: open connections are closed, not waited for
    grace_s=30,
)
DATABASES_JOB = Service(
    "databases",
    "makes the databases that are not there yet",
    ("{python}", "-m", "infra.databases", *DATABASES),
    DATABASE,
    needs=("postgres",),
)
S3 = Service(
    "s3",
    "object store with conditional writes (SeaweedFS)",
    (
        *("{python}", "-m", "infra.seaweedfs", "{weed}", "{folder}", "-logtostderr=true", "server", "-dir={folder}"),
        *("-ip={host[s3]}", "-ip.bind={bind}", "-volume.max=0"),
        *("-s3", "-s3.port={port[s3]}", "-s3.port.grpc={port[s3_grpc]}", "-s3.iam=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),  # nothing that was not asked for
        *("-master.port={port[master]}", "-master.port.grpc={port[master_grpc]}", "-master.volumeSizeLimitMB=1024"),
        *("-master.electionTimeout=2s",),  # of the only candidate; by default a second start waits ten seconds
        *("-volume.port={port[volume]}", "-volume.port.grpc={port[volume_grpc]}", "-volume.preStopSeconds=1"),
        *("-filer.port={port[filer]}", "-filer.port.grpc={port[filer_grpc]}"),
        *("-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"),  # in its folder; by default in everybody's /tmp
    ),
    {
        "AWS_ACCESS_KEY_ID": "r1flow",
        "AWS_SECRET_ACCESS_KEY": "{secret[s3]}",
        # Without these the files could be had from the servers behind the S3 gateway, which ask for no credentials.
        "WEED_JWT_SIGNING_KEY": "{secret[s3_files]}",
        "WEED_JWT_SIGNING_READ_KEY": "{secret[s3_files]}",
        "WEED_JWT_FILER_SIGNING_KEY": "{secret[s3_files]}",
        "WEED_JWT_FILER_SIGNING_READ_KEY": "{secret[s3_files]}",
    },
    ports={
        "s3": 8333,
        "s3_grpc": 18333,
        "master": 9333,
        "master_grpc": 19333,
        "volume": 9340,
        "volume_grpc": 19340,
        "filer": 8888,
        "filer_grpc": 18888,
    },
    ready="http://{at[s3]}/healthz",
    grace_s=30,
)
BUCKET_JOB = Service("bucket", "makes the bucket", ("{python}", "-m", "infra.bucket", BUCKET), STORE, needs=("s3",))
MLFLOW = Service(
    "mlflow",
    "MLflow: runs, curves, registered models",
    (
        *("{python}", "-m", "mlflow", "server", "--host", "{bind}", "--port", "{port[mlflow]}", "--workers", "2"),
        *("--app-name", "basic-auth", "--allowed-hosts", "127.0.0.1:*,localhost:*,mlflow:*"),
        *("--artifacts-destination", f"s3://{BUCKET}/mlflow"),
    ),
    {
        **DATABASE,
        **STORE,
        **QUIET,
        "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg://r1@{at[postgres]}/mlflow",
        "MLFLOW_AUTH_CONFIG_PATH": "{checkout}/infra/mlflow_auth.ini",
        "MLFLOW_AUTH_ADMIN_USERNAME": "r1",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "{secret[mlflow]}",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "{secret[mlflow_cookies]}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight worker processes, 1.8 GB, for what nothing here uses
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    },
    needs=("databases", "bucket"),
    ports={"mlflow": 5000},
    ready="http://{at[mlflow]}/health",
    page="http://{public[mlflow]}",
)
PREFECT = Service(
    "prefect",
    "Prefect: deployments, schedules, flow runs",
    ("{python}", "-m", "prefect", "server", "start", "--host", "{bind}", "--port", "{port[prefect]}"),
    {
        **DATABASE,
        **QUIET,
        "PREFECT_HOME": "{folder}",
        "PREFECT_SERVER_MEMO_STORE_PATH": "{folder}/memo_store.toml",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://r1@{at[postgres]}/prefect",
        "PREFECT_SERVER_API_AUTH_STRING": "r1:{secret[prefect]}",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "http://{public[prefect]}",  # by default every web page may ask it
        "PREFECT_UI_API_URL": "http://{public[prefect]}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    },
    needs=("databases",),
    ports={"prefect": 4200},
    ready="http://{at[prefect]}/api/health",
    page="http://{public[prefect]}",
)
POOLS_JOB = Service(
    "pools",
    "work pools, GPU slots, the automation for crashed runs",
    ("{python}", "-m", "infra.pools"),
    {**ORCHESTRATOR, **QUIET, "PREFECT_HOME": "{folder}"},
    needs=("prefect",),
)


def _worker(pool: str, health_port: int) -> Service:
    return Service(
        f"worker-{pool}",
        f"runs what is due in the work pool {pool}",
        (
            *("{python}", "-m", "prefect", "worker", "start", "--pool", pool, "--name", f"stack-{pool}"),
            *("--type", "process", "--install-policy", "never", "--with-healthcheck"),
        ),
        {
            **USER,
            "PREFECT_HOME": "{folder}",
            "PREFECT_RESULTS_LOCAL_STORAGE_PATH": "{folder}/storage",
            "PREFECT_WORKER_WEBSERVER_HOST": "{bind}",
            "PREFECT_WORKER_WEBSERVER_PORT": f"{{port[worker_{pool}]}}",
            "PREFECT_WORKER_QUERY_SECONDS": "5",
        },
        needs=("pools", "mlflow", "bucket"),
        ports={f"worker_{pool}": health_port},
        ready=f"http://{{at[worker_{pool}]}}/health",
        gently=None,  # alone, it would wait for its flow runs; asked, they stop their stages and say that they have crashed
        grace_s=30,
    )


SERVICES: tuple[Service, ...] = (
    POSTGRES,
    DATABASES_JOB,
    S3,
    BUCKET_JOB,
    MLFLOW,
    PREFECT,
    POOLS_JOB,
    *(_worker(pool, 8081 + number) for number, pool in enumerate(POOLS)),
)
"""In an order in which they can be started; stopped in the opposite one: a worker ignores SIGTERM once its server is gone."""
