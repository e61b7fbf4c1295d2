"""Passwords, session cookies and customers' data do not leak into the log, files, responses or messages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import apsw
import httpx2
import pytest

from planso_connector.sandbox import Installation, Sandbox
from tests.command_line import command
from tests.process import connector_process

PASSWORD = "geheim#Wort&=ü"
PERSON = "Wilhelmine Unverwechselbar"
PLATE = "WN-ZZ 4711"


def test_no_secret_and_no_customer_in_any_log_line(tmp_path: Path) -> None:
    """The log at debug level, after sync, writes and failures, has no password, cookie, name, plate or phone number."""
    sandbox = Sandbox(orders=12, installation=Installation(password=PASSWORD))
    order_id = sandbox.order_ids()[0]
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": PASSWORD,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            "CONNECTOR_LOG_LEVEL": "debug",
            "CONNECTOR_WRITE_WAIT": "60",
        }
        with connector_process(environment, tmp_path) as connector:
            http = connector.http
            connector.wait_for_sync()
            body = {"order_id": order_id, "person": PERSON, "vehicle_details": {"number_plate": PLATE}}
            assert http.put(f"/api/orders/{order_id}", json=body).status_code == 200
            sandbox.knobs.drop_saves_next = 1
            assert http.put(f"/api/orders/{order_id}", json={**body, "person": PERSON + "!"}).status_code == 502
            sandbox.knobs.html_for_json_next = 1
            http.put(f"/api/orders/{order_id}", json={**body, "email": "unverwechselbar"})
            sandbox.expire_sessions()
            http.get("/api/orders", params={"plate": PLATE, "person": PERSON, "phone": "030 23125 118"})
            http.put(f"/api/orders/{order_id}", content=PERSON.encode(), headers={"Content-Type": "application/json"})
            http.post("/api/auth/login", json={"username": PERSON, "password": "auch-geheim"})
            with httpx2.Client() as anonymous:
                anonymous.get(f"{connector.address}/{PERSON}")
        log = connector.log()
    cookies = re.findall(r"PHPSESSID=?\S*", log)
    words = [PASSWORD, "geheim", "Unverwechselbar", "ZZ 4711", "ZZ4711", "ZZ+4711", "ZZ%204711", "23125", "auch-geheim"]
    words += [sandbox.value(i, "Fahrername") for i in sandbox.order_ids()]
    assert not cookies
    assert [word for word in words if word and word in log] == []
    lines = [line for line in log.splitlines() if line.startswith("{")]
    assert len(lines) > 10
    assert all(json.loads(line) for line in lines)


def test_neither_password_nor_cookie_is_anywhere(tmp_path: Path) -> None:
    """
    After sync, writes, an expired session and unreadable pages they are not in a response, a header, the log at debug
    level, /metrics, a stored page, the database's files while it runs and afterwards, or a backup.
    """
    sandbox = Sandbox(orders=12, installation=Installation(password=PASSWORD))
    order_id, unreadable = sandbox.order_ids()[:2]
    outputs: list[bytes] = []
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": PASSWORD,
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            "CONNECTOR_LOG_LEVEL": "debug",
            "CONNECTOR_WRITE_WAIT": "60",
        }
        sandbox.knobs.no_content_orders.add(unreadable)
        with connector_process(environment, tmp_path) as connector:
            connector.wait_for_sync()
            connector.http.event_hooks["response"] = [
                lambda response: outputs.append(response.read() + str(response.headers).encode())
            ]
            address, body = f"/api/orders/{order_id}", {"order_id": order_id, "remarks": "unauffällig"}
            assert connector.http.put(address, json=body).status_code == 200
            sandbox.expire_sessions()
            assert connector.http.put(address, json={**body, "remarks": "danach"}).status_code == 200
            sandbox.knobs.html_for_json_next = 1
            connector.http.put(address, json={**body, "remarks": "kein JSON"})
            for path in ("/metrics", "/health/ready", "/api/auth/status", "/api/sync/status", "/api/operations"):
                assert connector.http.get(path).status_code == 200, path
            for path in ("/api/orders", f"{address}/history", f"{address}?max_age=0", "/openapi.json"):
                assert connector.http.get(path).status_code == 200, path
            connector.http.post("/api/auth/login", json={})
            backup = command(tmp_path, "backup", "backup.db", **environment)
            assert backup.returncode == 0, backup.stderr
            files = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert {"connector.db", "connector.db-wal", "backup.db"} <= set(files)
    assert len(sandbox.cookies) >= 2
    with apsw.Connection(f"{tmp_path}/connector.db") as database:
        assert database.execute("SELECT count(*) FROM unreadable_pages").get > 0
    outputs += [(backup.stdout + backup.stderr).encode(), *files.values()]
    outputs += [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    for secret in (b"geheim", *(cookie.encode() for cookie in sandbox.cookies)):
        assert not [text[:80] for text in outputs if secret in text]


def test_the_database_holds_no_password(tmp_path: Path) -> None:
    """The database's files have neither an accepted nor a rejected password."""
    sandbox = Sandbox(orders=12)
    for password in (sandbox.installation.password + "-falsch-geheim", sandbox.installation.password):
        with sandbox.serve() as url:
            environment = {
                "PLANSO_URL": url,
                "PLANSO_USER": sandbox.installation.username,
                "PLANSO_PASSWORD": password,
                "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            }
            command(tmp_path, "sync", **environment)
    for file in tmp_path.glob("connector.db*"):
        assert b"falsch-geheim" not in file.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"CONNECTOR_DATABASE_URL": "postgresql://anna:sehr%20geheim@127.0.0.1:1/x"},
        {"PLANSO_URL": "https://anna:sehr%20geheim@workshop.planso.de"},
        {"CONNECTOR_RATE_LIMIT": "viele", "PLANSO_PASSWORD": "sehr geheim"},
    ],
)
def test_no_failed_start_prints_a_secret(tmp_path: Path, changes: dict[str, str]) -> None:
    """Whichever setting is wrong, the message has no password, not even one that is part of a URL."""
    environment = {"PLANSO_URL": "http://127.0.0.1:9", "PLANSO_USER": "anna", "PLANSO_PASSWORD": "x", **changes}
    done = command(tmp_path, "serve", "--port", "0", CONNECTOR_LOG_LEVEL="debug", **environment)
    assert done.returncode in (1, 2)
    assert "geheim" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
