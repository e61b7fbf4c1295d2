"""A log that can't be written: standard error is closed, on a full disk, or a pipe that nobody reads."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from planso_connector.log_output import MAX_QUEUED_LINES, LogOutput, LostLines
from planso_connector.sandbox import Sandbox
from tests.process import ConnectorProcess, connector_process
from tests.service import wait_until


@contextmanager
def broken_stderr(kind: str) -> Iterator[dict[str, Any]]:
    """Return the arguments of ConnectorProcess for a standard error that accepts no line."""
    if kind == "closed":
        yield {"before": lambda: os.close(2)}
        return
    if kind == "full disk":
        with Path("/dev/full").open("wb") as full:
            yield {"stderr": full.fileno()}
        return
    reading, writing = os.pipe()
    if kind == "no reader":
        os.close(reading)
    else:
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
    try:
        yield {"stderr": writing}
    finally:
        os.close(writing)
        with suppress(OSError):
            os.close(reading)


def environment(sandbox: Sandbox, url: str, folder: Path) -> dict[str, str]:
    return {
        "PLANSO_URL": url,
        "PLANSO_USER": sandbox.installation.username,
        "PLANSO_PASSWORD": sandbox.installation.password,
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db",
        "CONNECTOR_SYNC_HOURS": "00:00-24:00",
        "CONNECTOR_SYNC_INTERVAL": "0.2s",
    }


def read_metric(connector: ConnectorProcess, name: str) -> float:
    lines = connector.http.get("/metrics").text.splitlines()
    (value,) = [line.split()[-1] for line in lines if line.startswith(f"planso_connector_{name}")]
    return float(value)


def read_check(connector: ConnectorProcess, name: str) -> dict[str, Any]:
    checks = connector.http.get("/health/ready").json()["checks"]
    return next(check for check in checks if check["name"] == name)


@pytest.mark.parametrize("kind", ["full disk", "no reader", "nobody reads", "closed"])
def test_all_goes_on_without_a_log(tmp_path: Path, kind: str) -> None:
    """The connector starts, writes are 200, syncs run on schedule, it is ready, and its exit code at SIGTERM is 0."""
    sandbox = Sandbox(orders=6)
    order_id = sandbox.order_ids()[0]
    with (
        sandbox.serve() as url,
        broken_stderr(kind) as streams,
        connector_process(environment(sandbox, url, tmp_path), tmp_path, **streams) as connector,
    ):
        connector.wait_for_sync()
        body = {"order_id": order_id, "remarks": "ohne Log"}
        written = connector.http.put(f"/api/orders/{order_id}", json=body)
        assert (written.status_code, written.json()["success"]) == (200, True)
        created = connector.http.post("/api/orders", json={"person": "Nora Neu"})
        assert (created.status_code, created.json()["success"]) == (200, True)
        assert sandbox.value(order_id, "Bemerkungen") == "ohne Log"
        first = connector.wait_for_sync()["last_result"]["started_at"]
        wait_until(lambda: connector.wait_for_sync()["last_result"]["started_at"] != first, "another sync")
        ready = connector.http.get("/health/ready")
        assert ready.status_code == 200
        if kind != "nobody reads":  # as many lines as the queue holds are not lost yet
            assert read_metric(connector, "log_lines_lost_total") > 5
            assert (ready.json()["state"], read_check(connector, "log")["ok"]) == ("degraded", False)
            assert "log lines lost so far" in read_check(connector, "log")["words"]
        assert connector.stop() == 0


def test_the_first_line_says_how_many_are_missing(tmp_path: Path) -> None:
    """Once the pipe has a reader again, the first line says how many lines were lost, since when and why."""
    sandbox, path = Sandbox(orders=6), tmp_path / "log"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(path, os.O_WRONLY)
    with sandbox.serve() as url:
        settings = {**environment(sandbox, url, tmp_path), "CONNECTOR_SYNC_INTERVAL": "0"}
        with connector_process(settings, tmp_path, stderr=writing) as connector:
            connector.wait_for_sync()
            os.close(reading)
            wait_until(lambda: not read_check(connector, "log")["ok"], "a lost line")
            since = read_check(connector, "log")["since"]
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as log:
                wait_until(lambda: read_check(connector, "log")["ok"], "a written line")
                assert connector.http.get("/health/ready").json()["state"] == "ready"
                lost = read_metric(connector, "log_lines_lost_total")
                text = log.read()
    os.close(writing)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (index,) = [index for index, line in enumerate(lines) if line["event"] == "log_lines_lost"]
    report = lines[index]
    assert (report["lines"], report["since"], report["reason"]) == (lost, since, "Broken pipe")
    assert index + 1 < len(lines)


def fill_pipe(writing: int) -> int:
    """Write until the pipe takes no more; return how many bytes."""
    os.set_blocking(writing, False)
    filling = 0
    with suppress(BlockingIOError):
        while True:
            filling += os.write(writing, bytes(select.PIPE_BUF))
    os.set_blocking(writing, True)
    return filling


def test_lines_that_exceed_the_queue_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody reads the pipe, logging does not block; later the queued lines are written, lost ones counted."""
    reading, writing = os.pipe()
    filling = fill_pipe(writing)  # else what is put while the first batch fits into the pipe needs a second report
    reports: list[LostLines] = []

    def report(lost: LostLines) -> str:
        reports.append(lost)
        return "report"

    output = LogOutput(report)
    sent = MAX_QUEUED_LINES * 3
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        output.start()
        for number in range(sent):
            output.put(f"{number} {'x' * 100}")
        output.flush(0.01)
        lost = output.lost_lines
        assert 0 < lost < sent
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.extend(iter(lambda: os.read(reading, 65536), b"")))
        reader.start()
        output.flush(90)
        output.put("after")
        output.flush(90)
    reader.join(90)
    os.close(reading)
    lines = b"".join(read)[filling:].decode().splitlines()
    assert lines[-1] == "after"
    assert lines.count("report") == len(reports) == 1
    assert (reports[0].lines, output.lost_lines) == (lost, lost)
    assert output.losing is None
    assert len(lines) == sent - lost + 2


UNPRINTABLE = """
import logging, structlog
from planso_connector import logs

class Unprintable:
    def __repr__(self):
        raise KeyError("geheim")

logs.configure("info", [])
structlog.get_logger("ours").error("event", value=Unprintable())
logging.getLogger("theirs").error("%d things", "geheim")
structlog.get_logger("ours").info("next")
"""


def test_a_line_that_cannot_be_formatted_is_counted_as_lost() -> None:
    """Neither structlog nor the standard library's logging raises or prints; the next line reports the loss of two."""
    done = subprocess.run([sys.executable, "-c", UNPRINTABLE], capture_output=True, text=True, timeout=90, check=True)
    lost, following = (json.loads(line) for line in done.stderr.splitlines())
    assert (lost["event"], lost["lines"], following["event"]) == ("log_lines_lost", 2, "next")


REDACTING = """
import json, sys
import structlog
from planso_connector import logs
logs.configure("info", ["erstes Geheimnis"])
more = [f"Geheimnis ü {n:04}" for n in range(int(sys.argv[1]))]
logs.add_secrets(more[:1])
logs.add_secrets(more)
log = structlog.get_logger("x")
for secret in ["erstes Geheimnis", *more]:
    log.info("said", words=f"vorher {secret} nachher")
log.info("said", words="nur Geheim")
logs.output.flush(30)
"""


@pytest.mark.parametrize("count", [1, 300])
def test_secrets_that_are_learned_later_are_redacted_too(count: int) -> None:
    """Passwords of workshops, few or many, learned after the start: each is *** in every line, nothing else is."""
    done = subprocess.run(
        [sys.executable, "-c", REDACTING, str(count)], capture_output=True, text=True, check=True, timeout=120
    )
    words = [json.loads(line)["words"] for line in done.stderr.splitlines()]
    assert words == ["vorher *** nachher"] * (count + 1) + ["nur Geheim"]
