"""The limit of open files: each connection is a file descriptor, as are the database and the sessions with PlanSo."""

OTHER_FILES, OTHER_FILES_IF_SHORT = 128, 56
"""Reserved besides connections. An idle connector has 35 open; PlanSo and long queries take 20 more."""
LEAST_CONNECTIONS = 8


def raise_limit(wanted: int) -> int:
    """
    Raise the limit for `wanted` connections as far as this user may, and return how many it allows. Raises ValueError
    if those are too few.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = min(wanted, soft - (OTHER_FILES if soft >= 2 * OTHER_FILES else OTHER_FILES_IF_SHORT))
    if allowed < min(wanted, LEAST_CONNECTIONS):
        raise ValueError(
            f"{describe_limit()}; the connector needs {OTHER_FILES_IF_SHORT + LEAST_CONNECTIONS} at least, and "
            f"{needed} for CONNECTOR_CONNECTIONS={wanted}"
        )
    return allowed


def describe_limit() -> str:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may have {soft} files open (`ulimit -n`, systemd's LimitNOFILE=)"


def describe_shortage(wanted: int) -> str | None:
    """The warning if fewer connections than wanted are possible. Raises ValueError as `raise_limit`."""
    allowed = raise_limit(wanted)
    if allowed == wanted:
        return None
    return (
        f"CONNECTOR_CONNECTIONS: {describe_limit()}, which allows {allowed} connections at once; {wanted} need "
        f"{wanted + OTHER_FILES}."
    )
