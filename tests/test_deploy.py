"""The files in deploy/ agree with what the connector really has: settings, metrics, checks, commands."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from planso_connector.sandbox import Sandbox
from planso_connector.server.graceful_shutdown import GRACE_PERIOD
from planso_connector.settings import Settings
from tests.command_line import command_here
from tests.databases import PostgresqlServer
from tests.service import Service, running_on_sqlite

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
RULES = DEPLOY / "prometheus-alerts.yaml"
NAME = re.compile(r"\b(?:planso_connector|process)_\w+")
OF_HISTOGRAM = ("_bucket", "_sum", "_count")


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def alert_expressions() -> list[str]:
    return [rule["expr"] for group in load(RULES.name)["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("deploy"), Sandbox(orders=3)) as service:
        yield service


@pytest.mark.parametrize("expressions", [alert_expressions(), dashboard_expressions()], ids=["alerts", "dashboard"])
def test_every_metric_exists(service: Service, expressions: list[str]) -> None:
    """Each name in the alert rules and the dashboard is one that /metrics exports, and each named check is a check."""
    exported = set()
    for family in text_string_to_metric_families(service.http.get("/metrics").text):
        names = {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}
        exported |= names | ({family.name + end for end in OF_HISTOGRAM} if family.type == "histogram" else set())
    checks = {check["name"] for check in service.http.get("/health/ready").json()["checks"]}
    assert len(expressions) > 10
    for expression in expressions:
        assert set(NAME.findall(expression)) <= exported, expression
        assert set(re.findall(r'check="(\w+)"', expression)) <= checks, expression


def test_every_alert_tells_a_person_what_to_do() -> None:
    """Each rule has a severity and a summary; a section of the runbook that it names is there."""
    runbook = (DEPLOY.parent / "docs/runbook.md").read_text("utf-8")
    names = set()
    for group in load(RULES.name)["groups"]:
        for rule in group["rules"]:
            names.add(rule["alert"])
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert rule["annotations"]["summary"]
            _, _, section = rule["annotations"].get("runbook", "").partition(", ")
            assert f"## {section}" in runbook
    assert len(names) == len(alert_expressions())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    """The alert rules, and the dashboard's queries as rules."""
    queries = [query.replace("$__rate_interval", "5m").replace("$instance", ".*") for query in dashboard_expressions()]
    rules = [{"record": f"dashboard:query{number}", "expr": query} for number, query in enumerate(queries)]
    as_rules = tmp_path / "dashboard.yaml"
    as_rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", RULES, as_rules], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compose_file_is_sound() -> None:
    """Its settings and files exist, its variables are required or have a default; it has time to stop."""
    compose = load("compose.yaml")
    services = compose["services"]
    connector = services["connector"]
    assert {name for name in connector["environment"] if name.lower() not in Settings.model_fields} == set()
    assert (DEPLOY / connector["build"]["context"] / connector["build"]["dockerfile"]).is_file()
    for name in ("postgres", "connector"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > GRACE_PERIOD + 5
    assert connector["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert all(port.startswith("127.0.0.1:") for port in connector["ports"])
    for volume in (volume for service in services.values() for volume in service.get("volumes", ())):
        source = volume.partition(":")[0]
        assert source in compose["volumes"] or source == "./backups" or (DEPLOY / source).is_file()
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == {"DATABASE_PASSWORD", "PLANSO_URL", "PLANSO_USER", "PLANSO_PASSWORD"}
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= required


def test_backups_are_rotated(tmp_path: Path) -> None:
    """What the timer's unit runs: a new backup is made, the newest are kept, other files are never touched."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment] # documented way to keep the case
    unit.read(DEPLOY / "planso-connector-backup.service")
    command = [word.replace("%S", str(tmp_path)) for word in shlex.split(unit["Service"]["ExecStart"])][1:]
    directory = tmp_path / "planso-connector-backups"
    directory.mkdir()
    assert command_here(tmp_path, "migrate").exit_code == 0
    old = [directory / f"planso-connector-202601{day:02}T023000Z.db" for day in range(1, 21)]
    others = [directory / "planso-connector-20260101T023000Z.db.part", directory / "notes.txt"]
    for file in (*old, *others):
        file.write_text("")

    done = command_here(tmp_path, *command)

    assert done.exit_code == 0, done.output
    kept = sorted(file.name for file in directory.glob("planso-connector-*Z.db"))
    assert len(kept) == 14
    assert kept[:13] == [file.name for file in old[-13:]]
    assert kept[13] in done.stdout
    assert all(file.exists() for file in others)
    assert (directory / kept[13]).stat().st_mode & 0o077 == 0


def test_a_failed_backup_deletes_nothing(tmp_path: Path) -> None:
    """Without a new backup the old ones stay."""
    (tmp_path / "connector.db").write_text("not a database, but long enough to be read as one" * 100)
    old = [tmp_path / f"planso-connector-2026010{day}T023000Z.db" for day in range(1, 4)]
    for file in old:
        file.write_text("")
    assert command_here(tmp_path, "backup", "--directory", ".", "--keep", "1").exit_code == 1
    assert all(file.exists() for file in old)


def test_postgresql_backups_are_rotated(
    tmp_path: Path, postgresql_url: str, postgresql_server: PostgresqlServer
) -> None:
    """The script dumps a migrated database, keeps the newest, and leaves no part of a dump that fails."""
    connection = psycopg.conninfo.conninfo_to_dict(postgresql_url)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PATH": f"{postgresql_server.binaries}:{os.environ['PATH']}",
        "PGHOST": str(connection["host"]),
        "PGUSER": str(connection["user"]),
        "PGDATABASE": str(connection["dbname"]),
    }

    def back_up(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        script = [str(DEPLOY / "backup-postgresql.sh"), str(tmp_path), *arguments]
        return subprocess.run(script, env={**environment, **changed}, capture_output=True, text=True, check=False)

    for day in (1, 2, 3):
        (tmp_path / f"planso-connector-2026010{day}T023000Z.dump").write_text("")
    done = back_up("2")
    assert done.returncode == 0, done.stderr
    first, new = sorted(file.name for file in tmp_path.iterdir())
    assert first == "planso-connector-20260103T023000Z.dump"
    assert (tmp_path / new).stat().st_size > 1000
    failed = back_up("2", PGDATABASE="missing")
    assert failed.returncode != 0
    assert sorted(file.name for file in tmp_path.iterdir()) == [first, new]
    assert back_up("none").returncode == 2
