"""Turn settings into the values that the parts of the connector take. Raises SettingsError naming the setting."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planso_connector.domain.reconcile import ReconcilePolicy
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.flows.operating.retention import RetentionPeriods
from planso_connector.flows.syncing.sync_run import SyncPolicy
from planso_connector.flows.writing.write_stops import SaveStyleOrigin
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.trial_profile import fingerprint_profile
from planso_connector.rest.application import RequestPolicy
from planso_connector.rest.middleware import trusted_hosts
from planso_connector.rest.middleware.rate_limits import Limits, Rate
from planso_connector.rest.middleware.trusted_hosts import TrustedHosts
from planso_connector.settings import Settings, SettingsError


def require_planso_login(settings: Settings) -> None:
    """Raises SettingsError where address, user or password is missing, or came with quotes."""
    missing = [name for name in ("planso_url", "planso_user") if not getattr(settings, name)]
    if not settings.planso_password.get_secret_value():
        missing.append("planso_password")
    if missing:
        names = ", ".join(name.upper() for name in missing)
        raise SettingsError(f"{names}: not set. Set them in the environment or in `.env`, or try `serve --demo`.")
    settings.require_unquoted_login()


def load_profile(settings: Settings) -> Profile:
    try:
        return Profile.load(settings.planso_profile, settings.planso_table_id)
    except (ValueError, OSError) as error:
        raise SettingsError(f"PLANSO_PROFILE: {error}") from error


def save_style_origin(settings: Settings) -> SaveStyleOrigin:
    """Where the profile's save style comes from, and the profile's fingerprint."""
    profile = load_profile(settings)
    return SaveStyleOrigin(profile.save.source, fingerprint_profile(profile, settings.planso_url))


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
        sync_runs=settings.connector_keep_runs,
        unreadable_pages=settings.connector_keep_kept_pages,
        deleted_orders=settings.connector_keep_tombstones,
        access_log=settings.connector_keep_accesses,
    )


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
        _limits(settings),
        settings.connector_allow_anonymous,
        is_behind,
        settings.connector_root_path,
    )


def _limits(settings: Settings) -> Limits:
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
