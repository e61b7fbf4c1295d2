"""Recordings of a person's work in Chromium on the sandbox, as the browser exports them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from planso_connector.sandbox import Installation, Sandbox, SaveStyle

from .chromium import Chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

STEPS = ("change", "create", "delete")
"""What a recording may contain beside the login, the board and an opened order."""
Recording = Callable[..., Path]


def log_in(page: Page, installation: Installation) -> None:
    """Open `/app`, send the login form, and wait for the board."""
    page.goto("app")
    page.fill("#system_login_username", installation.username)
    page.fill("#system_login_password", installation.password)
    page.click("#ps_system_login")
    page.wait_for_selector("#resourceplanner a")


def open_order(page: Page, order_id: int) -> None:
    """Click an order on the board and wait for its form."""
    page.click(f"#resourceplanner a[data-order='{order_id}']")
    page.wait_for_selector(f"#editor[data-open='{order_id}'] form")


def control(page: Page, label: str) -> Any:
    """The control under a label, in the `div` markup."""
    return page.locator("#form .field", has=page.get_by_text(label, exact=True)).locator("[name]").last


def save(page: Page, state: str = "saved") -> str:
    """Save, wait for PlanSo's response, and return its text."""
    page.click("#save")
    page.wait_for_selector("#result[data-state='saved'], #result[data-state='refused']")
    assert page.get_attribute("#result", "data-state") == state, page.inner_text("#result")
    return page.inner_text("#result")


def work(page: Page, installation: Installation, *, order_id: int = 123, steps: tuple[str, ...] = STEPS) -> None:
    """Log in, open an order, change and save it, create another one and delete it."""
    log_in(page, installation)
    open_order(page, order_id)
    if "change" in steps:
        control(page, installation.shown_label("Bemerkungen")).fill("Kundin kommt um 8 + bringt „Größe“\nzweite Zeile")
        save(page)
    if "create" in steps:
        page.click("#new")
        page.wait_for_selector("#editor[data-open=''] form")
        control(page, installation.shown_label("Fahrername")).fill("Ute Neumann")
        control(page, installation.shown_label("Kennzeichen")).fill("WN-N 77")
        save(page)
        if "delete" in steps:
            page.click("#delete")
            page.wait_for_selector("#result[data-state='deleted']")


@pytest.fixture(scope="session")
def recording(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """
    Returns a function that records `work` on a sandbox and returns the HAR file. Equal calls share one file per worker.

    `recording(style="body=json,sends=changed", order_id=123, steps=STEPS, knobs={...}, **installation)`. `style`: a
    `SaveStyle` or its text; `knobs`: as JSON; `installation`: other values of `Installation`.
    """
    files: dict[str, Path] = {}

    def record(
        style: SaveStyle | str = "",
        *,
        order_id: int = 123,
        steps: tuple[str, ...] = STEPS,
        knobs: dict[str, Any] | None = None,
        **installation: Any,
    ) -> Path:
        save_style = style if isinstance(style, SaveStyle) else SaveStyle.from_text(style)
        name = repr((save_style, order_id, steps, knobs, sorted(installation.items())))
        if name not in files:
            sandbox = Sandbox(orders=12, installation=Installation(save_style=save_style, **installation))
            sandbox.knobs.set_json(knobs or {})
            har = tmp_path_factory.mktemp("recording") / "planso.har"
            with sandbox.serve() as url:
                chromium.visit(
                    url, lambda page: work(page, sandbox.installation, order_id=order_id, steps=steps), har=har
                )
            files[name] = har
        return files[name]

    return record
