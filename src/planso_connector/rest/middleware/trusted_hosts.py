"""The host names this service answers to, and the lists of hosts, origins and networks in settings."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_MAX_CACHED = 256

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def split_list(text: str) -> list[str]:
    """The entries of a comma-separated setting."""
    return [entry for part in text.split(",") if (entry := part.strip())]


class TrustedHosts:
    """
    `names`: `connector.example`, `*.connectors.example`, or `*` for any. Addresses and `localhost` are always accepted:
    a page of another site can point a name of its own at this machine (DNS rebinding), but not an address.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Raises ValueError for what is not a host name."""
        self._accepts_any = False
        self._names = {"localhost"}
        self._suffixes: tuple[str, ...] = ()
        for name in names:
            if name == "*":
                self._accepts_any = True
            elif not _NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no host name; accepted: names such as connector.example, *.example or *")
            elif name.startswith("*."):
                self._suffixes += (name[1:].lower(),)
            else:
                self._names.add(name.lower())
        self._accepted: set[bytes] = set()

    def accepts(self, host: bytes) -> bool:
        """Whether a `Host` header, port included, is one of ours."""
        if host in self._accepted:
            return True
        match = _HOST.fullmatch(host.decode("latin-1"))
        if match is None or not (self._accepts_any or self._is_ours(match["name"].lower().rstrip("."))):
            return False
        if len(self._accepted) < _MAX_CACHED:
            self._accepted.add(host)
        return True

    def _is_ours(self, name: str) -> bool:
        return name in self._names or name.endswith(self._suffixes) or _is_address(name.strip("[]"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_origins(entries: Iterable[str]) -> tuple[str, ...]:
    """Origins as browsers send them. Raises ValueError."""
    origins = []
    for entry in entries:
        parts = urlsplit(entry)
        if parts.scheme not in ("http", "https") or not parts.hostname or entry != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"'{entry}' is no origin; accepted: scheme, host and port, such as https://board.example")
        origins.append(entry.lower())
    return tuple(origins)


def parse_networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks. Raises ValueError."""
    networks = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError as error:
            raise ValueError(f"'{entry}': accepted: addresses and networks, such as 10.0.0.5 or 10.0.0.0/8") from error
    return tuple(networks)
