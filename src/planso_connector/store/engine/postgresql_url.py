"""
Parse PostgreSQL URLs as libpq does: several hosts, sockets, all parameters of libpq.

Not with SQLAlchemy, which knows neither `host1,host2` nor libpq's parameters; not with libpq's own parser, whose error
messages quote parts of the URL, which may be the password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import quote, unquote

from psycopg import pq

from planso_connector.domain.errors import StoreUnavailable

_URL = re.compile(
    r"[a-z0-9+]+://(?:(?P<user>[^:/?@]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<hosts>[^/?]*)(?:/(?P<dbname>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d*))?")
_LISTS = ("host", "hostaddr", "port")
_SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_PSYCOPG_OPTIONS = ("prepare_threshold", "autocommit", "row_factory", "cursor_factory", "context")


@dataclass(frozen=True, slots=True)
class PostgresqlUrl:
    """`text` is the URL as given, `parameters` are libpq's."""

    text: str = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)

    @property
    def location(self) -> str:
        """Where the database is, without user and password, for messages."""
        hosts = (self.parameters.get("host") or self.parameters.get("hostaddr") or "local socket").split(",")
        ports = self.parameters.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        hosts = [f"[{host}]" if ":" in host else host for host in hosts]
        shown = ", ".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
        return f"PostgreSQL '{self.parameters.get('dbname', '')}' at {shown}"

    @property
    def has_several_hosts(self) -> bool:
        return "," in (self.parameters.get("host") or self.parameters.get("hostaddr") or "")

    @property
    def secrets(self) -> list[str]:
        return [self.parameters[name] for name in _SECRET if self.parameters.get(name)]

    @property
    def without_secrets(self) -> str:
        """The URL for use in a shell."""
        shown = {name: value for name, value in self.parameters.items() if name not in _SECRET}
        user, dbname = quote(shown.pop("user", "")), quote(shown.pop("dbname", ""))
        query = "&".join(f"{name}={quote(value, safe='/,:')}" for name, value in shown.items())
        return f"postgresql://{user}{'@' if user else ''}/{dbname}{'?' if query else ''}{query}"


def parse(url: str) -> PostgresqlUrl:
    """Raises StoreUnavailable, whose message does not show the URL."""
    match = _URL.fullmatch(url)
    if match is None or "@" in match["hosts"]:
        raise _unreadable("user and password with other characters than letters and digits are written as %40 for @")
    found = {name: unquote(match[name]) for name in ("user", "password", "dbname") if match[name]}
    _add_hosts(found, match["hosts"])
    _add_query(found, match["query"] or "")
    hosts, ports = (found.get(name, "").split(",") for name in ("host", "port"))
    if len(ports) not in (1, len(hosts)) and "hostaddr" not in found:
        raise _unreadable(f"{len(hosts)} hosts have {len(ports)} ports; accepted: one port for all, or one for each")
    if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port) < 65536) for port in ports):
        raise _unreadable("a port is a number up to 65535")
    if any("\0" in value for value in found.values()):
        raise _unreadable("%00 can't be part of it")
    return PostgresqlUrl(url, {name: value for name, value in found.items() if value})


def _add_hosts(found: dict[str, str], netloc: str) -> None:
    entries = [_HOST.fullmatch(entry) for entry in netloc.split(",")]
    if not all(entries):
        raise _unreadable("hosts are written host1:5432,host2:5432, an IPv6 address as [::1]")
    hosts = [unquote(entry["host"]).strip("[]") for entry in entries if entry]
    ports = [entry["port"] or "" for entry in entries if entry]
    if any(hosts):
        found["host"] = ",".join(hosts)
    if any(ports):
        found["port"] = ",".join(ports)


def _add_query(found: dict[str, str], query: str) -> None:
    keywords = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    lists: dict[str, list[str]] = {}
    for name, _, value in (part.partition("=") for part in query.split("&") if part):
        if name in _PSYCOPG_OPTIONS:
            raise _unreadable(
                f"the parameter '{name}' is not libpq's: leave it out. The connector prepares statements where it "
                "talks to the server itself, and none where a pooler such as PgBouncer is in between"
            )
        if name not in keywords:
            near = get_close_matches(name, keywords, 1)
            hint = f"is '{near[0]}' meant?" if near else "docs/operating.md says where they are listed"
            raise _unreadable(f"libpq has no parameter '{name[:40]}' ({hint})")
        if name in _LISTS:
            lists.setdefault(name, []).append(unquote(value))
        else:
            found[name] = unquote(value)
    found |= {name: ",".join(values) for name, values in lists.items()}


def _unreadable(why: str) -> StoreUnavailable:
    return StoreUnavailable(f"The database URL can't be used: {why}; accepted: sqlite:///FILE, postgresql://...")
