"""PlanSo's address: where its base URL may point, and where its redirects may lead."""

import httpx2

from planso_connector.domain.errors import PlansoUnavailable


def parse_base_url(url: str, app_path: str) -> str:
    """The base URL without a slash or `app_path`, which a paste from the browser has, at its end. Raises ValueError."""
    accepted = "accepted: an address such as https://reit.planso.de"
    try:
        parsed = httpx2.URL(url.strip())
    except httpx2.InvalidURL as error:
        raise ValueError(f"PlanSo's address can't be read; {accepted}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"PlanSo's address must begin with https:// and name a host; {accepted}")
    if parsed.userinfo:
        raise ValueError(f"PlanSo's address must not hold a user name or password; {accepted}")
    path = parsed.raw_path.partition(b"?")[0].decode("ascii")
    return get_origin(parsed) + path.rstrip("/").removesuffix(app_path).rstrip("/")


def normalize_address(url: str, app_path: str) -> str:
    """
    What identifies a PlanSo, whatever is typed for it: host, port unless it is the usual one, and path, as in
    `reit.planso.de`. The same by http and https. Raises ValueError.
    """
    base = httpx2.URL(parse_base_url(url, app_path))
    port = f":{base.port}" if base.port not in (None, 80, 443) else ""
    return f"{base.host.rstrip('.')}{port}{base.path.rstrip('/')}"


def get_origin(url: httpx2.URL) -> str:
    """Scheme, host and port, as in the header `Origin`."""
    return str(url.copy_with(raw_path=b"/")).rstrip("/")


def resolve_redirect(response: httpx2.Response, base_path: str) -> httpx2.URL:
    """
    Where a redirect leads. Raises PlansoUnavailable where that is off PlanSo's scheme, host and port, or not below
    `base_path`, "" for any: another workshop's PlanSo may have the same host.
    """
    current = response.request.url
    try:
        target = current.join(response.headers["location"])
    except (httpx2.InvalidURL, ValueError) as error:
        raise PlansoUnavailable("PlanSo redirects to an address that can't be read") from error
    if (target.scheme, target.host, target.port) != (current.scheme, current.host, current.port):
        raise PlansoUnavailable(
            f"PlanSo redirects off its address (to {target.scheme} '{target.host}'); it is not followed"
        )
    if base_path and not _is_below(target, base_path):
        raise PlansoUnavailable(f"PlanSo redirects off its address (out of the path {base_path}); it is not followed")
    return target


def get_base_path(base_url: str) -> str:
    """The path of a base URL, "" for none."""
    return httpx2.URL(base_url).path.rstrip("/")


def _is_below(url: httpx2.URL, path: str) -> bool:
    return url.path.startswith(f"{path}/") and ".." not in url.path.split("/")


def connect_locally(url: httpx2.URL) -> httpx2.URL:
    """
    The address to connect to: a name such as `w017.localhost` is always this machine (RFC 6761, section 6.3), but not
    every system resolves it, and a name server must not decide where a password is sent unencrypted.
    """
    is_local = url.scheme == "http" and url.host.endswith(".localhost")
    return url.copy_with(host="127.0.0.1") if is_local else url
