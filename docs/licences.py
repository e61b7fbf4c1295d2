"""
List the licence of every installed package that the connector needs at run time, its extra included; fail if one is
not known to be acceptable.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

ACCEPTED = {
    "MIT": "",
    "MIT-0": "",
    "ISC": "",
    "0BSD": "",
    "BSD-2-Clause": "",
    "BSD-3-Clause": "",
    "Apache-2.0": "",
    "PSF-2.0": "",
    "Python-2.0": "",
    "any-OSI": "any licence that the Open Source Initiative approved",
    "MPL-2.0": "its files are not changed",
    "LGPL-3.0-only": "a library of its own, which can be replaced",
}
"""SPDX identifiers, with the reason why a licence's condition is met."""

SPELLINGS = {
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "apache software license": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
}
"""SPDX identifiers of other spellings, which are in lower case."""

EXAMINED = {"python-dateutil": "Apache-2.0 OR BSD-3-Clause"}
"""Licences, from their licence files, of packages with unclear metadata."""


def find_dependencies(name: str, extras: frozenset[str] = frozenset(), seen: set[str] | None = None) -> set[str]:
    """Return the normalised names of all direct and indirect dependencies that are installed."""
    seen = set() if seen is None else seen
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            continue
        other = re.sub(r"[-_.]+", "-", requirement.name).lower()
        try:
            distribution(other)
        except PackageNotFoundError:
            continue
        if other not in seen or requirement.extras:
            seen.add(other)
            find_dependencies(other, frozenset(requirement.extras), seen)
    return seen


def find_licences(package: Distribution) -> list[str]:
    """Return the licences, all of which apply, as SPDX expressions where possible."""
    metadata = package.metadata
    name = re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower()
    if name in EXAMINED:
        return [EXAMINED[name]]
    classifiers = [c.rpartition(" :: ")[2] for c in metadata.get_all("Classifier") or () if c.startswith("License :: ")]
    field = str(metadata.get("License") or "").strip()
    if expression := metadata.get("License-Expression"):
        found = [str(expression)]
    elif field and "\n" not in field and len(field) < 60:
        found = [field]
    else:
        found = classifiers or ["unknown"]
    return [SPELLINGS.get(licence.lower(), licence) for licence in found]


def is_accepted(licence: str) -> bool:
    plain = licence.replace("(", " ").replace(")", " ")
    return any(
        all(part.strip() in ACCEPTED for part in re.split(r"\s+AND\s+", choice))
        for choice in re.split(r"\s+OR\s+", plain)
    )


def main() -> int:
    rejected = []
    for name in sorted(find_dependencies("planso-connector", frozenset({"otel"}))):
        package = distribution(name)
        licences = find_licences(package)
        accepted = all(is_accepted(licence) for licence in licences)
        print(f"{name:28} {package.version:14} {' and '.join(licences)}{'' if accepted else '   NOT ACCEPTED'}")  # noqa: T201
        if not accepted:
            rejected.append(name)
    if rejected:
        print(f"Not known to be acceptable: {', '.join(rejected)}. See ACCEPTED in docs/licences.py.")  # noqa: T201
    return 1 if rejected else 0


if __name__ == "__main__":
    sys.exit(main())
