"""The scopes of API keys: what each allows. Which routes need which: `rest.middleware.route_scopes`."""

from enum import StrEnum


class Scope(StrEnum):
    """What a key allows; `SCOPE_DESCRIPTIONS` explains each."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    APPOINTMENTS_WRITE = "appointments:write"
    SYNC = "sync"
    METRICS = "metrics"
    ADMIN = "admin"
    INSTALLATION = "installation"


SCOPE_DESCRIPTIONS: dict[Scope, str] = {
    Scope.ORDERS_READ: "Orders, their parts, progress and history, the lookup, operations; sync status.",
    Scope.ORDERS_WRITE: "Change, create, delete orders; cancel and undo operations.",
    Scope.APPOINTMENTS_WRITE: "Change the dates and times of an order, with PUT or PATCH, and nothing else.",
    Scope.SYNC: "Start a sync; sync status, and the login with PlanSo.",
    Scope.METRICS: "The figures that monitoring collects; nothing of orders or people.",
    Scope.ADMIN: "Everything in its workshop, including the login with PlanSo, resuming stopped writes and restoring a "
    "damaged order.",
    Scope.INSTALLATION: "The registry of workshops, and each one's state; nothing of their orders. `admin` does not "
    "include it.",
}
