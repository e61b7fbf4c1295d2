"""
The registry of workshops: add, import, change, pause, resume, remove. Each is one write transaction; the rows of a
removed workshop are deleted afterwards, in many.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypedDict, TypeVar

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import Invalid, NotFound, NotPossible, PasswordUnreadable, Problem
from planso_connector.domain.workshop import SettingValue, Workshop, check_name
from planso_connector.flows.operating.password_encryption import PasswordEncryption
from planso_connector.store import api_keys, purge, statistics, workshops, write_stops
from planso_connector.store.engine.database import Database, Transaction

T = TypeVar("T")

PAUSE_BETWEEN_BATCHES = 0.02
"""Seconds in which others can write."""

NOTICE = timedelta(minutes=1)
"""
Within which every process has noticed that a workshop was removed, and writes no more of its rows: its rows are looked
for once more after that.
"""


@dataclass(frozen=True, slots=True)
class NewWorkshop:
    name: str
    planso_url: str
    planso_user: str
    password: str = field(repr=False)
    table_id: int | None = None
    profile: str = ""
    settings: Mapping[str, SettingValue] = field(default_factory=dict)


class WorkshopChanges(TypedDict, total=False):
    """What to change; what is absent stays. A setting that is None follows the process's again, all with None."""

    planso_url: str
    planso_user: str
    password: str
    table_id: int | None
    profile: str
    settings: Mapping[str, SettingValue | None] | None


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """The workshops that changed up to `version`, removed ones (`removed_at`) too."""

    version: int
    workshops: Sequence[Workshop]


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """`unreadable`: names of the workshops whose password no key decrypts."""

    encrypted_anew: int
    unreadable: Sequence[str]


class WorkshopRegistry:
    """
    `default`: the name of the workshop that the environment defines, "" if it defines none. `check`: returns a workshop
    with its values as they are stored, raises Invalid.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        encryption: PasswordEncryption,
        *,
        check: Callable[[Workshop], Workshop],
        default: str = "",
    ) -> None:
        self._database = database.for_installation()
        self._clock = clock
        self._encryption = encryption
        self._check = check
        self._default = default

    async def list_all(self) -> Sequence[Workshop]:
        """By name, paused ones too; not the one of the environment."""
        return await self._database.read(lambda tx: workshops.list_all(tx))

    async def get(self, name: str) -> Workshop:
        """Raises NotFound."""
        return await self._database.read(lambda tx: _get(tx, name))

    async def list_changes(self, after: int = 0) -> RegistryChanges:
        """What changed since the version `after`; 0 for all. One statement on an index, for a poll each second."""
        changed = await self._database.read(lambda tx: workshops.list_changed(tx, after=after))
        return RegistryChanges(changed[-1].version if changed else after, changed)

    def decrypt_password(self, workshop: Workshop) -> str:
        """Raises WorkshopUnusable, which says what an operator has to do."""
        return self._encryption.decrypt(workshop)

    async def add(self, new: NewWorkshop) -> Workshop:
        """Raises Invalid, NotPossible where the name is taken, EncryptionKeyMissing."""
        prepared = self._prepare(new)

        def work(tx: Transaction) -> Workshop:
            if taken := self._find_taken(tx, new.name):
                raise NotPossible(taken)
            return self._add(tx, prepared)

        return await self._write(work)

    async def import_all(self, new: Sequence[NewWorkshop]) -> Sequence[Workshop]:
        """All of them or none. Raises Invalid with the problems of all, each located by the workshop's name."""
        problems: list[Problem] = []
        prepared = []
        for one in new:
            try:
                prepared.append(self._prepare(one))
            except Invalid as error:
                problems += [replace(found, loc=("file", one.name, *found.loc[1:])) for found in error.problems]

        def work(tx: Transaction) -> Sequence[Workshop]:
            taken = {one.name: self._find_taken(tx, one.name) for one in new}
            found = [Problem(("file", name), message, "taken") for name, message in taken.items() if message]
            if problems or found:
                raise Invalid([*problems, *found])
            return [self._add(tx, one) for one in prepared]

        return await self._write(work)

    async def change(self, name: str, changes: WorkshopChanges) -> Workshop:
        """Raises NotFound, Invalid, EncryptionKeyMissing."""

        def work(tx: Transaction) -> Workshop:
            return self._save(tx, self._apply(_get(tx, name), changes))

        return await self._write(work)

    async def pause(self, name: str) -> Workshop:
        """From here on no write is recorded, and each process ends its traffic with PlanSo soon. Raises NotFound."""

        def work(tx: Transaction) -> Workshop:
            workshop = _get(tx, name)
            paused = replace(workshop, paused_at=workshop.paused_at or self._now())
            return workshop if workshop.is_paused else self._save(tx, paused)

        return await self._write(work)

    async def resume(self, name: str) -> Workshop:
        """End the pause; what it lasted is added to the deadlines of pending writes. Raises NotFound."""

        def work(tx: Transaction) -> Workshop:
            workshop = _get(tx, name)
            if workshop.paused_at is None:
                return workshop
            resumed = self._save(tx, replace(workshop, paused_at=None))
            tx.use_workshop(name)
            write_stops.add_pause_to_deadlines(tx, since=workshop.paused_at, now=self._now())
            return resumed

        return await self._write(work)

    async def count_pending(self, name: str) -> int:
        """Writes that wait for PlanSo. Raises NotFound."""

        def work(tx: Transaction) -> int:
            _get(tx, name)
            tx.use_workshop(name)
            return statistics.get_pending(tx).pending

        return await self._database.read(work)

    async def remove(self, name: str, *, discard_pending: bool = False) -> int:
        """
        Remove a workshop and revoke its keys; `purge` deletes its rows. Returns how many pending writes are discarded.
        Raises NotFound, NotPossible while writes are pending, unless `discard_pending`.
        """
        now = self._now()

        def work(tx: Transaction) -> int:
            workshop = _get(tx, name)
            self._save(tx, _empty(workshop, now))  # first: from here on no write is recorded
            tx.use_workshop(name)
            pending = statistics.get_pending(tx).pending
            if pending and not discard_pending:
                writes = "1 write waits" if pending == 1 else f"{pending} writes wait"
                raise NotPossible(
                    f"{writes} for PlanSo in the workshop '{name}', and would be lost. Wait until none is pending, "
                    "cancel, or remove it with `--discard-pending-writes` (API: `?discard_pending_writes=true`)."
                )
            api_keys.revoke_all(tx, now=now)
            return pending

        return await self._write(work)

    async def is_being_removed(self, name: str) -> bool:
        """Whether it was removed, and rows of it may be left."""
        return await self._database.read(lambda tx: workshops.may_have_rows(tx, name))

    async def purge(self, name: str, on_batch: Callable[[int], object] = lambda _: None) -> int:
        """
        Delete the rows of a removed workshop in all tables but its keys, which stay revoked; returns how many.
        `on_batch` gets the number of each batch.
        """
        total = 0
        while deleted := await self._database.write(lambda tx: self._purge_batch(tx, name)):
            total += deleted
            on_batch(deleted)
            await asyncio.sleep(PAUSE_BETWEEN_BATCHES)
        return total

    async def purge_removed(self) -> int:
        """Delete what is left of all removed workshops; how many rows. Costs one read where there are none."""
        names = await self._database.read(lambda tx: workshops.list_not_purged(tx))
        return sum([await self.purge(name) for name in names])

    async def encrypt_anew(self) -> KeyRotation:
        """
        Encrypt with the first key every password that another one encrypted, all in one transaction; those that no key
        decrypts stay as they are.
        """

        def work(tx: Transaction) -> KeyRotation:
            count, unreadable = 0, []
            for workshop in workshops.list_all(tx):
                if self._encryption.is_current(workshop):
                    continue
                try:
                    password = self._encryption.decrypt(workshop)
                except PasswordUnreadable:
                    unreadable.append(workshop.name)
                    continue
                self._save(tx, self._encrypt(workshop, password))
                count += 1
            return KeyRotation(count, unreadable)

        return await self._write(work)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        def locked(tx: Transaction) -> T:
            workshops.lock(tx)
            return work(tx)

        return await self._database.write(locked)

    def _prepare(self, new: NewWorkshop) -> Workshop:
        """Checked, with its password encrypted, without a version."""
        now = self._now()
        try:
            check_name(new.name)
        except ValueError as error:
            raise Invalid([Problem(("body", "name"), str(error), "value_error")]) from error
        workshop = Workshop(
            new.name, new.planso_url, new.planso_user, "", now, now, 0, new.table_id, new.profile, new.settings
        )
        return self._encrypt(self._check(workshop), _check_password(new.password))

    def _apply(self, workshop: Workshop, changes: WorkshopChanges) -> Workshop:
        given = {name: value for name, value in changes.items() if name not in ("password", "settings")}
        own = changes.get("settings", {})
        settings = {} if own is None else {**workshop.settings, **own}
        kept = {name: value for name, value in settings.items() if value is not None}
        changed = self._check(replace(workshop, **given, settings=kept))  # type: ignore[arg-type]  # the keys are fields
        if "password" in changes:
            return self._encrypt(changed, _check_password(changes["password"]))
        if changed.planso_url != workshop.planso_url:
            message = "required with another planso_url: the stored password is only sent to the address it was set for"
            raise Invalid([Problem(("body", "password"), message, "missing")])
        return changed

    def _encrypt(self, workshop: Workshop, password: str) -> Workshop:
        text = self._encryption.encrypt(password, name=workshop.name, planso_url=workshop.planso_url)
        return replace(workshop, encrypted_password=text)

    def _find_taken(self, tx: Transaction, name: str) -> str | None:
        """Why no workshop of this name can be added, and what is accepted."""
        if name == self._default:
            return f"'{name}' is the workshop of the environment (CONNECTOR_WORKSHOP); accepted: another name"
        if workshops.get(tx, name) is not None:
            return f"There is a workshop '{name}' already; accepted: another name, or change that one"
        if workshops.may_have_rows(tx, name):
            return (
                f"A workshop '{name}' was removed, and its rows are not all deleted yet: `planso-connector workshops "
                f"remove {name}` deletes them, and so does a running connector, a minute after the removal at the "
                "earliest; accepted: another name, or this one then"
            )
        return None

    def _add(self, tx: Transaction, workshop: Workshop) -> Workshop:
        added = replace(workshop, version=workshops.next_version(tx))
        workshops.add(tx, added)
        return added

    def _save(self, tx: Transaction, workshop: Workshop) -> Workshop:
        saved = replace(workshop, changed_at=self._now(), version=workshops.next_version(tx))
        workshops.save(tx, saved)
        return saved

    def _purge_batch(self, tx: Transaction, name: str) -> int:
        """0 where nothing is left, and where there is a workshop of this name again."""
        removed_at = workshops.lock_removed(tx, name)
        if removed_at is None:
            return 0
        tx.use_workshop(name)
        deleted = purge.delete_batch(tx)
        if not deleted and removed_at < format_instant(self._clock() - NOTICE):
            workshops.mark_purged(tx, name, now=self._now())
        return deleted

    def _now(self) -> Instant:
        return format_instant(self._clock())


def _get(tx: Transaction, name: str) -> Workshop:
    found = workshops.get(tx, name)
    if found is None:
        raise NotFound(f"There is no workshop '{name}' in the registry.")
    return found


def _empty(workshop: Workshop, now: Instant) -> Workshop:
    """What is kept of a removed workshop."""
    return Workshop(workshop.name, "", "", "", workshop.created_at, now, workshop.version, removed_at=now)


def _check_password(password: str) -> str:
    """Raises Invalid."""
    if not password or not password.isprintable():
        message = "accepted: the password of this user in PlanSo, not empty, without control characters"
        raise Invalid([Problem(("body", "password"), message, "value_error")])
    return password
