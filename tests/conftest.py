from __future__ import annotations

from planso_connector import logs

logs.configure("error", [])

pytest_plugins = ["tests.databases"]
