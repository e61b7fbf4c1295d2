"""Reasons of an order's progress, for programs: responses have them as they are."""

from enum import StrEnum


class PromiseReason(StrEnum):
    """Why the promised date holds (True), doesn't (False), or that can't be told (None)."""

    NOTHING_AGAINST_IT = "nothing_against_it"
    """True: it lies ahead, and no value of the order contradicts it."""
    READY = "ready"
    """True: the vehicle is ready before."""
    DATE_PASSED = "date_passed"
    """False: when the order was last read the date had passed, and the vehicle was not ready."""
    PART_EXPECTED_LATER = "part_expected_later"
    """False for a mandatory part, None for another: a missing part is expected after the date."""
    NO_DATE = "no_date"
    """None: no field holds a date."""
    DATE_UNREADABLE = "date_unreadable"
    """None: the field, or another date of the order, holds something that is no date."""
    CLOSED = "closed"
    """None: the vehicle was handed over, or the order left PlanSo's list."""
    READY_SINCE_UNKNOWN = "ready_since_unknown"
    """None: the vehicle is ready and the date has passed; PlanSo doesn't say which came first."""
    NOT_READ_SINCE = "not_read_since"
    """None: the date has passed since the order was last read."""
    READINESS_UNKNOWN = "readiness_unknown"
    """None: whether the vehicle is ready is unknown; `can_be_fetched` has the reason."""
    DUE_TODAY = "due_today"
    """None: the date is today, and the vehicle isn't ready yet."""
    PARTS_UNKNOWN = "parts_unknown"
    """None: the order's parts were not read, or its parts status contradicts them."""
    PART_WITHOUT_DATE = "part_without_date"
    """None: a missing part has no expected date."""
    PART_OVERDUE = "part_overdue"
    """None: a missing part's expected date has passed."""
    PART_ON_THE_DAY = "part_on_the_day"
    """None: a missing part is expected on the promised day."""
    DATES_CONTRADICT = "dates_contradict"
    """None: another date of the order lies after it."""
    BEHIND_PLAN = "behind_plan"
    """None: an earlier date of the order has passed, and what was planned for it is not done."""
    STALE = "stale"
    """None: the mirror is stale."""


class FetchReason(StrEnum):
    """Why the vehicle can be fetched (True), can't (False), or that can't be told (None)."""

    RELEASED = "released"
    """True: the order's status says so."""
    NOT_DONE = "not_done"
    """False: it is at an earlier stage."""
    HANDED_OVER = "handed_over"
    """False: it was handed over."""
    ARCHIVED = "archived"
    """None: the order left PlanSo's list; no status says that the vehicle was handed over."""
    NOT_RELEASED = "not_released"
    """None: the work is done; no status says that the vehicle can be fetched."""
    PART_MISSING = "part_missing"
    """None: by its status it can, but a mandatory part is missing."""
    STAGE_UNKNOWN = "stage_unknown"
    """None: the order has no status, or an unknown one."""


HOLDS = {PromiseReason.NOTHING_AGAINST_IT: True, PromiseReason.READY: True, PromiseReason.DATE_PASSED: False}
"""All but PART_EXPECTED_LATER, which depends on the part; a reason missing here is None."""
CAN_BE_FETCHED = {FetchReason.RELEASED: True, FetchReason.NOT_DONE: False, FetchReason.HANDED_OVER: False}
