"""A served sandbox, and a simulated browser that is logged in to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from planso_connector.sandbox import Installation, Sandbox

from .browser import Browser

Open = Callable[..., Browser]


@pytest.fixture
def open_browser() -> Iterator[Open]:
    """Open a browser at a sandbox, by default a new one with these properties of the installation."""
    with ExitStack() as stack:

        def open_(sandbox: Sandbox | None = None, *, log_in: bool = True, **installation: object) -> Browser:
            box = sandbox or Sandbox(orders=12, installation=Installation(**installation))  # type: ignore[arg-type]
            url = stack.enter_context(box.serve())
            browser = stack.enter_context(Browser(box, url))
            if log_in:
                assert "system_login_username" not in browser.log_in().text
            return browser

        yield open_


@pytest.fixture
def browser(open_browser: Open) -> Browser:
    """A browser at a sandbox with 40 orders and the default installation."""
    return open_browser()


@pytest.fixture(scope="module")
def tabs_browser() -> Iterator[Browser]:
    """One browser for all tests of a module, which only read."""
    sandbox = Sandbox(orders=10)
    with sandbox.serve() as url, Browser(sandbox, url) as browser:
        browser.log_in()
        yield browser
