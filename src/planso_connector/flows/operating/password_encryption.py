"""
Encryption of the workshops' PlanSo passwords in the database (Fernet: AES-128-CBC with HMAC-SHA256).

What is encrypted holds the workshop's name and PlanSo address beside the password: one that was copied to another row,
or whose row got another address, is not used, so write access to the database alone does not send it elsewhere.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from planso_connector.domain.errors import EncryptionKeyMissing, PasswordUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

    from planso_connector.domain.workshop import Workshop

SETTING = "CONNECTOR_SECRETS_KEY"
MAKE_KEY = f"`planso-connector workshops new-key FILE` makes one, {SETTING}_FILE names the file"


class PasswordEncryption:
    """
    `keys`: the value of CONNECTOR_SECRETS_KEY, Fernet keys separated by white space. The first one encrypts, all
    decrypt. They are parsed when first needed: without registered workshops neither keys nor `cryptography` are needed.
    """

    def __init__(self, keys: str) -> None:
        self._keys = keys.split()

    @cached_property
    def _fernet(self) -> MultiFernet:
        """Raises EncryptionKeyMissing."""
        from cryptography.fernet import (  # here: it takes 50 ms, and only registered workshops need it
            Fernet,
            MultiFernet,
        )

        if not self._keys:
            raise EncryptionKeyMissing(f"{SETTING}: not set, so no password can be encrypted or decrypted; {MAKE_KEY}.")
        try:
            return MultiFernet([Fernet(key) for key in self._keys])
        except ValueError:
            raise EncryptionKeyMissing(
                f"{SETTING}: accepted: keys of 44 characters, a line each, the one that encrypts first; {MAKE_KEY}."
            ) from None

    def encrypt(self, password: str, *, name: str, planso_url: str) -> str:
        """Raises EncryptionKeyMissing."""
        return self._fernet.encrypt(json.dumps([name, planso_url, password]).encode()).decode()

    def decrypt(self, workshop: Workshop) -> str:
        """The workshop's password. Raises EncryptionKeyMissing, PasswordUnreadable."""
        from cryptography.fernet import InvalidToken

        try:
            text = self._fernet.decrypt(workshop.encrypted_password)
        except InvalidToken:
            raise PasswordUnreadable(
                f"The PlanSo password of the workshop '{workshop.name}' can't be decrypted: {SETTING} does not hold "
                f"the key that encrypted it. Add that key, or set the password again: `planso-connector workshops "
                f"change {workshop.name} --password-file FILE`."
            ) from None
        name, planso_url, password = json.loads(text)
        if (name, planso_url) != (workshop.name, workshop.planso_url):
            raise PasswordUnreadable(
                f"The PlanSo password of the workshop '{workshop.name}' was stored for another workshop or PlanSo "
                f"address, and is not used for this one. Set it again: `planso-connector workshops change "
                f"{workshop.name} --password-file FILE`."
            )
        return str(password)

    def is_current(self, workshop: Workshop) -> bool:
        """Whether the first key encrypted the password."""
        try:
            PasswordEncryption(self._keys[0] if self._keys else "").decrypt(workshop)
        except PasswordUnreadable:
            return False
        return True


def generate_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
