"""Marks of a first plan: lines that `sitewise init` guessed, or that only a person can write."""

from pathlib import Path

GUESS, WRITE = "# GUESS", "# WRITE"


def unsettled(plan: Path) -> list[int]:
    """Lines of a plan that still carry a mark of `sitewise init`; none where it can't be read."""
    try:
        lines = plan.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [n for n, line in enumerate(lines, 1) if f"{GUESS}:" in line or f"{WRITE}:" in line]
