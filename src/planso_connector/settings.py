"""
Settings, each from an environment variable, a line in `.env` or a file. Only `cli`, `commands` and the composition root
read them.
"""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from planso_connector.setting_errors import describe_error
from planso_connector.setting_files import FileSource, SettingsError

__all__ = ["WORKSHOP_SETTINGS", "Duration", "Settings", "SettingsError", "WorkshopSettings"]

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}

_OWN_PATHS = ("api", "docs", "favicon.ico", "health", "mcp", "metrics", "openapi.json", "s", "tools")
"""First parts of the connector's own paths."""

DATABASE_SECRETS = re.compile(r"^[^:]+://[^:/?@]*:([^@]*)@|[?&](?:ssl)?password=([^&]*)")


def _duration(given: object) -> object:
    """`30`, `30 s`, `5 min`, `24 h`, `7 d`; a bare number is seconds."""
    if not isinstance(given, str):
        return given
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)?", given.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("accepted: a time such as 30 s, 5 min, 24 h or 7 d; a bare number is seconds")
    return timedelta(**{_UNITS[(match[2] or "s").lower()]: float(match[1])})


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _planso_url(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("accepted: an address such as https://workshop.planso.de")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(
            "accepted: https://; http:// only for this machine (localhost, 127.0.0.1, [::1], *.localhost), since the "
            "password and customers' data would be sent unencrypted"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("accepted: scheme, host, port and path; user and password have settings of their own")
    return url.rstrip("/")


PlansoUrl = Annotated[str, AfterValidator(_planso_url)]


def _connector_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("accepted: an address such as https://connector.example, with the path prefix if it has one")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(
            "accepted: https://; http:// only for this machine (localhost, 127.0.0.1, [::1], *.localhost), since the "
            "API key and customers' data would be sent unencrypted"
        )
    return url.rstrip("/")


ConnectorUrl = Annotated[str, AfterValidator(_connector_url)]


class Settings(BaseSettings):
    """The defaults serve one workshop on one machine; only the PlanSo address and its login have none."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    planso_url: PlansoUrl = Field(
        "", description="Address of the workshop's PlanSo, `https://<customer>.planso.de`; `http` only on this machine."
    )
    planso_user: str = Field("", description="User name for PlanSo; best an account of its own.")
    planso_password: SecretStr = Field(
        SecretStr(""),
        description="Password for PlanSo. In `.env`, quote it with single quotes if it contains `#` or spaces.",
    )
    planso_table_id: int | None = Field(
        None, ge=1, description="`tableID` of the order form; default: the profile's, else 12565."
    )
    planso_profile: Path | None = Field(
        None, description="TOML file with the labels and calls of this installation, see docs/profile.md."
    )
    planso_timeout: float = Field(30.0, gt=0, le=600, description="Seconds to wait for one page of PlanSo.")
    planso_max_answer: ByteSize = Field(
        ByteSize(4_000_000),
        ge=100_000,
        le=50_000_000,
        description="Largest response of PlanSo that is read, decompressed; the list of orders may be twice as "
        "large. For larger ones the mirror keeps its data.",
    )
    connector_host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; for a host name, all its addresses."
    )
    connector_port: int = Field(8102, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    connector_database_url: str = Field(
        "sqlite:///connector.db", description="`sqlite:///file.db`, or `postgresql://user:password@host/name`."
    )
    connector_database_timeout: float = Field(
        10.0,
        ge=0.5,
        le=600,
        description="Seconds a read or write may take in the database; after that the answer is 503 and the "
        "connection is closed.",
    )
    connector_database_connections: int = Field(
        13,
        ge=3,
        le=13,
        description="Maximum connections to PostgreSQL, 3 to 13; with fewer, writes and searches wait longer.",
    )
    connector_workshop: str = Field(
        "default", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Short name of the workshop, part of every key."
    )
    connector_secrets_key: SecretStr = Field(
        SecretStr(""),
        description="Keys that encrypt the PlanSo passwords of registered workshops, one a line, the first one for new "
        "ones; best in a file, `CONNECTOR_SECRETS_KEY_FILE`. Not needed for the workshop of the environment.",
    )
    connector_writes: str = Field(
        "on",
        pattern=r"^(on|shadow|off)$",
        description="`shadow`: writes are planned and answered with what they would change, but never sent; `off`: "
        "writes are refused. Both answer 503.",
    )
    connector_write_wait: float = Field(
        15.0, gt=0, le=600, description="Seconds a write request waits for PlanSo's confirmation."
    )
    connector_write_deadline: Duration = Field(
        timedelta(hours=24), gt=timedelta(0), description="How long a write is retried before it expires."
    )
    connector_pending: int = Field(
        5000, ge=1, description="Maximum writes waiting for PlanSo; further ones are answered 503."
    )
    connector_sync_hours: str = Field(
        "07:00-19:00",
        description="When scheduled syncs run, `Mo-Fr 07:00-19:00, Sa 08:00-12:00`; `00:00-24:00` is always.",
    )
    connector_sync_zone: str = Field("Europe/Berlin", description="Time zone of CONNECTOR_SYNC_HOURS.")
    connector_sync_holidays: str = Field(
        "", description="Federal state whose public holidays are skipped, `BW`; empty: nationwide holidays only."
    )
    connector_sync_interval: Duration = Field(
        timedelta(minutes=5), description="Time between scheduled syncs, `5 min`; `0` disables the schedule."
    )
    connector_sync_reread: Duration = Field(
        timedelta(hours=24),
        description="Maximum age of an order's form before a sync reads it again, even if its list entry is unchanged.",
    )
    connector_sync_reread_soon: Duration = Field(
        timedelta(hours=6), description="The same for orders in work or with missing parts."
    )
    connector_sync_max_removals: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Share of the current orders that may leave PlanSo's list in one sync; above it the sync stops.",
    )
    connector_sync_parts: bool = Field(True, description="Whether a sync reads parts: one more request for each order.")
    connector_sync_extended: bool = Field(
        False, description="Whether a sync also reads the other tabs: about 15 more requests for each order."
    )
    connector_sync_extended_interval: Duration = Field(
        timedelta(hours=24), description="Maximum age of an order's other tabs before a sync reads them again."
    )
    connector_keep_operations: Duration = Field(
        timedelta(days=90),
        description="How long settled writes are kept, at least 7 d; here and below, `0` keeps them forever.",
    )
    connector_webhook_networks: str = Field(
        "", description="Networks off the public one whose receivers webhooks may call, such as `127.0.0.0/8`."
    )
    connector_keep_changes: Duration = Field(
        timedelta(days=30), description="How long the change feed goes back; a cursor from before is 410."
    )
    connector_keep_history: Duration = Field(timedelta(days=365), description="How long change history is kept.")
    connector_keep_tombstones: Duration = Field(
        timedelta(days=90), description="How long orders deleted in PlanSo are kept, with their history."
    )
    connector_keep_runs: Duration = Field(timedelta(days=90), description="How long past syncs are kept.")
    connector_keep_kept_pages: Duration = Field(
        timedelta(days=30), description="How long unreadable pages are kept, with letters and digits masked."
    )
    connector_keep_accesses: Duration = Field(timedelta(days=365), description="How long the access log is kept.")
    connector_tools_second_fact: bool = Field(
        True,
        description="Whether a phone agent's tool asks for a name or a phone number before it changes an order that "
        "was named by its plate alone: a plate can be read in the street.",
    )
    connector_lookup_personal: str = Field(
        "asked",
        pattern=r"^(asked|all)$",
        description="Personal data in answers of `/api/lookup` and of tools: `asked`, only the kinds the caller gave; "
        "or `all`.",
    )
    connector_allow_anonymous: bool = Field(
        False,
        description="`yes`: serve requests without a key while no API key exists, because a proxy in front "
        "authenticates. Once a key exists, every request needs one.",
    )
    connector_planso_concurrency: int = Field(4, ge=1, le=64, description="Maximum concurrent requests to PlanSo.")
    connector_planso_rate: float = Field(
        0.0, ge=0, le=1000, description="Maximum requests to PlanSo per second; 0 for no limit."
    )
    connector_allowed_hosts: str = Field(
        "",
        description="Host names accepted besides addresses and `localhost`, `connector.example, *.example`; `*`: any.",
    )
    connector_trusted_proxies: str = Field(
        "", description="Addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are believed."
    )
    connector_root_path: str = Field(
        "",
        max_length=200,
        description="Path prefix under which a proxy serves the connector, `/planso`; the proxy may pass it on or "
        "remove it.",
    )
    connector_cors_origins: str = Field(
        "", description="Origins allowed by CORS, `https://board.example`; empty for none."
    )
    connector_rate_limit: str = Field(
        "100/s", description="Rate limit of one key, `100/s`, `1000/10s`, `600/min`; `0` for none."
    )
    connector_address_rate_limit: str = Field("200/s", description="Rate limit of one address, across its keys.")
    connector_unlimited_addresses: str = Field(
        "127.0.0.0/8, ::1", description="Addresses or networks without an address limit; key limits still apply."
    )
    connector_parallel: int = Field(64, ge=1, description="Maximum concurrent requests of one key or address.")
    connector_parallel_total: int = Field(
        512,
        ge=1,
        description="Maximum concurrent requests; half may wait for PlanSo, half (at most 64) may be active reads.",
    )
    connector_connections: int = Field(
        2000, ge=1, description="Maximum connections; each needs an open file (`ulimit -n`), plus 128 others."
    )
    connector_arrival: Duration = Field(
        timedelta(seconds=20), gt=timedelta(0), description="Timeout for receiving the headers, and for the body."
    )
    connector_mcp_url: ConnectorUrl = Field(
        "",
        description="Address of the running connector for `planso-connector mcp`; default: CONNECTOR_HOST and "
        "CONNECTOR_PORT.",
    )
    connector_mcp_key: SecretStr = Field(
        SecretStr(""), description="API key that `planso-connector mcp` sends; empty as long as there is no key."
    )
    connector_log_level: str = Field(
        "info", pattern=r"^(debug|info|warning|error)$", description="`debug`, `info`, `warning` or `error`."
    )
    connector_log_format: str = Field(
        "auto",
        pattern=r"^(auto|json|text)$",
        description="`json`: one object a line; `text`: for a person; `auto`: `text` on a terminal, else `json`.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        assert isinstance(env_settings, EnvSettingsSource)
        assert isinstance(dotenv_settings, EnvSettingsSource)
        files = FileSource(settings_cls, env_settings.env_vars, dotenv_settings.env_vars)
        return init_settings, env_settings, dotenv_settings, files

    @field_validator("connector_root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        prefix = path.rstrip("/")
        if not re.fullmatch(r"(?:/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])*", prefix):
            raise ValueError("accepted: a path such as /planso or /workshop/planso")
        if prefix and prefix.split("/")[1] in _OWN_PATHS:
            raise ValueError(f"accepted: a path that begins unlike the connector's own: {', '.join(_OWN_PATHS)}")
        return prefix

    def require_unquoted_login(self) -> None:
        """
        Raises SettingsError if user or password came with quotes from the environment, as `docker --env-file` leaves
        them: PlanSo may lock an account after rejected logins.
        """
        for name, value in (
            ("PLANSO_USER", self.planso_user),
            ("PLANSO_PASSWORD", self.planso_password.get_secret_value()),
        ):
            is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            if is_quoted and os.environ.get(name) == value:
                raise SettingsError(
                    f"{name}: its value in the environment begins and ends with {value[0]}, as `docker --env-file` "
                    f"leaves quotes in place. Nothing was sent to PlanSo. Remove the quotes; if they belong to it, put "
                    f"it in a file and name that in {name}_FILE."
                )

    def secrets(self) -> list[str]:
        """Values that must never appear in a log."""
        found = DATABASE_SECRETS.findall(self.connector_database_url)
        passwords = [password for pair in found for password in pair if password]
        keys = self.connector_secrets_key.get_secret_value().split()
        own = [self.planso_password.get_secret_value(), self.connector_mcp_key.get_secret_value()]
        return [*own, *keys, *passwords, *map(unquote, passwords)]

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises SettingsError naming each wrong setting and what is accepted."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("\n".join(_describe_errors(error))) from None


class WorkshopSettings(Settings):
    """The settings of a registered workshop: the process's, with the workshop's own in their place."""

    model_config = SettingsConfigDict(defer_build=True)  # never validated; building it takes 60 ms

    profile_text: str = ""
    """The text of its profile; there is no file."""

    @staticmethod
    def override(base: Settings, own: Mapping[str, object], profile_text: str) -> "WorkshopSettings":
        """`own`: by field name, validated."""
        values = {name: getattr(base, name) for name in Settings.model_fields}
        values |= {"planso_profile": None, "profile_text": profile_text, **own}
        return WorkshopSettings.model_construct({*base.model_fields_set, *own}, **values)


WORKSHOP_SETTINGS = (
    "planso_timeout",
    "planso_max_answer",
    "connector_planso_concurrency",
    "connector_planso_rate",
    "connector_writes",
    "connector_write_wait",
    "connector_write_deadline",
    "connector_pending",
    "connector_sync_hours",
    "connector_sync_zone",
    "connector_sync_holidays",
    "connector_sync_interval",
    "connector_sync_reread",
    "connector_sync_reread_soon",
    "connector_sync_max_removals",
    "connector_sync_parts",
    "connector_sync_extended",
    "connector_sync_extended_interval",
    "connector_keep_operations",
    "connector_keep_changes",
    "connector_keep_history",
    "connector_keep_tombstones",
    "connector_keep_runs",
    "connector_keep_kept_pages",
    "connector_keep_accesses",
)
"""What a registered workshop may set for itself; all other settings are the process's."""


def _describe_errors(error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        name = str(one["loc"][0])
        yield f"{name.upper()}: {describe_error(one, Settings.model_fields[name])}"


def _is_loopback(host: str) -> bool:
    try:
        return f".{host}".endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
