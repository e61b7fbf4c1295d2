"""Cookies, login, expiry, locked accounts (protocol, section 1)."""

import httpx2
import pytest

from planso_connector.sandbox import Sandbox

from .browser import Browser
from .conftest import Open


def is_login_page(response: httpx2.Response) -> bool:
    """200, HTML, with the login form."""
    page = response.text
    return response.status_code == 200 and "system_login_username" in page and "Passwort" in page


def test_the_first_request_gets_a_session_and_the_login_page(open_browser: Open) -> None:
    """`GET /app` sets an HttpOnly PHPSESSID and answers 200 with the login form."""
    browser = open_browser(log_in=False)

    response = browser.http.get("/app")

    assert is_login_page(response)
    assert response.headers["set-cookie"].startswith("PHPSESSID=")
    assert "httponly" in response.headers["set-cookie"].lower()


def test_a_login_keeps_the_session_s_cookie(open_browser: Open) -> None:
    """With it `/do` answers JSON."""
    browser = open_browser(log_in=False)
    browser.http.get("/app")
    before = browser.http.cookies["PHPSESSID"]

    browser.log_in()

    assert browser.http.cookies["PHPSESSID"] == before
    assert "0" in browser.list()
    assert browser.sandbox.logins == 1


def test_a_call_without_a_login_gets_the_login_page(open_browser: Open) -> None:
    """200 with HTML, not 401."""
    browser = open_browser(log_in=False)
    browser.http.get("/app")

    assert is_login_page(browser.http.post("/do?m=resourceplanner_get_project_stations"))


def test_a_wrong_password_answers_200_with_the_form(open_browser: Open) -> None:
    """The form is the only sign of a failed login."""
    browser = open_browser(log_in=False)

    assert is_login_page(browser.log_in("falsch"))
    assert (browser.sandbox.logins, browser.sandbox.rejected_logins) == (0, 1)


def test_three_wrong_passwords_in_a_row_lock_the_account(open_browser: Open) -> None:
    """Then the right password is rejected too, and the page says why."""
    browser = open_browser(log_in=False)
    for _ in range(3):
        browser.log_in("falsch")

    response = browser.log_in()

    assert is_login_page(response)
    assert "gesperrt" in response.text
    assert browser.sandbox.rejected_logins == 4
    browser.sandbox.knobs.locked_accounts.clear()
    assert not is_login_page(browser.log_in())


def test_a_right_password_resets_the_count_of_wrong_ones(open_browser: Open) -> None:
    """Only wrong passwords in a row count."""
    browser = open_browser(log_in=False)
    for password in ("falsch", "falsch", None, "falsch", "falsch"):
        browser.log_in(password)

    assert not is_login_page(browser.log_in())


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_a_password_with_special_characters_works(open_browser: Open, encoding: str) -> None:
    """`#&=+%`, blanks and umlauts, in UTF-8 and in ISO-8859-1."""
    password = "a#b&c=d+e%20 fÜß€" if encoding == "utf-8" else "#&=+%20 Üß"
    browser = open_browser(log_in=False, username="größe", password=password)

    assert not is_login_page(browser.log_in(encoding=encoding))


def test_a_login_can_be_redirected(open_browser: Open) -> None:
    """302, to the start page."""
    browser = open_browser(log_in=False, login_redirects=True)

    response = browser.log_in()

    assert response.status_code == 302
    assert not is_login_page(browser.http.get(response.headers["location"]))


def test_sessions_expire_once_after_n_requests(browser: Browser) -> None:
    """`expire_sessions(2)`: two more calls are answered, the third gets the login page, a new login lasts."""
    browser.sandbox.expire_sessions(after_requests=2)
    browser.list()
    browser.list()

    assert is_login_page(browser.http.post("/do?m=resourceplanner_get_project_stations"))
    browser.log_in()
    for _ in range(5):
        browser.list()


def test_sessions_expire_at_once(browser: Browser) -> None:
    """`expire_sessions()` ends every session now."""
    browser.sandbox.expire_sessions()

    assert is_login_page(browser.call(123))


def test_each_session_can_end_after_n_requests(browser: Browser) -> None:
    """`expire_sessions_after` counts for each session."""
    browser.sandbox.knobs.expire_sessions_after = 1
    for _ in range(3):
        browser.log_in()
        browser.list()
        assert is_login_page(browser.call(123))


def test_logging_out_ends_the_session(browser: Browser) -> None:
    """After `m=logout` a call gets the login page."""
    browser.http.get("/do?m=logout")

    assert is_login_page(browser.call(123))


def test_requests_are_logged(open_browser: Open) -> None:
    """With method, call, submode, order and status; `in_flight_peak` counts parallel ones."""
    browser = open_browser(Sandbox(orders=5))
    browser.call(123)

    assert [(r.method, r.m, r.submode, r.order_id, r.status) for r in browser.sandbox.requests] == [
        ("GET", "app", "", None, 200),
        ("POST", "app", "", None, 200),
        ("POST", "visual_forms_plain", "update", 123, 200),
    ]
    assert browser.sandbox.in_flight_peak == 1
