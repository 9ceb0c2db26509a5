"""What a singular fit has estimated as 0 or as perfect, in sentences.

The pages are written without arrays: nothing here loads them.
"""

import math
from collections.abc import Iterator

from sitewise.lmm.result import Fit, RandomTerm
from sitewise.terms import AVISIT, SITEID, USUBJID, WEEK

CERTAIN = 0.9999  # absolute correlation from which it is called perfect
GROUPS = {
    SITEID: "sites",
    USUBJID: "patients",
    f"{SITEID}:{AVISIT}": "visits within sites",
    f"{AVISIT}:{SITEID}": "visits within sites",
}


def singular_terms(fit: Fit) -> Iterator[str]:
    """One sentence for each variance of 0 and each perfect correlation."""
    for term in fit.random:
        group = GROUPS.get(term.group, term.group)
        for name, variance in zip(term.terms, term.variances, strict=True):
            # Stored as 0, or 0 by the scale-free verdict where a zero would cost likelihood.
            if variance == 0 or _is_smallest(fit, term, variance):
                what = "level" if name == "(Intercept)" else f"effect of {name}"
                yield (
                    f"The variance of the {what} between {group} is estimated as 0: these data show"
                    f" no more difference between {group} than chance alone would bring. That is an"
                    " estimate, not proof that there is none; the term stays in the model."
                )
        yield from _perfect(term, group)
    if fit.singularity.singular and fit.singularity.kind == "correlation":
        wide = [t for t in fit.random if len(t.terms) > 2]
        if wide and not any(True for t in fit.random for _ in _perfect(t, t.group)):
            yield (
                f"The random effects ({fit.singularity.where}) hold a combination without any"
                " variance: the data support fewer of them than the model has."
            )


def _is_smallest(fit: Fit, term: RandomTerm, variance: float) -> bool:
    """A variance that the scale-free verdict calls 0 though it is not stored as 0."""
    return (
        len(term.terms) == 1
        and fit.singularity.kind == "variance 0"
        and math.sqrt(variance) < fit.singularity.threshold * fit.sigma
    )


def _perfect(term: RandomTerm, group: str) -> Iterator[str]:
    for i in range(len(term.terms)):
        for j in range(i):
            value = term.correlations[i][j]
            if not abs(value) > CERTAIN:
                continue
            sign = "+1" if value > 0 else "-1"
            head = (
                f"The random effects {term.terms[j]} and {term.terms[i]} of {group} are estimated"
                f" as perfectly correlated ({sign}), so the fit is singular"
            )
            if (term.terms[j], term.terms[i]) != ("(Intercept)", WEEK):
                yield f"{head}: the data can't tell the two apart."
                continue
            # at -1 the week at which all lines meet need not be among those observed
            course = (
                "grow with time"
                if value > 0
                else "shrink up to the week at which all their lines meet, and grow after it"
            )
            yield (
                f"{head}. This does not show that {group} have trends of their own: the model uses"
                f" the slope only to let the spread between {group} {course}. Where a"
                f" straight line in {WEEK} misses the course of the means, a correlation of {sign}"
                " is changing variance, no more."
            )
