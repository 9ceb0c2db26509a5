"""What the report says of lock and deviations, from the ledger."""

from typing import Any

from sitewise.audit.ledger import read_ledger
from sitewise.audit.locks import deviations, lifted, standing
from sitewise.run.context import Context


def standing_of(context: Context) -> dict[str, Any]:
    """Fields of `sitewise.trial.deviations.Deviations`, as plain data (rule deviations).

    Without a ledger, or without a lock in it, nothing is locked and nothing deviates.
    """
    if context.records is None:
        return {"locked": False, "changed": [], "entries": [], "unblinded": None}
    ledger = read_ledger(context.records)
    stand = standing(ledger, context.records, context.digests["plan"], context.raw)
    return {
        "locked": stand.lock is not None,
        "changed": list(stand.changed),
        "entries": deviations(ledger),
        "unblinded": lifted(ledger),
    }
