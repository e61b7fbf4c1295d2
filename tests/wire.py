"""A TCP proxy that can go silent, as a firewall does that drops packets, or break connections off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class Wire:
    """
    Forwards connections from `port` on 127.0.0.1 to `target`, an address or the path of a Unix socket.

    While it is silent, nothing is forwarded in either direction and nothing is closed, new connections included.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._speaks = threading.Event()
        self._speaks.set()
        self._over = False
        self._ends: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def silence(self) -> None:
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    def lose(self) -> None:
        """Today's connections stay silent for ever; new ones work: a firewall that forgot its state."""
        with self._lock:
            self._lost |= self._ends

    def cut(self) -> None:
        """Breaks off every connection."""
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._over = True
        self._speaks.set()
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), name="wire", daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._speaks.wait()
        far = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        try:
            far.connect(self._target)
        except OSError:
            near.close()
            return
        with self._lock:
            self._ends |= {near, far}
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(one, other), name="wire", daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(CHUNK):
                self._speaks.wait()
                if one in self._lost:
                    continue
                other.sendall(data)
        if one in self._lost and not self._over:
            return  # the other side never hears that it ended
        with self._lock:
            self._ends -= {one, other}
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def wire(target: tuple[str, int] | str) -> Iterator[Wire]:
    proxy = Wire(target)
    try:
        yield proxy
    finally:
        proxy.close()
