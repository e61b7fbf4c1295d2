"""What a tool may use while it runs: made anew for each call of a tool."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from planso_connector.agents.tool_answer import Phrase
from planso_connector.domain.caller import Caller
from planso_connector.domain.language import Language
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.flows.writing.bookings import fingerprint_call

MAX_SECONDS = 2.7
"""For a tool's run. Its caller waits 3 seconds, of which some are for the network and authentication."""


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """The operator's choices."""

    shows_all_personal_data: bool = False
    """Whether answers have personal data that was not asked for (CONNECTOR_LOOKUP_PERSONAL)."""
    asks_second_fact: bool = True
    """Whether a write to an order named by its plate alone asks for a name or a phone number first."""


@dataclass(frozen=True, slots=True)
class ToolSession:
    flows: WorkshopFlows
    caller: Caller
    language: Language
    settings: ToolSettings
    record_shown: Callable[[Iterable[int]], None]
    """Take down in the access log that the answer shows these orders."""
    record_call: Callable[[str, str, float], None]
    """For metrics: the tool, `ok` or why it was not done, and the seconds that it took."""
    call_id: str = ""
    """The phone call's, from `X-Call-Id` or the platform; empty where it is not known."""
    deadline: float = field(default_factory=lambda: monotonic() + MAX_SECONDS)
    """In seconds of `time.monotonic`."""

    @property
    def call_fingerprint(self) -> str:
        """What names this phone call in holds and writes; without a call id the API key stands for one call."""
        return fingerprint_call(self.caller.key_id, self.call_id)

    def local_now(self) -> datetime:
        """In German time."""
        return self.flows.availability.local_now()

    def seconds_left(self) -> float:
        return max(0.0, self.deadline - monotonic())

    def render(self, phrase: Phrase, **values: object) -> str:
        return phrase.render(self.language, **values)
