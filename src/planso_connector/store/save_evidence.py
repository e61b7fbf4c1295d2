"""What earlier saves of a workshop showed: how many were clean, and which controls changed along with them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Text, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.domain.saving.damage_assessment import PriorSaves
from planso_connector.domain.saving.style_status import TrialOutcome, list_form_controls
from planso_connector.domain.saving.verdicts import Difference, Verdict
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import save_effects, save_evidence

ACCEPTED, DEPENDENT, EDITED, LOST = "accepted", "dependent", "edited", "lost"
"""
`save_effects.effect`, why a control changed: a person accepted it, it depends on the cause, somebody edited it during
the last save, an earlier save lost it.
"""

_EFFECT_OF = {Verdict.DEPENDENT: DEPENDENT, Verdict.EDITED: EDITED, Verdict.REPEATED: EDITED, Verdict.LOST: LOST}

_OF_WORKSHOP = save_evidence.c.workshop == bindparam("of_workshop")
_GET = select(save_evidence).where(_OF_WORKSHOP)
_CLEAN_SAVES = select(save_evidence.c.clean_saves).where(_OF_WORKSHOP)
_EFFECTS = select(save_effects).where(save_effects.c.workshop == bindparam("of_workshop"))
_NEW = insert(save_evidence).values(
    workshop=bindparam("workshop"), clean_saves=1, most_pairs=bindparam("pairs"), trial=None
)
_more = _NEW.excluded.most_pairs > save_evidence.c.most_pairs
_COUNT_CLEAN = _NEW.on_conflict_do_update(
    index_elements=["workshop"],
    set_={
        "clean_saves": save_evidence.c.clean_saves + 1,
        "most_pairs": case((_more, _NEW.excluded.most_pairs), else_=save_evidence.c.most_pairs),
    },
)
_TRIAL = insert(save_evidence).values(
    workshop=bindparam("workshop"), clean_saves=0, most_pairs=0, trial=bindparam("trial", type_=Text)
)
_SAVE_TRIAL = _TRIAL.on_conflict_do_update(index_elements=["workshop"], set_={"trial": _TRIAL.excluded.trial})
_EFFECT = insert(save_effects).values({c.name: bindparam(c.name) for c in save_effects.c})
_NEW_EFFECT = {name: _EFFECT.excluded[name] for name in ("effect", "operation", "seen_at")}
_EFFECT_KEY = ["workshop", "column", "cause"]
_RECORD_EFFECT = _EFFECT.on_conflict_do_update(
    index_elements=_EFFECT_KEY,
    set_={**_NEW_EFFECT, "times": save_effects.c.times + 1},
    where=save_effects.c.effect != ACCEPTED,
)
_ACCEPT = _EFFECT.on_conflict_do_update(index_elements=_EFFECT_KEY, set_=_NEW_EFFECT)
_FORGET_EDITED = delete(save_effects).where(
    save_effects.c.workshop == bindparam("of_workshop"),
    save_effects.c.effect == EDITED,
    save_effects.c.operation != bindparam("except_operation"),
)


@dataclass(frozen=True, slots=True)
class SaveEvidence:
    """`clean_saves` did no damage; `most_pairs` is the size of the largest form among them, in name/value pairs."""

    clean_saves: int = 0
    most_pairs: int = 0
    prior_saves: PriorSaves = field(default_factory=PriorSaves)


def load(tx: Transaction) -> SaveEvidence:
    effects: defaultdict[str, set[str]] = defaultdict(set)
    dependents: defaultdict[str, set[str]] = defaultdict(set)
    for row in tx.fetch_all(_EFFECTS):
        if row["effect"] == DEPENDENT:
            dependents[row["column"]].add(row["cause"])
        else:
            effects[row["effect"]].add(row["column"])
    prior_saves = PriorSaves(
        dependents=dependents, accepted=effects[ACCEPTED], lost=effects[LOST], edited=effects[EDITED]
    )
    for row in tx.fetch_all(_GET):
        return SaveEvidence(row["clean_saves"], row["most_pairs"], prior_saves)
    return SaveEvidence(prior_saves=prior_saves)


def has_clean_save(tx: Transaction) -> bool:
    """Whether any save of this workshop was ever compared and did no damage."""
    return any(row["clean_saves"] for row in tx.fetch_all(_CLEAN_SAVES))


def load_trial(tx: Transaction) -> TrialOutcome | None:
    found = tx.fetch_all(_GET)
    return TrialOutcome.from_json(json.loads(found[0]["trial"])) if found and found[0]["trial"] else None


def save_trial(tx: Transaction, trial: TrialOutcome | None) -> None:
    """Replace the last write trial; None forgets it."""
    tx.execute(_SAVE_TRIAL, trial=sanitize_text(to_json(trial.as_json())) if trial else None)


def compare_form_with_trial(tx: Transaction, names: Iterable[str]) -> None:
    """Compare the control names of a form just read with those of the last write trial, and keep the result there."""
    last = load_trial(tx)
    now = last.compare_controls(list_form_controls(names)) if last is not None else None
    if now != last:
        save_trial(tx, now)


def record_save(
    tx: Transaction, *, operation: str, differences: Sequence[Difference], is_clean: bool, pairs: int, now: Instant
) -> None:
    """Record what a compared save changed unasked; `pairs` is how many name/value pairs were sent."""
    if is_clean:
        tx.execute(_COUNT_CLEAN, pairs=pairs)
    for difference in differences:
        effect = _EFFECT_OF.get(difference.verdict)
        if effect is not None:
            cause = difference.cause if effect == DEPENDENT else ""
            row = {"column": difference.column, "cause": cause, "effect": effect, "operation": operation}
            tx.execute(_RECORD_EFFECT, **row, times=1, seen_at=now)
    tx.execute(_FORGET_EDITED, except_operation=operation)


def accept_columns(tx: Transaction, columns: Iterable[str], *, operation: str, now: Instant) -> None:
    """A person says that these controls change with every save: from now on that is no damage."""
    for column in columns:
        row = {"column": sanitize_text(column), "cause": "", "effect": ACCEPTED, "operation": operation}
        tx.execute(_ACCEPT, **row, times=1, seen_at=now)
