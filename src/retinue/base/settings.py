"""Every setting of the server: its name, its default, its words. Read once, handed down; nothing else reads the
environment.

A setting `data_dir` comes from `RETINUE_DATA_DIR`, else from the file that `RETINUE_DATA_DIR_FILE` names (secrets),
else from a file of its name in `/run/secrets`, else from `retinue.toml` in the working directory, else its default
holds.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import TomlConfigSettingsSource

from retinue.base.errors import Invalid

PREFIX = "RETINUE_"
SECRETS_FOLDER = Path("/run/secrets")
Credits = Annotated[Decimal, Field(ge=0, decimal_places=2, max_digits=15)]


def _split(told: Any) -> Any:
    return [part.strip() for part in told.split(",") if part.strip()] if isinstance(told, str) else told


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Accelerator = Literal["cpu", "openvino", "cuda", "tensorrt"]
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*):[^@\s]*@")


class BadSettings(Invalid):
    code = "bad-settings"
    title = "The settings cannot be used"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        toml_file="retinue.toml",
        extra="forbid",
        frozen=True,
        secrets_dir=None,
        validate_default=True,
    )

    data_dir: Path = Field(Path("retinue-data"), description="Folder that holds everything the embedded default keeps.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    public_url: str = Field(
        "", description="Address people use, when a proxy stands in front: https://retinue.example."
    )

    database_url: str = Field("", description="sqlite:///… or postgresql://…; empty: SQLite in the data folder.")
    storage_url: str = Field("", description="Folder or s3://bucket/prefix; empty: a folder in the data folder.")
    cache_url: str = Field("", description="redis://… shares caches and rate limits between nodes; empty: in memory.")

    broker_url: str = Field(
        "", description="redis://… or amqp://… carries job messages between processes; empty: memory."
    )
    pool: Literal["cpu", "gpu"] = Field("cpu", description="Pool whose chunks this worker takes, and that jobs go to.")
    slots: int = Field(2, ge=1, le=64, description="Chunks of jobs that this process works on at once.")
    job_lease_seconds: float = Field(
        30, gt=0, le=600, description="How long a silent worker keeps a chunk; renewed every third of it."
    )
    job_sent_seconds: float = Field(
        60, gt=0, le=3600, description="When a job message that nobody took counts as lost."
    )

    providers: Annotated[list[Accelerator], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list,
        description="Where this process runs networks, the first choice first, comma-separated: cpu, openvino, cuda, "
        "tensorrt, as far as the installed ONNX Runtime can; empty: cpu.",
    )
    eye_url: CommaList = Field(
        default_factory=list,
        description="Servers of the Open Inference Protocol that run the networks for this process, comma-separated: "
        "our own workers or others; empty: it runs them itself.",
    )
    eye_token: SecretStr | None = Field(
        None, description="Bearer token for the servers of eye_url; empty: the one our own workers ask for."
    )
    eye_timeout_seconds: float = Field(
        10, gt=0, le=30, description="How long one server of eye_url may take before another is asked."
    )
    eye_port: int = Field(
        0, ge=0, le=65535, description="Port on which a worker runs networks for others' eye_url; 0: it does not."
    )

    default_model: str = Field("efficientnet-lite0", description="The model that answers when a request names none.")
    promotion_pictures: int = Field(
        30, ge=1, description="Pictures both versions must be judged on before one takes over for being better."
    )
    retention_days: int = Field(
        0,
        ge=0,
        description="Days after their last use that originals are kept: pictures of live predictions and of hand-overs "
        "by hand, and the tensors of inference requests; 0 keeps them.",
    )
    loan_hours: int = Field(
        24, ge=0, description="Hours until an issued kit is overdue, unless the issue says when it is due; 0: never."
    )
    failpoints: str = Field("", description="For tests: where this process shall die, fail or wait. Leave it empty.")

    secret_key: SecretStr | None = Field(
        None, description="Signs tokens and links, ≥ 32 characters, the same on every node; empty: made at first start."
    )
    admin_email: str = Field("", description="With admin_password: creates the first admin when there is none.")
    admin_password: SecretStr | None = Field(None, description="Password of that first admin.")
    registration: Literal["open", "closed"] = Field("open", description="Whether strangers may register.")
    access_token_minutes: int = Field(10, ge=1, le=60, description="Life of an access token.")

    welcome_credits: Credits = Field(Decimal("100.00"), description="Credits everybody starts with.")
    price_image_upload: Credits = Field(Decimal("0.65"), description="Credits per picture uploaded to a dataset.")
    price_zip_image: Credits = Field(Decimal("0.70"), description="Credits per accepted picture of a ZIP.")
    price_video_frame: Credits = Field(Decimal("0.40"), description="Credits per sampled frame of an uploaded video.")
    price_inference_image: Credits = Field(
        Decimal("2.75"), description="Credits per picture a model looks at, unless the model has its own price."
    )
    price_inference_video_frame: Credits = Field(
        Decimal("1.50"), description="Credits per video frame a model looks at, unless the model has its own price."
    )
    price_cached: Credits = Field(Decimal("0.00"), description="Credits per answer that comes from the result cache.")

    credits_low: Credits = Field(
        Decimal("10.00"), description="Available credits below which credits.low is told; 0 tells nobody."
    )

    user_storage_mib: int = Field(
        20_480, ge=1, description="MiB that the datasets and unfinished uploads of one person may take."
    )
    user_files: int = Field(500_000, ge=1, description="How many files they may be.")

    webhook_allow: CommaList = Field(
        default_factory=list,
        description="Networks that webhooks may reach besides public ones, comma-separated; empty: none.",
    )
    allowed_hosts: CommaList = Field(
        default_factory=list,
        description="Host names requests may name, comma-separated; empty: loopback and the public URL's.",
    )
    cors_origins: CommaList = Field(
        default_factory=list, description="Origins whose pages may call the API, comma-separated; empty: none."
    )
    trusted_proxies: CommaList = Field(
        default_factory=list, description="Networks whose X-Forwarded-* headers count, comma-separated; empty: none."
    )
    rate_limit: int = Field(6000, ge=1, description="Requests per user and minute.")
    rate_burst: int = Field(600, ge=1, description="Requests a user may send at once before the rate counts.")
    concurrent_requests: int = Field(64, ge=1, description="Requests of one user that may be under way together.")
    metrics_token: SecretStr | None = Field(None, description="Opens /metrics to other machines than this one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious line that is logged."
    )
    log_file: Path | None = Field(None, description="Log to this file instead of standard output.")

    @field_validator("trusted_proxies", "webhook_allow")
    @classmethod
    def _networks(cls, told: list[str]) -> list[str]:
        for part in told:
            _network(part)
        return told

    @field_validator("eye_url")
    @classmethod
    def _http_urls(cls, told: list[str]) -> list[str]:
        if any(not part.startswith(("http://", "https://")) for part in told):
            raise ValueError("each begins with http:// or https://")
        return told

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, told: SecretStr | None) -> SecretStr | None:
        if told is not None and len(told.get_secret_value()) < 32:
            raise ValueError("needs at least 32 characters")
        return told

    @property
    def database(self) -> str:
        url = self.database_url or f"sqlite:///{self.data_dir.absolute() / 'retinue.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def storage(self) -> str:
        return self.storage_url or str(self.data_dir.absolute() / "files")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, _SecretFiles(settings_cls), TomlConfigSettingsSource(settings_cls))


@dataclass(frozen=True, slots=True)
class Line:
    """One setting as `retinue settings` and the reference page show it."""

    name: str
    value: str
    origin: str
    words: str


def read_settings(**given: Any) -> Settings:
    """The settings of this process; `given` (from a command line) wins over every other origin."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as wrong:
        told = "; ".join(f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in wrong.errors())
        raise BadSettings(told) from None


def describe(settings: Settings) -> Iterator[Line]:
    """Name, value, origin and words of every setting; secrets are masked."""
    origins = _origins()
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        yield Line(PREFIX + name.upper(), _shown(value), origins.get(name, "default"), field.description or "")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _PASSWORD_IN_URL.sub(r"\1:***@", text)


def _origins() -> dict[str, str]:
    found: dict[str, str] = {}
    toml = TomlConfigSettingsSource(Settings)
    for name in Settings.model_fields:
        if PREFIX + name.upper() in os.environ:
            found[name] = "environment"
        elif (file := _secret_file(name)) is not None:
            found[name] = f"file {file}"
        elif name in toml():
            found[name] = "retinue.toml"
    return found


class _SecretFiles(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        file = _secret_file(field_name)
        return (None if file is None else file.read_text("utf-8").rstrip("\n")), field_name, False

    def __call__(self) -> dict[str, Any]:
        told: Mapping[str, FieldInfo] = self.settings_cls.model_fields
        values = {name: self.get_field_value(field, name)[0] for name, field in told.items()}
        return {name: value for name, value in values.items() if value is not None}


def _secret_file(name: str) -> Path | None:
    if named := os.environ.get(f"{PREFIX}{name.upper()}_FILE"):
        return Path(named)
    mounted = SECRETS_FOLDER / f"{PREFIX}{name}".lower()
    return mounted if mounted.is_file() else None


def _network(text: str) -> IPv4Network | IPv6Network:
    from ipaddress import ip_network

    return ip_network(text, strict=False)
