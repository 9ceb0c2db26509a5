"""Sentences on the second engine: who it was, what it found apart, why it was not asked."""

from sitewise.classical.result import ReplicatedNumber, Replication
from sitewise.errors import plural
from sitewise.report.formatting import difference, listed

FIRST_ENGINE = "sitewise.lmm"
KINDS = {"loglik": "log-likelihood", "fixef": "estimate", "se": "SE", "variance": "variance"}


def package(engine: str) -> str:
    """The package of the second engine, without its optimiser: `statsmodels`."""
    return engine.split(" ", 1)[0]


def apart(r: Replication) -> str:
    """What two engines disagree in, and which has the higher log-likelihood."""
    beyond = [n for n in r.numbers if n.beyond]
    gap = next((n for n in r.numbers if n.kind == "loglik"), None)
    others = [n for n in beyond if n.kind != "loglik"]
    parts = []
    if gap is not None and (gap.beyond or not others):
        parts.append(f"the log-likelihood ({difference(gap.difference)})")
    if others:
        what = "other number" if parts else "number"
        parts.append(f"{plural(len(others), what)} ({_kinds(others)})")
    higher = r.higher or _other(r)
    text = (
        "their log-likelihoods agree"
        if higher == "neither"
        else f"the log-likelihood of {higher} is the higher one"
    )
    return (
        f"{FIRST_ENGINE} and {package(r.engine)} differ by more than the plan's tolerance in"
        f" {listed(parts)}; {text}"
    )


def _other(r: Replication) -> str:
    """The engine that did not stop short."""
    return package(r.engine) if r.stopped_short == FIRST_ENGINE else FIRST_ENGINE


def _kinds(numbers: list[ReplicatedNumber]) -> str:
    counts = {kind: sum(n.kind == kind for n in numbers) for kind in KINDS}
    return ", ".join(plural(count, KINDS[kind]) for kind, count in counts.items() if count)


def sentence(r: Replication) -> str:
    """What a replication that did not agree, or that there is none, means."""
    head = f"{r.endpoint}, {r.model}"
    if r.status == "disagrees":
        end = ""
        if r.stopped_short:
            end = (
                f"; {r.stopped_short} stopped short of the optimum, so that its numbers are not a"
                " check of the other's"
            )
        return f"{head}: the engines disagree: {apart(r)}{end}."
    if r.status == "failed":
        return f"{head}: the replication failed: {r.reason}."
    return f"{head}: not replicated, because {r.reason}."


def warned(r: Replication, *, singular: bool) -> str:
    """What the second engine warned of, and whether it got there all the same.

    singular: the first engine's fit of the same model.
    """
    text = f"{r.endpoint}, {r.model}: {r.engine or 'the second engine'} warned:"
    text += f" {'; '.join(w.rstrip('.') for w in r.warnings)}."
    if r.status != "agrees":
        return text
    broke = [w for w in r.warnings if "broke down" in w]
    others = [w for w in r.warnings if w not in broke]
    if broke:
        text += " Another of its optimisers converged."
    edge = singular and any("on the boundary" in w for w in others)
    if edge or any("singular" in w.lower() for w in others):
        text += (
            f" The fit of {FIRST_ENGINE} is singular, too: section 5 says what that means."
            if singular
            else f" The fit of {FIRST_ENGINE} is not singular: the warning is of a step of the"
            " search, not of where it ended."
        )
    return f"{text} Its numbers, in the table, agree."
