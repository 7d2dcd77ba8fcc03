"""What the program is told by its environment: variables with the prefix FACTORY_.

Every setting has a description, a default that works on one machine, and a row in
docs/settings.md (a test compares them). Empty variables count as unset.
"""

import json
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.delivery.addresses import Guard

PREFIX = "FACTORY_"

_POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - translated, not bound
_LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


class SettingsError(Exception):
    """Settings that cannot be used; the message has one line for each of them."""


class Settings(BaseSettings):
    """The settings of one program. Refuses bad values all at once (ValidationError).

    `expects` completes the sentence "FACTORY_X must be …" for whoever gets a value wrong.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address on which the service listens. The default is reached from "
        "this machine only.",
        json_schema_extra={"expects": "an address of this machine"},
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="The port on which the service listens; 0 takes any free one.",
        json_schema_extra={"expects": "a whole number from 0 to 65535"},
    )
    data_dir: Path = Field(
        default=Path("./var"),
        description="The directory of the embedded database, its passwords and the admin key. "
        "It is made when it is missing, for its owner only.",
        json_schema_extra={"expects": "a directory"},
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="A PostgreSQL 15 or newer, as the service's login (a member of iu_app), to "
        "use instead of the embedded one: postgresql://user:password@host:5432/database.",
        json_schema_extra={"expects": "a URL like postgresql://user:password@host:5432/database"},
    )
    migration_database_url: str | None = Field(
        default=None,
        repr=False,
        description="The same database as the owner's login (iu_owner), for "
        "migrating and for making the first key. The embedded database needs none.",
        json_schema_extra={"expects": "a URL like postgresql://user:password@host:5432/database"},
    )
    disposable_data: bool = Field(
        default=False,
        description="Says that the data may be lost in a power cut. Without it the service "
        "refuses a database whose fsync or synchronous_commit is off.",
        json_schema_extra={"expects": "true or false"},
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="How many database connections one process keeps at most, beside the twelve "
        "that composing and events have to themselves.",
        json_schema_extra={"expects": "a whole number from 1 to 1000"},
    )
    pool_timeout: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="Seconds that a request waits for a free connection before it is answered "
        "503 with Retry-After.",
        json_schema_extra={"expects": "a number of seconds above 0 and up to 60"},
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Web origins whose pages may call the service from a browser, separated by "
        "commas or as a JSON list. Empty: none.",
        json_schema_extra={
            "expects": "origins like https://console.example, separated by commas, or *"
        },
    )
    deliver: bool = Field(
        default=False,
        description="Also sends what may leave, in the process of the service. Without it "
        "`factory deliver` does.",
        json_schema_extra={"expects": "true or false"},
    )
    delivery_allow: str = Field(
        default="",
        description="Networks of endpoints that the guard against inside addresses lets through, "
        "separated by commas: for an intranet. Empty: none.",
        json_schema_extra={"expects": "networks like 10.20.0.0/16, separated by commas"},
    )
    delivery_source: str = Field(
        default="/product-factory",
        min_length=1,
        max_length=200,
        description="The `source` of the CloudEvents that are sent: a URI reference that tells "
        "this factory from others.",
        json_schema_extra={"expects": "a URI, or a path"},
    )
    vector_index_url: str | None = Field(
        default=None,
        description="The vector index, which snapshots look at too: the URL of a collection of "
        "Qdrant's. Unset: there is none.",
        json_schema_extra={
            "expects": "a URL like https://qdrant:6333/collections/iu_core_iu_chunks"
        },
    )
    vector_index_key: SecretStr | None = Field(
        default=None,
        repr=False,
        description="The API key that the vector index asks for; a read-only one is enough.",
        json_schema_extra={"expects": "an API key of the vector index"},
    )
    metrics_require_key: bool = Field(
        default=False,
        description="Asks for an API key (viewer) on /metrics, which otherwise answers everybody.",
        json_schema_extra={"expects": "true or false"},
    )
    jwt_jwks_url: str | None = Field(
        default=None,
        description="Where the public keys (JWKS) of the identity provider are fetched. Turns on "
        "JWT bearer tokens beside API keys.",
        json_schema_extra={"expects": "an https:// URL (http:// only on this machine)"},
    )
    jwt_jwks_file: Path | None = Field(
        default=None,
        description="The same keys from a file, for a service that may not call out.",
        json_schema_extra={"expects": "an existing JSON file"},
    )
    jwt_issuer: str | None = Field(
        default=None,
        description="The issuer (iss) that a token must have. Needed with JWT.",
        json_schema_extra={"expects": "text"},
    )
    jwt_audience: str | None = Field(
        default=None,
        description="The audience (aud) that a token must have. Needed with JWT.",
        json_schema_extra={"expects": "text"},
    )
    jwt_scope_claim: str = Field(
        default="scope",
        min_length=1,
        description="The claim with the token's scopes: a text separated by spaces, or a list.",
        json_schema_extra={"expects": "the name of a claim"},
    )
    jwt_actor_claim: str = Field(
        default="sub",
        min_length=1,
        description="The claim that becomes the actor.",
        json_schema_extra={"expects": "the name of a claim"},
    )
    audit_key_file: Path | None = Field(
        default=None,
        description="The Ed25519 key (PEM) that exported heads of the audit log, and evidence, are"
        " signed with. Unset: audit.key in the data directory, made when it is missing.",
        json_schema_extra={"expects": "an existing PEM file"},
    )
    log_format: Literal["console", "json"] = Field(
        default="console",
        description="How log lines look: console for people, json for machines.",
        json_schema_extra={"expects": "console or json"},
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least important log lines that are still written.",
        json_schema_extra={"expects": "debug, info, warning or error"},
    )
    url: str | None = Field(
        default=None,
        description="Where the command line finds the service. Unset: FACTORY_HOST and "
        "FACTORY_PORT.",
        json_schema_extra={"expects": "a URL like http://127.0.0.1:8000"},
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="The API key that the command line sends. Unset: the key in "
        "admin.key in the data directory.",
        json_schema_extra={"expects": "an API key"},
    )

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("delivery_allow")
    @classmethod
    def _networks(cls, value: str) -> str:
        Guard.allowing(value)
        return value

    @field_validator("data_dir", "jwt_jwks_file", "audit_key_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # Whatever changes the working directory later does not move the data.
        return None if value is None else value.expanduser().absolute()

    @field_validator("jwt_jwks_file", "audit_key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("no such file")
        return value

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _postgres_url(cls, value: str | None) -> str | None:
        """Answer the one spelling that libpq and asyncpg share."""
        if value is None:
            return None
        scheme, separator, rest = value.strip().partition("://")
        if scheme not in _POSTGRES_SCHEMES or not separator:
            raise ValueError("not a PostgreSQL URL")
        url = f"postgresql://{rest}"
        _ = urlsplit(url).port  # raises ValueError for a port that is no number
        return url

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _list_of_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [origin.strip() for origin in value.split(",") if origin.strip()]

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            # A browser sends the origin without a path: with one it would never be equal.
            exact = f"{parts.scheme}://{parts.netloc}" == origin
            if origin != "*" and not (exact and parts.scheme and parts.hostname):
                raise ValueError("not an origin")
        return value

    @field_validator("jwt_jwks_url", "url", "vector_index_url")
    @classmethod
    def _web_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not a web address")
        return value.rstrip("/")

    @field_validator("jwt_jwks_url")
    @classmethod
    def _protected(cls, value: str | None) -> str | None:
        # Whoever can change these keys on their way can sign a token of any scope.
        local = value is not None and urlsplit(value).hostname in _LOCAL_HOSTS
        if value is not None and value.startswith("http:") and not local:
            raise ValueError("not protected in transit")
        return value

    @model_validator(mode="after")
    def _jwt_is_complete(self) -> Self:
        if self.jwt_jwks_url and self.jwt_jwks_file:
            raise ValueError(
                "FACTORY_JWT_JWKS_URL and FACTORY_JWT_JWKS_FILE are both set: keep one of them."
            )
        if not self.jwt_enabled and (self.jwt_issuer or self.jwt_audience):
            raise ValueError(
                "FACTORY_JWT_ISSUER and FACTORY_JWT_AUDIENCE do nothing without keys: set "
                "FACTORY_JWT_JWKS_URL or FACTORY_JWT_JWKS_FILE too."
            )
        if self.jwt_enabled and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError(
                "FACTORY_JWT_ISSUER and FACTORY_JWT_AUDIENCE must be set where JWT is used: "
                "without them any token of the identity provider would be let in."
            )
        return self

    @property
    def jwt_enabled(self) -> bool:
        """Whether JWT bearer tokens are taken beside API keys."""
        return self.jwt_jwks_url is not None or self.jwt_jwks_file is not None

    @property
    def embedded(self) -> bool:
        """Whether the program runs its own PostgreSQL."""
        return self.database_url is None

    @property
    def admin_key_path(self) -> Path:
        """The file with the embedded database's admin key."""
        return self.data_dir / "admin.key"

    @property
    def audit_key_path(self) -> Path:
        """The file with the key that heads of the audit log are signed with."""
        return self.audit_key_file or self.data_dir / "audit.key"

    @property
    def api_url(self) -> str:
        """Where the service is reached from this machine, without a final slash."""
        if self.url is not None:
            return self.url
        host = _ANY_ADDRESS.get(self.host, self.host)
        return f"http://{_in_brackets(host)}:{self.port}"


def _in_brackets(host: str) -> str:
    try:
        return f"[{host}]" if isinstance(ip_address(host), IPv6Address) else host
    except ValueError:
        return host


def explain(error: ValidationError) -> str:
    """One line for each bad setting: what it must be and, unless it is secret, what it is."""
    return "\n".join(dict.fromkeys(_explain_one(part) for part in error.errors(include_url=False)))


def _explain_one(part: ErrorDetails) -> str:
    name = str(part["loc"][0]) if part["loc"] else ""
    field = Settings.model_fields.get(name)
    if field is None:
        return part["msg"].removeprefix("Value error, ")
    extra: Any = field.json_schema_extra
    line = f"{PREFIX}{name.upper()} must be {extra['expects']}"
    secret = not field.repr or name == "api_key"
    value = part.get("input")
    return f"{line}." if secret or value is None else f"{line}, but is {str(value)!r}."


def load_settings() -> Settings:
    """Read the environment. Refuses bad settings with SettingsError, a line for each."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once; SettingsError as `load_settings`."""
    return load_settings()
