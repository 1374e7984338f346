"""Where runs happen on this machine: ``R1_*`` environment variables. None of it enters a fingerprint."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from r1flow.components.core.errors import ConfigError


class Settings(BaseSettings):
    """Read once per process. Relative paths are taken from the current directory."""

    model_config = SettingsConfigDict(env_prefix="R1_", frozen=True, extra="ignore", use_attribute_docstrings=True)

    home: Path = Path(".r1")
    """Local state: work directories, caches, the default store and databases."""
    store: str = ""
    """Object store: a path, `file://...` or `s3://bucket/prefix`. Default: `<home>/store`."""
    mlflow_uri: SecretStr = SecretStr("")
    """MLflow tracking server or database; it may hold a password. Default: SQLite in `<home>`."""
    experiment: str = "r1flow"
    """MLflow experiment."""
    prefect_api_url: str = ""
    """Prefect API of a running server. Default: PREFECT_API_URL, else a server inside this process."""

    slots: str = ""
    """Name of a global concurrency limit in Prefect, a slot of which every device (on a CPU every rank) of a stage takes."""
    prices: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Money per device-hour by device, in place of the table's: `R1_PRICES='{"H100": 1.9, "cpu": 0.03}'`. `cpu` is one core."""
    power: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Watts by device, in the same form."""
    child_env: str = ""
    """Variables that stages' programs may see beside what computing, S3 and the hub need, as patterns: `MY_KEY,JUDGE_*`."""
    sandbox: Literal["", "bubblewrap", "rlimits"] = ""
    """What programs run in. Default: bubblewrap, and nothing where it does not work; `rlimits` isolates nothing."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def store_uri(self) -> str:
        return self.store or (self.home / "store").as_uri()

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_uri.get_secret_value() or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    @property
    def outboxes(self) -> Path:
        """What runs have told MLflow and MLflow has not yet taken."""
        return self.home / "outbox"

    def work(self, kind: str, fingerprint: str) -> Path:
        """The work directory of one stage: the same for every try, so that a retry finds what the last one left."""
        return self.home / "work" / f"{kind}-{fingerprint[:16]}"

    def prepare(self) -> None:
        """Make ``home``; ConfigError where that is impossible."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"R1_HOME: {self.home} cannot be made ({error.strerror}); set R1_HOME to a directory you can write"
            ) from error
