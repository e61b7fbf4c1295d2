"""What earlier saves of a workshop showed: how many compared clean, and which controls changed along with them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Text, bindparam, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.saving.assessment import PriorSaves
from planso_connector.domain.saving.differences import Difference, Verdict
from planso_connector.domain.saving.style_status import TrialOutcome, list_form_controls
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import save_effects, save_evidence

ACCEPTED, DEPENDENT, EDITED, LOST = "accepted", "dependent", "edited", "lost"
"""`save_effects.effect`: by a person's word, together with the cause, by the last save, by an earlier one."""

_EFFECT_OF = {
    Verdict.DEPENDENT: DEPENDENT,
    Verdict.EDITED: EDITED,
    Verdict.REPEATED: EDITED,
    Verdict.LOST: LOST,
}

_OF_WORKSHOP = save_evidence.c.workshop == bindparam("of_workshop")
_GET = select(save_evidence).where(_OF_WORKSHOP)
_EFFECTS = select(save_effects).where(save_effects.c.workshop == bindparam("of_workshop"))
_NEW = insert(save_evidence).values(
    workshop=bindparam("workshop"), clean_saves=bindparam("clean_saves"), most_pairs=bindparam("pairs"), trial=None
)
_more = _NEW.excluded.most_pairs > save_evidence.c.most_pairs
_NOTE_CLEAN = _NEW.on_conflict_do_update(
    index_elements=["workshop"],
    set_={
        "clean_saves": save_evidence.c.clean_saves + 1,
        "most_pairs": case((_more, _NEW.excluded.most_pairs), else_=save_evidence.c.most_pairs),
    },
)
_TRIAL = insert(save_evidence).values(
    workshop=bindparam("workshop"), clean_saves=0, most_pairs=0, trial=bindparam("trial", type_=Text)
)
_KEEP_TRIAL = _TRIAL.on_conflict_do_update(index_elements=["workshop"], set_={"trial": _TRIAL.excluded.trial})
_GET_TRIAL = select(save_evidence.c.trial).where(_OF_WORKSHOP)
_EFFECT = insert(save_effects).values({c.name: bindparam(c.name) for c in save_effects.c})
_NOTE_EFFECT = _EFFECT.on_conflict_do_update(
    index_elements=["workshop", "column", "cause"],
    set_={
        "effect": _EFFECT.excluded.effect,
        "times": save_effects.c.times + 1,
        "operation": _EFFECT.excluded.operation,
        "seen_at": _EFFECT.excluded.seen_at,
    },
    where=save_effects.c.effect != ACCEPTED,
)
_FORGET = delete(save_effects).where(
    save_effects.c.workshop == bindparam("of_workshop"),
    save_effects.c.effect == bindparam("of_effect"),
    save_effects.c.operation != bindparam("but"),
)
_COUNT = select(func.coalesce(func.max(save_evidence.c.clean_saves), 0).label("clean")).where(_OF_WORKSHOP)


@dataclass(frozen=True, slots=True)
class SaveEvidence:
    """`clean_saves` compared without damage; `most_pairs` is the largest form among them, in name/value pairs."""

    clean_saves: int = 0
    most_pairs: int = 0
    experience: PriorSaves = field(default_factory=PriorSaves)


def load(tx: Transaction) -> SaveEvidence:
    found = tx.fetch_all(_GET)
    effects: defaultdict[str, set[str]] = defaultdict(set)
    dependents: defaultdict[str, set[str]] = defaultdict(set)
    for row in tx.fetch_all(_EFFECTS):
        if row["effect"] == DEPENDENT:
            dependents[row["column"]].add(row["cause"])
        else:
            effects[row["effect"]].add(row["column"])
    experience = PriorSaves(
        dependents=dependents, accepted=effects[ACCEPTED], lost=effects[LOST], edited=effects[EDITED]
    )
    if not found:
        return SaveEvidence(experience=experience)
    (row,) = found
    return SaveEvidence(row["clean_saves"], row["most_pairs"], experience)


def load_trial(tx: Transaction) -> TrialOutcome | None:
    """The last trial on an order of no consequence."""
    found = tx.fetch_all(_GET_TRIAL)
    return TrialOutcome.from_json(json.loads(found[0]["trial"])) if found and found[0]["trial"] else None


def save_trial(tx: Transaction, trial: TrialOutcome | None) -> None:
    """In place of the last one. None: nothing is known of a trial any more."""
    tx.execute(_KEEP_TRIAL, trial=sanitize_text(to_json(trial.as_json())) if trial else None)


def record_form(tx: Transaction, names: Iterable[str]) -> None:
    """A form with controls of these names was read: whether it is still the one that was tried."""
    last = load_trial(tx)
    now = last.compare_controls(list_form_controls(names)) if last is not None else None
    if now != last:
        save_trial(tx, now)


def record_save(
    tx: Transaction,
    *,
    operation: str,
    differences: Sequence[Difference],
    is_clean: bool,
    pairs: int,
    now: str,
) -> None:
    """What a save that was compared showed; `pairs` is how many name/value pairs were sent."""
    if is_clean:
        tx.execute(_NOTE_CLEAN, clean_saves=1, pairs=pairs)
    for one in differences:
        effect = _EFFECT_OF.get(one.verdict)
        if effect is not None:
            cause = one.cause if effect == DEPENDENT else ""
            _note(tx, one.column, cause, effect, operation, now)
    tx.execute(_FORGET, of_effect=EDITED, but=operation)


def has_clean_save(tx: Transaction) -> bool:
    """Whether any save of this workshop was ever compared without damage."""
    return bool(tx.fetch_all(_COUNT)[0]["clean"])


def _note(tx: Transaction, column: str, cause: str, effect: str, operation: str, now: str) -> None:
    tx.execute(
        _NOTE_EFFECT,
        column=column,
        cause=cause,
        effect=effect,
        times=1,
        operation=operation,
        seen_at=now,
    )
