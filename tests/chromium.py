"""
Debian's Chromium, one per worker, driven by Playwright. Playwright's own browsers are never downloaded. The headless
shell, the same engine without the windows around it, takes a third of the CPU time of the whole browser.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

T = TypeVar("T")
PROGRAMS = ("chromium-headless-shell", "chromium")
MISSING = "no Chromium on this machine (apt-get install chromium-headless-shell)"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Chromium:
    """
    A browser that is started at the first visit. Everything runs in one thread of its own, because Playwright leaves
    its event loop running in the thread that started it, where no test could start another.
    """

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._path = path
        self._driver: Any = None
        self._browser: Browser | None = None

    def visit(self, url: str, do: Callable[[Page], T], *, har: Path | None = None) -> T:
        """Call `do` with a page of a new browser session at `url`; record its requests in the file `har`, if given."""
        return self._thread.submit(self._visit, url, do, har).result(timeout=300)

    def _visit(self, url: str, do: Callable[[Page], T], har: Path | None) -> T:
        recorded: dict[str, Any] = {}
        if har is not None:
            recorded = {"record_har_path": har, "record_har_content": "embed", "record_har_mode": "full"}
        with self._start().new_context(base_url=url, locale="de-DE", **recorded) as context:
            context.set_default_timeout(60_000)
            return do(context.new_page())

    def _start(self) -> Browser:
        if self._browser is None:
            from playwright.sync_api import sync_playwright  # its import takes 0.5 s, which most tests can save

            self._driver = sync_playwright().start()
            self._browser = self._driver.chromium.launch(executable_path=self._path, args=list(FLAGS))
        return self._browser

    def close(self) -> None:
        self._thread.submit(self._stop).result(timeout=60)
        self._thread.shutdown()

    def _stop(self) -> None:
        if self._browser is not None:
            self._browser.close()
            self._driver.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Return a Chromium. If none is installed, the test is skipped; on CI it fails."""
    path = next((path for name in PROGRAMS if (path := shutil.which(name)) is not None), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    browser = Chromium(path)
    yield browser
    browser.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Report at the very end how many tests were skipped for lack of a browser."""
    yield
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"SKIPPED: {len(skipped)} tests that need a browser: {MISSING}.", yellow=True)
