"""The throttles of a process: one for each PlanSo, shared by the workshops that use it."""

from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from planso_connector.planso.http.throttle import Throttle
from planso_connector.settings import Settings


class SharedThrottles:
    """`list_settings` gives the settings of the open workshops with a PlanSo's address."""

    def __init__(self, list_settings: Callable[[str], Iterable[Settings]]) -> None:
        self._list_settings = list_settings
        self._throttles: WeakValueDictionary[str, Throttle] = WeakValueDictionary()

    def get(self, address: str, wanted: Settings) -> Throttle:
        """With the lowest limits of those that share it, `wanted` among them."""
        sharing = [wanted, *self._list_settings(address)]
        concurrency = min(settings.connector_planso_concurrency for settings in sharing)
        rates = [settings.connector_planso_rate for settings in sharing if settings.connector_planso_rate]
        rate = min(rates, default=None)
        throttle = self._throttles.setdefault(address, Throttle(concurrency, rate))
        throttle.set_limits(concurrency, rate)
        return throttle
