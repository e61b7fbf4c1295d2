"""The installation's responses to saves: success, with a new order's id, and refusal."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.php import json_response
from planso_connector.sandbox.save_calls import ID_PLACEHOLDER, SaveAction
from planso_connector.sandbox.save_style import SaveStyle


def success_response(
    installation: Installation, style: SaveStyle, action: SaveAction, order_id: int, form: dict[str, Any]
) -> Response:
    """The response to an applied save. `form`: the order's form now."""
    shown_id = str(order_id) if installation.ids_as_text else order_id
    recorded = installation.recorded
    if recorded is not None and style == recorded.saves.style and style.answer in ("saved", "success", "status"):
        template = recorded.saves.answers.get(action, recorded.saves.answers.get("update"))
        if template is not None:
            return json_response(_fill_id(template, shown_id), installation)
    match style.answer:
        case "saved":
            answer = _saved_answer(action, shown_id)
        case "success":
            answer = {"success": True, "message": "Gespeichert", "data": {"id": shown_id}}
        case "status":
            answer = {"status": "ok", "id": shown_id} if action == "insert" else {"status": "ok"}
        case "form":
            answer = {**form, "dataID": shown_id} if action == "insert" else form
        case "empty" if action != "insert":
            return Response(b"", headers={"content-type": "text/html; charset=utf-8"})
        case _ if action == "delete":
            return RedirectResponse("/do?m=resourceplanner_get_project_stations&filterID=", 302)
        case _:
            return RedirectResponse(_form_address(installation, order_id), 302)
    return json_response(answer, installation)


def _saved_answer(action: SaveAction, shown_id: int | str) -> dict[str, Any]:
    match action:
        case "insert":
            return {"saved": 1, "dataID": shown_id, "functions": "visual_forms.saved();"}
        case "delete":
            return {"deleted": 1, "functions": "visual_forms.removed();"}
        case _:
            return {"saved": 1, "message": "Gespeichert", "functions": "visual_forms.saved();"}


def _fill_id(answer: Any, order_id: int | str) -> Any:
    """A recorded answer with the order's id for its placeholder."""
    if isinstance(answer, dict):
        return {name: _fill_id(value, order_id) for name, value in answer.items()}
    return order_id if answer == ID_PLACEHOLDER else answer


def _form_address(installation: Installation, order_id: int) -> str:
    return f"/do?m=visual_forms_plain&tableID={installation.table_id}&submode=update&dataID={order_id}"


def refusal_response(installation: Installation, style: SaveStyle, text: str) -> Response:
    """The response to a refused save, with a German text for a person."""
    match style.answer:
        case "success":
            return json_response({"success": False, "message": text}, installation)
        case "status":
            return json_response({"status": "error", "errors": [{"field": "", "text": text}]}, installation)
        case "empty":
            return json_response({"message": text}, installation, 422)
        case "redirect":
            return json_response({"errors": [text]}, installation)
        case "form":
            return json_response({"center": {"content": ""}, "functions": "", "errors": [text]}, installation)
        case _:
            return json_response({"error": text, "functions": ""}, installation)
