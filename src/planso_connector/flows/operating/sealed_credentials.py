"""
Encrypt a PlanSo user and password for one process, so that they pass through the database without being readable there,
nor in its backups: X25519, HKDF-SHA256 and ChaCha20-Poly1305, with a key that is used once and never leaves the memory
of the process that decrypts. It does not protect against somebody who can change the database meanwhile.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from planso_connector.domain.errors import PlansoUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

LIFETIME = 60.0
"""Seconds within which a key is used."""

MAX_KEYS = 64

_NONCE = bytes(12)
"""Each key encrypts once."""


class OneOffKeys:
    """The keys of the process that decrypts."""

    def __init__(self, steady: Callable[[], float] = monotonic) -> None:
        self._steady = steady
        self._keys: dict[str, tuple[float, X25519PrivateKey]] = {}

    def create(self) -> str:
        """A key for `seal`; of more than MAX_KEYS the oldest is forgotten."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # here: it takes 50 ms

        private = X25519PrivateKey.generate()
        key_id = secrets.token_hex(8)
        self._keys[key_id] = self._steady() + LIFETIME, private
        while len(self._keys) > MAX_KEYS:
            del self._keys[next(iter(self._keys))]
        return f"{key_id} {_encode(private.public_key().public_bytes_raw())}"

    def open(self, sealed: str) -> tuple[str, str]:
        """User and password; each key opens once. Raises PlansoUnavailable where the key is not known any more."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        key_id, _, rest = sealed.partition(" ")
        until, private = self._keys.pop(key_id, (0.0, None))
        if private is None or until < self._steady():
            raise PlansoUnavailable("The process that talks to PlanSo changed meanwhile; nothing was sent: try again.")
        public, _, encrypted = rest.partition(" ")
        other = b64decode(public)
        shared = private.exchange(X25519PublicKey.from_public_bytes(other))
        key = _derive_key(shared, other, private.public_key().public_bytes_raw())
        try:
            user, password = json.loads(ChaCha20Poly1305(key).decrypt(_NONCE, b64decode(encrypted), None))
        except InvalidTag:
            raise PlansoUnavailable("The user and password were changed on their way; nothing was sent.") from None
        return user, password


def seal(key: str, credentials: tuple[str, str]) -> str:
    """`key`: of `OneOffKeys.create`, in the process that is to open it."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    key_id, _, public = key.partition(" ")
    other, own = b64decode(public), X25519PrivateKey.generate()
    own_public = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    encrypted = ChaCha20Poly1305(_derive_key(shared, own_public, other)).encrypt(
        _NONCE, json.dumps(credentials).encode(), None
    )
    return f"{key_id} {_encode(own_public)} {_encode(encrypted)}"


def _derive_key(shared: bytes, sender: bytes, receiver: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=sender + receiver, info=b"planso-connector credentials").derive(shared)


def _encode(data: bytes) -> str:
    return b64encode(data).decode()
