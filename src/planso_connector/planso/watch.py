"""Watch: the forms of one order that anybody in this process reads while a save of it is on its way."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from planso_connector.planso.form import Form

SENT_AT = "planso_sent_at"
"""The request's extension that says when it was sent, by `time.monotonic`."""


class Watch:
    """Only those forms count that were asked for after `begin`."""

    def __init__(self) -> None:
        self._forms: list[tuple[float, Form]] = []
        self._since = -math.inf

    @property
    def forms(self) -> list[Form]:
        """In the order in which they were asked for: an answer that took its time shows what was earlier."""
        return [form for _, form in sorted(self._forms, key=lambda one: one[0])]

    def begin(self) -> None:
        """From now on. What was asked for earlier may be older than the form that is about to be saved."""
        self._since = time.monotonic()
        self._forms.clear()

    def saw(self, form: Form, sent_at: float) -> None:
        if sent_at >= self._since:
            self._forms.append((sent_at, form))


class Watches:
    """Those of one process."""

    def __init__(self) -> None:
        self._watches: defaultdict[int, list[Watch]] = defaultdict(list)

    @contextmanager
    def of(self, order_id: int) -> Iterator[Watch]:
        watch = Watch()
        self._watches[order_id].append(watch)
        try:
            yield watch
        finally:
            self._watches[order_id].remove(watch)
            if not self._watches[order_id]:
                del self._watches[order_id]

    def saw(self, form: Form, sent_at: float) -> None:
        """`sent_at` is when it was asked for, by `time.monotonic`."""
        for watch in self._watches.get(form.order_id, ()) if form.order_id is not None else ():
            watch.saw(form, sent_at)
