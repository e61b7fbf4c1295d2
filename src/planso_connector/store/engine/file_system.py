"""The type of the file system that a path is on."""

import os
import re
from pathlib import Path

_LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"})
_SHARED = frozenset({"9p", "afs", "ceph", "cifs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def file_system_type(path: Path, mounts: Path = _MOUNTS) -> str:
    """The type as named in the system's table of mounts; empty on systems without one."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    real = os.path.realpath(path)
    longest, kind = 0, ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4])
        below = mount if mount.endswith("/") else f"{mount}/"
        if (real == mount or real.startswith(below)) and len(mount) >= longest:  # a later mount covers an earlier one
            longest, kind = len(mount), rest.split(" ")[0]
    return kind


def is_local(path: Path) -> bool:
    """Whether modification times are exact; network file systems set them later."""
    return file_system_type(path) in _LOCAL


def shared_file_system_warning(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """A warning for the start if a SQLite database is on a network file system, else None."""
    kind = file_system_type(path.parent, mounts)
    if kind not in _SHARED and not kind.startswith("fuse"):
        return None
    return (
        f"The database '{path}' lies on a file system of type {kind}. SQLite needs file locks and shared memory, which "
        "such ones often lack between machines: let one machine alone use it; better, put it on a local disk, or use "
        "PostgreSQL."
    )
