"""A working stand-in for PlanSo over HTTP, for tests and demos. It shares no code with the rest of the connector."""

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.knobs import KnobError, Knobs
from planso_connector.sandbox.planso_app import LoggedRequest
from planso_connector.sandbox.recorded_installation import load_recorded_installation
from planso_connector.sandbox.recording import RecordingError
from planso_connector.sandbox.sandbox import Sandbox, run
from planso_connector.sandbox.sandboxes import Sandboxes
from planso_connector.sandbox.save_style import SaveStyle, StyleError
from planso_connector.sandbox.server import PortTakenError
from planso_connector.sandbox.session_records import SessionRecord, find_shared_use
from planso_connector.sandbox.state_file import StateFileError

__all__ = [
    "Installation",
    "KnobError",
    "Knobs",
    "LoggedRequest",
    "PortTakenError",
    "RecordingError",
    "Sandbox",
    "Sandboxes",
    "SaveStyle",
    "SessionRecord",
    "StateFileError",
    "StyleError",
    "find_shared_use",
    "load_recorded_installation",
    "run",
]
