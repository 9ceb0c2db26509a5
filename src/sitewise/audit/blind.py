"""The blind of a trial, as its ledger tells it: whether runs were blinded, and who lifted that."""

from sitewise.audit.ledger import OPENED, UNLOCKED, Entry, Ledger


def was_blinded(ledger: Ledger) -> bool:
    """Whether some run was carried out blinded."""
    return any(entry.body.get("blinded") for entry in ledger.of(OPENED))


def unlocked(ledger: Ledger) -> Entry | None:
    """The record that lifted the blind: the first, for what was seen can't be unseen."""
    found = ledger.of(UNLOCKED)
    return found[0] if found else None
