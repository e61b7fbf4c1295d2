"""The invented workshop, its state file, its pages and its port."""

import json
import re
from datetime import date
from pathlib import Path

import httpx2
import pytest

from planso_connector.sandbox import Installation, PortTakenError, Sandbox, StateFileError, run

from .browser import Browser


def read_everything(sandbox: Sandbox) -> list[object]:
    """Everything that a client could read from a sandbox."""
    return [(i, sandbox.values(i), sandbox.snapshot(i), sandbox.parts(i)) for i in sandbox.order_ids()]


def test_the_same_seed_invents_the_same_workshop() -> None:
    """Seed and day determine everything; another seed or day gives another workshop."""
    assert read_everything(Sandbox()) == read_everything(Sandbox())
    assert read_everything(Sandbox(orders=9)) != read_everything(Sandbox(orders=9, seed=2))
    assert read_everything(Sandbox(orders=9)) != read_everything(Sandbox(orders=9, today=date(2027, 1, 4)))


@pytest.mark.parametrize(("orders", "seed"), [(260, 1), (1, 1), (5, 2), (30, 3), (30, 4), (600, 5)])
def test_the_number_of_orders_is_as_requested_and_123_is_one(orders: int, seed: int) -> None:
    """Ids ascend from about 101; the README's order is always there."""
    sandbox = Sandbox(orders=orders, seed=seed)
    ids = sandbox.order_ids()

    assert len(set(ids)) == orders
    assert ids == sorted(ids)
    assert (sandbox.value(123, "Fahrername"), sandbox.plates()[123]) == ("Jana Petersen", "WN-AE 2309")
    assert sandbox.value(123, "Kategorie") == "KL 2-3"


def test_the_workshop_has_unusual_orders() -> None:
    """A plate twice, two plates with the same letters, a company without a person, unusual dates and decimals."""
    sandbox = Sandbox()
    plates = list(sandbox.plates().values())
    all_values = [value for i in sandbox.order_ids() for value in sandbox.values(i).values()]

    assert any(plate and plates.count(plate) > 1 for plate in plates)
    assert {"BN-O 1234", "B-NO 1234", ""} <= set(plates)
    assert {"31.12.2025 12:08:59", "2026-12-03", "1.234,50"} <= set(all_values)
    assert any(len(value) > 5000 for value in all_values)


def test_phone_numbers_and_addresses_are_fictional() -> None:
    """Numbers are of the reserved ranges, e-mail addresses of the example domains."""
    sandbox = Sandbox()
    ranges = ("3023125", "4066969", "2214710", "8999998", "6990009", "17139200")
    for order_id in sandbox.order_ids():
        digits = re.sub(r"\D", "", sandbox.value(order_id, "Telefon").split("/ ")[0].replace("(0)", ""))
        mail = sandbox.value(order_id, "Kunden E-Mail")
        assert not digits or digits.removeprefix("49").removeprefix("0").startswith(ranges)
        assert not mail or mail.endswith(("@example.de", "@example.org"))


def test_changes_are_kept_in_the_state_file(tmp_path: Path) -> None:
    """Edits, archived, deleted and new orders are there after a restart, and new ids continue."""
    file = tmp_path / "state.json"
    first = Sandbox(orders=10, state=file)
    keep, gone = [order_id for order_id in first.order_ids() if order_id != 123][:2]
    with first.serve() as url, Browser(first, url) as browser:
        browser.log_in()
        new_id = browser.save("", browser.pairs("", "insert"), "insert")["dataID"]
    first.edit_field(123, "Fahrername", "Łucja Weiß")
    first.archive(keep)
    first.delete(gone)

    second = Sandbox(orders=10, state=file)

    assert read_everything(second) == read_everything(first)
    assert second.value(123, "Fahrername") == "Łucja Weiß"
    assert keep not in second.order_ids()
    assert second.value(keep, "Telefon") == first.value(keep, "Telefon")
    assert new_id in second.order_ids()
    second.delete(new_id)
    assert new_id not in Sandbox(orders=10, state=file).order_ids()
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\udcff", "null"])
def test_a_damaged_state_file_is_reported(tmp_path: Path, damage: str) -> None:
    """The error names it, and it is not overwritten."""
    file = tmp_path / "state.json"
    file.write_bytes(damage.encode("utf-8", "surrogateescape"))

    with pytest.raises(StateFileError, match=r"state\.json"):
        Sandbox(orders=3, state=file)
    assert file.read_bytes() == damage.encode("utf-8", "surrogateescape")


def test_a_state_file_of_other_settings_is_refused(tmp_path: Path) -> None:
    """Another seed, or an installation with other values; a broken order is refused too."""
    file = tmp_path / "state.json"
    Sandbox(orders=3, state=file).edit_field(123, "Telefon", "x")

    with pytest.raises(StateFileError, match="seed"):
        Sandbox(orders=3, seed=2, state=file)
    with pytest.raises(StateFileError, match="iso_dates"):
        Sandbox(orders=3, state=file, installation=Installation(iso_dates=True))
    kept = json.loads(file.read_text("utf-8"))
    kept["changed"][0]["values"]["Telefon"] = "x"
    file.write_text(json.dumps(kept), "utf-8")
    with pytest.raises(StateFileError, match="damaged"):
        Sandbox(orders=3, state=file)


def test_pages_show_the_last_change_and_escape_values(browser: Browser) -> None:
    """The board shows order, label, before and after on top; no value becomes markup."""
    nasty = "<script>alert('x')</script>\"&"
    browser.sandbox.edit_field(browser.sandbox.order_ids()[0], "Kennzeichen", nasty)
    browser.change(123, "Fahrername", nasty)

    board, order = browser.http.get("/").text, browser.http.get("/orders/123").text
    live = browser.http.get("/sandbox/board").json()

    assert "Jana Petersen" in live["html"]
    assert "&lt;script&gt;alert(" in live["html"]
    assert "&lt;script&gt;alert(" in order
    for page in (board, order, live["html"]):
        assert "<script>alert" not in page
    assert "<link" not in board
    assert " src=" not in board
    assert browser.http.get("/orders/99999").status_code == 404
    before = live["version"]
    browser.sandbox.edit_field(123, "Telefon", "neu")
    assert browser.http.get("/sandbox/board").json()["version"] > before


def test_a_taken_port_is_reported() -> None:
    """The error names the port, in the thread and in the command."""
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(PortTakenError, match=str(port)):
            run("127.0.0.1", port, orders=3)
        with pytest.raises(PortTakenError), sandbox.serve(port=port):
            raise AssertionError("the port was taken")


def test_a_sandbox_can_be_served_again() -> None:
    """Its orders outlive a server."""
    sandbox = Sandbox(orders=3)
    for _ in range(2):
        with sandbox.serve() as url:
            assert httpx2.get(f"{url}/orders/123").status_code == 200
