"""Errors of forwarded calls as JSON objects: what the lease holder raised is raised where the call was made."""

from collections.abc import Mapping
from typing import Any

from planso_connector.domain import errors, stored_errors
from planso_connector.domain.errors import ConnectorError

_WITH_OWN_MEMBERS = (errors.Invalid, errors.ReadBackMismatch, errors.EditConflict)
"""Those that `stored_errors` serialises whole."""

_ATTRIBUTES: dict[type[ConnectorError], tuple[str, ...]] = {
    errors.NotFound: ("read_at",),
    errors.PlansoUnsure: ("is_over",),
    errors.PageChanged: ("page",),
    errors.PageTooLarge: ("page",),
    errors.CommitUnknown: ("operation_id",),
}
_NOT_FORWARDED = (
    errors.NotAuthenticated,
    errors.NotAllowed,
    errors.VersionChanged,
    errors.QueryTooBroad,
    errors.NoRoom,
    errors.CursorExpired,
)
"""No flow that is forwarded raises these; an ancestor stands in for them."""


def _list_classes() -> dict[str, type[ConnectorError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ConnectorError)]
    return {one.__name__: one for one in found if one not in _NOT_FORWARDED}


CLASSES = _list_classes()


def serialize_error(error: ConnectorError) -> dict[str, Any]:
    """An error of a class that is not in `domain.errors` becomes the nearest one that is."""
    error_class = next(one for one in type(error).__mro__ if CLASSES.get(one.__name__) is one)
    if issubclass(error_class, _WITH_OWN_MEMBERS):
        return {"type": "stored", "message": str(error), "stored": stored_errors.serialize_error(_to_stored(error))}
    attributes = {name: getattr(error, name) for name in _ATTRIBUTES.get(error_class, ())}
    return {"type": error_class.__name__, "message": str(error), **attributes}


def _to_stored(error: ConnectorError) -> ConnectorError:
    """A subclass of Invalid as Invalid."""
    is_subclass = isinstance(error, errors.Invalid) and type(error) is not errors.Invalid
    return errors.Invalid(error.problems) if is_subclass else error  # type: ignore[attr-defined]


def deserialize_error(stored: Mapping[str, Any]) -> ConnectorError:
    if stored["type"] == "stored":
        return stored_errors.deserialize_error(stored["stored"], stored["message"])
    error_class = CLASSES.get(stored["type"], errors.PlansoUnavailable)
    names = _ATTRIBUTES.get(error_class, ())
    return error_class(stored["message"], **{name: stored[name] for name in names})
