"""How many connections the process may have: each takes a file descriptor, as the database and PlanSo do."""

from __future__ import annotations

OTHER_FILES, OTHER_FILES_IF_SHORT = 128, 56
"""
Kept for all but callers. A connector that idles has 35 open; PlanSo, and long questions to the database, take 20 more.
"""
LEAST_CONNECTIONS = 8


def raise_limit(wanted: int) -> int:
    """
    So many as there are file descriptors for, whose limit is raised as far as this user may. Raises ValueError where
    even a few are too many.
    """
    try:
        import resource
    except ImportError:  # there are no such limits on Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    found = min(wanted, soft - (OTHER_FILES if soft >= 2 * OTHER_FILES else OTHER_FILES_IF_SHORT))
    if found < min(wanted, LEAST_CONNECTIONS):
        raise ValueError(
            f"{describe_limit()}; the connector needs {OTHER_FILES_IF_SHORT + LEAST_CONNECTIONS} at least, and {needed} for "
            f"CONNECTOR_CONNECTIONS={wanted}"
        )
    return found


def describe_limit() -> str:
    """The limit in words, with where it is set."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may have {soft} files open (`ulimit -n`, systemd's LimitNOFILE=)"


def describe_shortage(wanted: int) -> str | None:
    """What to say at the start where there are fewer connections than wanted. Raises ValueError as `connections`."""
    found = raise_limit(wanted)
    if found == wanted:
        return None
    return (
        f"CONNECTOR_CONNECTIONS: {describe_limit()}, which allows {found} connections at once; {wanted} need "
        f"{wanted + OTHER_FILES}."
    )
