"""The form layouts of many installations: those that were used last are kept."""

import threading
from collections import OrderedDict

from planso_connector.planso.pages.form_layout import FormLayouts
from planso_connector.planso.profile import Profile

MAX_INSTALLATIONS = 32
"""The layouts of one take 2 MB. Making them anew takes as long as reading some forms in full."""


class LayoutCache:
    """Thread-safe: forms are read in a thread, too."""

    def __init__(self, size: int = MAX_INSTALLATIONS) -> None:
        self._size = size
        self._layouts: OrderedDict[object, FormLayouts] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, owner: object, profile: Profile) -> FormLayouts:
        """The layouts of `owner`, whose profile is always this one; those of others are forgotten where it is full."""
        with self._lock:
            layouts = self._layouts.get(owner)
            if layouts is None:
                layouts = self._layouts[owner] = FormLayouts(profile)
                if len(self._layouts) > self._size:
                    self._layouts.popitem(last=False)
            self._layouts.move_to_end(owner)
            return layouts

    def forget(self, owner: object) -> None:
        with self._lock:
            self._layouts.pop(owner, None)
