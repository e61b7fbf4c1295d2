"""The board (protocol, section 2)."""

from .browser import Browser
from .conftest import Open


def entries(answer: object) -> dict[int, dict[str, str]]:
    """The orders by id, from an object or a list."""
    members = answer if isinstance(answer, list) else list(answer.values()) if isinstance(answer, dict) else []
    return {int(entry["ID"]): entry for entry in members if isinstance(entry, dict) and "ID" in entry}


def test_the_object_has_orders_under_numbers_and_other_members(browser: Browser) -> None:
    """Each order once, with the six members of the protocol; `execution_time` is no order."""
    answer = browser.list()

    assert "execution_time" in answer
    assert list(entries(answer)) == browser.sandbox.order_ids()
    assert all(
        {"ID", "short_name", "station", "employeeID", "theorder", "finish_date"} <= entry.keys()
        for entry in entries(answer).values()
    )
    assert isinstance(answer["0"]["ID"], int)


def test_some_installations_send_a_list_with_ids_as_text(open_browser: Open) -> None:
    """The same orders as a JSON list."""
    browser = open_browser(list_shape="list", ids_as_text=True)

    answer = browser.list()

    assert isinstance(answer, list)
    assert list(entries(answer)) == browser.sandbox.order_ids()
    assert answer[0]["ID"] == str(browser.sandbox.order_ids()[0])


def test_archived_orders_leave_the_board_and_keep_their_form(browser: Browser) -> None:
    """An archived order can still be read, and can be put back."""
    browser.sandbox.archive(123)

    assert 123 not in entries(browser.list())
    assert browser.pairs(123) == browser.sandbox.snapshot(123)
    browser.sandbox.unarchive(123)
    assert 123 in entries(browser.list())


def test_an_order_can_be_archived_right_after_a_read_of_the_board(browser: Browser) -> None:
    """That read still has it, the next doesn't."""
    browser.sandbox.knobs.archive_after_next_list = {123}

    assert 123 in entries(browser.list())
    assert 123 not in entries(browser.list())


def test_the_board_changes_with_a_save(browser: Browser) -> None:
    """Plate and project status are in `short_name` and `station` at once."""
    browser.change(123, "Kennzeichen", "WN-XY 1")
    browser.change(123, "Projekt-Status", "76")

    entry = entries(browser.list())[123]

    assert browser.sandbox.value(123, "Projekt-Status") == "Lackierung"
    assert (entry["short_name"], entry["station"]) == ("WN-XY 1 Petersen", "4@active")
