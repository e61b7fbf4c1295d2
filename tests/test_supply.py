"""The wheel is complete, the SBOM lists its packages, and the audit fails only on findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from planso_connector import __version__
from tests.process import free_port

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv/uv/bin/uv"


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_wheel_is_complete(tmp_path: Path) -> None:
    """Installed alone, outside the checkout, it starts, and has its migrations and built-in profile."""
    built = run(UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "installed"
    assert run(UV, "pip", "install", "--no-deps", "--target", home, "--python", sys.executable, wheel).returncode == 0
    environment = {
        "PYTHONPATH": f"{home}:{sysconfig.get_path('purelib')}",
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/wheel.db",
    }
    location = run(sys.executable, "-c", "import planso_connector as p; print(p.__file__)", cwd=tmp_path, **environment)
    assert location.stdout.startswith(str(home))
    version = run(sys.executable, "-m", "planso_connector", "--version", cwd=tmp_path, **environment)
    assert version.stdout == f"planso-connector {__version__}\n"
    migrated = run(sys.executable, "-m", "planso_connector", "migrate", cwd=tmp_path, **environment)
    assert migrated.returncode == 0, migrated.stderr
    load_profile = "from planso_connector.planso.profile import Profile; print(Profile.load().table_id)"
    assert run(sys.executable, "-c", load_profile, cwd=tmp_path, **environment).stdout == "12565\n"


def test_the_sbom_lists_the_locked_packages(tmp_path: Path) -> None:
    """`make sbom` lists every package that the wheel depends on, with its version, and no development tool."""
    assert run("make", "sbom").returncode == 0
    components = json.loads((ROOT / "dist/sbom.cdx.json").read_text("utf-8"))["components"]
    versions = {component["name"]: component["version"] for component in components}
    assert {"fastapi", "apsw", "psycopg", "prometheus-client"} <= set(versions)
    assert not {"pytest", "ruff", "mypy"} & set(versions)
    assert all(versions.values())


class _Advisories(BaseHTTPRequestHandler):
    """The part of OSV's API that `uv audit` uses."""

    found: list[dict[str, str]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self._answer({"results": [{"vulns": self.found} if self.found else {} for _ in asked]})

    def do_GET(self) -> None:
        self._answer({**self.found[0], "summary": "made up for this test", "affected": []})

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def advisories(*found: dict[str, str]) -> Iterator[str]:
    """Run a vulnerability service that reports these for every package; return the argument of `make audit` for it."""
    handler = type("Advisories", (_Advisories,), {"found": list(found)})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"AUDIT_FLAGS=--service-url http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_audit_fails_on_findings_and_says_when_it_was_not_done() -> None:
    """No finding: exit code 0. A finding: not 0, with its id. Service unreachable: 0, with "NOT AUDITED"."""
    with advisories() as empty:
        done = run("make", "audit", empty)
        assert (done.returncode, "NOT AUDITED" in done.stdout) == (0, False), done.stdout + done.stderr
    with advisories({"id": "GHSA-made-up", "modified": "2026-01-01T00:00:00Z"}) as finding:
        done = run("make", "audit", finding)
        assert done.returncode != 0
        assert "GHSA-made-up" in done.stdout + done.stderr
    unreachable = f"AUDIT_FLAGS=--service-url http://127.0.0.1:{free_port()}"
    done = run("make", "audit", unreachable, UV_HTTP_RETRIES="0")
    assert (done.returncode, "NOT AUDITED" in done.stdout) == (0, True)
