"""Turn settings into the values that the parts of the connector take. Raises SettingsError naming the setting."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache, partial
from typing import Annotated, Any

from pydantic import SecretStr, TypeAdapter, ValidationError

from planso_connector.domain import clock as system_clock
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.reconcile import ReconcilePolicy
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.domain.workshop import MAX_PROFILE_LENGTH, Workshop
from planso_connector.flows.operating.password_encryption import PasswordEncryption
from planso_connector.flows.operating.retention import RetentionPeriods
from planso_connector.flows.operating.workshop_overview import WorkshopOverview
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.flows.syncing.sync_run import SyncPolicy
from planso_connector.flows.writing.write_stops import SaveStyleOrigin
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.trial_profile import fingerprint_profile
from planso_connector.rest.application import RequestPolicy
from planso_connector.rest.middleware import trusted_hosts
from planso_connector.rest.middleware.rate_limits import Limits, Rate
from planso_connector.rest.middleware.trusted_hosts import Network, TrustedHosts
from planso_connector.setting_errors import describe_error
from planso_connector.settings import WORKSHOP_SETTINGS, Settings, SettingsError, WorkshopSettings
from planso_connector.store.engine.database import Database


def require_planso_login(settings: Settings) -> None:
    """Raises SettingsError where address, user or password is missing, or came with quotes."""
    missing = [name for name in ("planso_url", "planso_user") if not getattr(settings, name)]
    if not settings.planso_password.get_secret_value():
        missing.append("planso_password")
    if missing:
        names = ", ".join(name.upper() for name in missing)
        raise SettingsError(f"{names}: not set. Set them in the environment or in `.env`, or try `serve --demo`.")
    settings.require_unquoted_login()


def workshop_settings(base: Settings, workshop: Workshop, password: str) -> WorkshopSettings:
    """
    The settings of a registered workshop, `base` being the process's. Raises Invalid with a problem for each value that
    is not accepted, in the words of the environment's settings.
    """
    own = {
        "connector_workshop": workshop.name,
        "planso_password": SecretStr(password),
        "planso_table_id": workshop.table_id,
        **_validate_own(workshop),
    }
    settings = WorkshopSettings.override(base, own, workshop.profile)
    problems = []
    for loc, check in _CHECKS:
        try:
            check(settings)
        except SettingsError as error:
            problems.append(Problem(("body", *loc), str(error), "value_error"))
    if problems:
        raise Invalid(problems)
    return settings


def check_workshop(base: Settings, workshop: Workshop) -> Workshop:
    """Return the workshop with its address as it is stored. Raises Invalid as `workshop_settings`."""
    settings = workshop_settings(base, workshop, "")
    return replace(workshop, planso_url=settings.planso_url)


def _validate_own(workshop: Workshop) -> dict[str, object]:
    """The values of the workshop's own settings, by field name. Raises Invalid."""
    given: dict[tuple[str, ...], tuple[str, object]] = {
        ("planso_url",): ("planso_url", workshop.planso_url),
        ("planso_user",): ("planso_user", workshop.planso_user),
        **{("settings", name): (name.lower(), value) for name, value in workshop.settings.items()},
    }
    if workshop.table_id is not None:
        given["table_id",] = "planso_table_id", workshop.table_id
    own: dict[str, object] = {}
    problems = []
    for loc, (name, value) in given.items():
        try:
            own[name] = _validate_one(name, value, is_setting=len(loc) > 1)
        except ValueError as error:
            problems.append(Problem(("body", *loc), str(error), "value_error"))
    if problems:
        raise Invalid(problems)
    return own


def _validate_one(name: str, value: object, *, is_setting: bool) -> object:
    """Raises ValueError, which says what is accepted."""
    if is_setting and name not in WORKSHOP_SETTINGS:
        near = get_close_matches(name, WORKSHOP_SETTINGS, 1)
        hint = f" Did you mean {near[0].upper()}?" if near else ""
        names = ", ".join(map(str.upper, WORKSHOP_SETTINGS))
        raise ValueError(f"a workshop has no such setting of its own.{hint} Accepted: {names}")
    info = Settings.model_fields[name]
    try:
        accepted: object = _adapter(name).validate_python(value)
    except ValidationError as error:
        raise ValueError(describe_error(error.errors()[0], info)) from None
    if not is_setting and accepted == "":
        raise ValueError(f"accepted: {info.description}")
    return accepted


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """Validates one setting as the environment's, also its type and bounds."""
    info = Settings.model_fields[name]
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return TypeAdapter(kind)


def workshop_registry(settings: Settings, database: Database, clock: Clock) -> WorkshopRegistry:
    """The registry in this database; `settings` are the process's."""
    return WorkshopRegistry(
        database,
        clock,
        PasswordEncryption(settings.connector_secrets_key.get_secret_value()),
        check=partial(check_workshop, settings),
        default=default_workshop(settings),
    )


def default_workshop(settings: Settings) -> str:
    """The name of the workshop that the environment defines; empty if it names no PlanSo."""
    return settings.connector_workshop if settings.planso_url else ""


async def require_free_name(settings: Settings, registry: WorkshopRegistry) -> None:
    """Raises SettingsError while rows of a removed workshop are deleted that has the name of the environment's."""
    name = default_workshop(settings)
    if not name or not await registry.is_being_removed(name):
        return
    await registry.purge(name)
    if await registry.is_being_removed(name):
        raise SettingsError(
            f"CONNECTOR_WORKSHOP: '{name}' was removed from the registry less than a minute ago, and rows of it may be "
            "left, which would be deleted; accepted: this name in a minute, or another one"
        )


async def load_workshop_settings(
    settings: Settings, database: Database, name: str, *, with_login: bool = True
) -> Settings:
    """
    The settings of a workshop by its name, which may be that of the environment. Without `with_login` its password is
    left out, and need not be readable. Raises NotFound, WorkshopUnusable, Invalid.
    """
    if name == default_workshop(settings):
        return settings
    registry = workshop_registry(settings, database, system_clock.now)
    workshop = await registry.get(name)
    return workshop_settings(settings, workshop, registry.decrypt_password(workshop) if with_login else "")


def workshop_overview(settings: Settings, database: Database, clock: Clock) -> WorkshopOverview:
    """The states of all workshops in this database; `settings` are the process's."""
    return WorkshopOverview(
        database, clock, workshop_registry(settings, database, clock), _environment_workshop(settings)
    )


def _environment_workshop(settings: Settings) -> Workshop | None:
    if not default_workshop(settings):
        return None
    start = format_instant(datetime.fromtimestamp(0, UTC))
    return Workshop(
        settings.connector_workshop,
        settings.planso_url,
        settings.planso_user,
        "",
        start,
        start,
        0,
        settings.planso_table_id,
    )


def _load_stored_profile(settings: Settings) -> Profile:
    if isinstance(settings, WorkshopSettings) and len(settings.profile_text) > MAX_PROFILE_LENGTH:
        raise SettingsError(f"accepted: at most {MAX_PROFILE_LENGTH} characters")
    return load_profile(settings)


def load_profile(settings: Settings) -> Profile:
    if isinstance(settings, WorkshopSettings):
        try:
            return Profile.parse(settings.profile_text, settings.planso_table_id)
        except ValueError as error:
            raise SettingsError(str(error)) from error
    try:
        return Profile.load(settings.planso_profile, settings.planso_table_id)
    except (ValueError, OSError) as error:
        raise SettingsError(f"PLANSO_PROFILE: {error}") from error


def save_style_origin(settings: Settings) -> SaveStyleOrigin:
    """Where the profile's save style comes from, and the profile's fingerprint."""
    profile = load_profile(settings)
    return SaveStyleOrigin(profile.save.source, fingerprint_profile(profile, settings.planso_url))


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Settings], object]], ...] = (
    (("profile",), _load_stored_profile),
    (("settings", "CONNECTOR_SYNC_HOURS"), lambda settings: work_hours(settings)),
)
"""Values that are only accepted together, or that are texts with a grammar of their own."""


def sync_policy(settings: Settings) -> SyncPolicy:
    return SyncPolicy(
        reading=ReconcilePolicy(
            reread=settings.connector_sync_reread,
            reread_soon=settings.connector_sync_reread_soon,
            max_removal_share=settings.connector_sync_max_removals,
        ),
        sections_interval=settings.connector_sync_extended_interval if settings.connector_sync_extended else None,
        concurrency=settings.connector_planso_concurrency,
    )


def work_hours(settings: Settings) -> SyncHours:
    with _naming("CONNECTOR_SYNC_HOURS, _ZONE, _HOLIDAYS"):
        return SyncHours.parse(
            settings.connector_sync_hours, settings.connector_sync_zone, settings.connector_sync_holidays or None
        )


def retention_periods(settings: Settings) -> RetentionPeriods:
    return RetentionPeriods(
        operations=settings.connector_keep_operations,
        history=settings.connector_keep_history,
        change_feed=settings.connector_keep_changes,
        sync_runs=settings.connector_keep_runs,
        unreadable_pages=settings.connector_keep_kept_pages,
        deleted_orders=settings.connector_keep_tombstones,
        access_log=settings.connector_keep_accesses,
    )


def webhook_networks(settings: Settings) -> Sequence[Network]:
    """Networks off the public one that webhooks may call. Raises SettingsError."""
    with _naming("CONNECTOR_WEBHOOK_NETWORKS"):
        return trusted_hosts.parse_networks(trusted_hosts.split_list(settings.connector_webhook_networks))


def request_policy(settings: Settings, is_behind: Callable[[], bool]) -> RequestPolicy:
    """`is_behind`: whether too much database work is queued."""
    split = trusted_hosts.split_list
    with _naming("CONNECTOR_TRUSTED_PROXIES"):
        proxies = trusted_hosts.parse_networks(split(settings.connector_trusted_proxies))
    with _naming("CONNECTOR_ALLOWED_HOSTS"):
        hosts = TrustedHosts(split(settings.connector_allowed_hosts))
    with _naming("CONNECTOR_CORS_ORIGINS"):
        origins = trusted_hosts.parse_origins(split(settings.connector_cors_origins))
    return RequestPolicy(
        hosts,
        origins,
        proxies,
        request_limits(settings),
        settings.connector_allow_anonymous,
        is_behind,
        settings.connector_root_path,
    )


def request_limits(settings: Settings) -> Limits:
    with _naming("CONNECTOR_RATE_LIMIT"):
        key = Rate.parse(settings.connector_rate_limit)
    with _naming("CONNECTOR_ADDRESS_RATE_LIMIT"):
        address = Rate.parse(settings.connector_address_rate_limit)
    with _naming("CONNECTOR_UNLIMITED_ADDRESSES"):
        exempt = trusted_hosts.parse_networks(trusted_hosts.split_list(settings.connector_unlimited_addresses))
    return Limits(
        key,
        address,
        exempt,
        parallel=settings.connector_parallel,
        parallel_total=settings.connector_parallel_total,
        connections=settings.connector_connections,
        receive_timeout=settings.connector_arrival.total_seconds(),
    )


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from error
