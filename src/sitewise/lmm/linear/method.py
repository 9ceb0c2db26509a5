"""Which degrees of freedom: the names that a caller may give, and what goes with each."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from sitewise.errors import ModelError, Problem

DF_METHODS = ("kenward-roger", "satterthwaite", "between-within", "asymptotic")
INFORMATION = ("expected", "observed")
FORMS = ("linear", "full")
# What the programs do that the methods are known by: pbkrtest and lmerTest.
USUAL = {"kenward-roger": "expected", "satterthwaite": "observed"}
BY_ML = (
    "the fit is by maximum likelihood, and Kenward-Roger is for REML; variances by ML are too small"
    " in small samples, and so are these SEs: reml=True for tests of fixed effects"
)
NAMES = {
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite",
    "between-within": "between-within",
    "asymptotic": "asymptotic",
}


@dataclass(frozen=True)
class Method:
    """A method of degrees of freedom.

    information: of the covariance parameters, "" where none is used. form: of Kenward-Roger, ""
    elsewhere; "full" has the second derivatives of V in the theta of the R package mmrm. note: why
    it is not the one that a reader expects, else "".
    """

    df: str
    information: str = ""
    form: str = ""
    note: str = ""

    def __str__(self) -> str:
        """`Kenward-Roger (expected information, linear form)`."""
        said = [f"{self.information} information"] if self.information else []
        said += [f"{self.form} form"] if self.form else []
        return NAMES[self.df] + (f" ({', '.join(said)})" if said else "")

    @property
    def attrs(self) -> dict[Hashable, Any]:
        """As frames carry it."""
        found: dict[Hashable, Any] = {
            "df": self.df, "information": self.information, "form": self.form,
        }  # fmt: skip
        return found | ({"note": self.note} if self.note else {})


def method_of(df: str | None, information: str | None, form: str, reml: bool) -> Method:
    """The method of these words; raises ModelError, with every problem, where they don't fit.

    df: None for Kenward-Roger of a REML fit, Satterthwaite, with a note, of one by maximum
    likelihood. information: None for the usual one, expected for Kenward-Roger (pbkrtest), observed
    for Satterthwaite (lmerTest).
    """
    problems, note = [], ""
    if df is None:
        df, note = ("kenward-roger", "") if reml else ("satterthwaite", BY_ML)
    if df not in DF_METHODS:
        problems.append(
            Problem(f"unknown df method {df!r}", where="df", allowed=", ".join(DF_METHODS))
        )
    if information is not None and information not in INFORMATION:
        problems.append(
            Problem(f"unknown information {information!r}", where="information",
                    allowed=", ".join(INFORMATION))
        )  # fmt: skip
    elif information is not None and df in DF_METHODS and df not in USUAL:
        problems.append(
            Problem(f"{df} uses no information on the variances, and {information!r} was asked",
                    where="information", allowed="with " + " or ".join(USUAL),
                    fix="leave `information` out")
        )  # fmt: skip
    if form not in FORMS:
        problems.append(Problem(f"unknown form {form!r}", where="form", allowed=", ".join(FORMS)))
    elif form == "full" and df in DF_METHODS and df != "kenward-roger":
        problems.append(
            Problem(f"{df} has no full form", where="form", allowed="with kenward-roger",
                    fix="leave `form` out")
        )  # fmt: skip
    if df == "kenward-roger" and not reml:
        problems.append(
            Problem("Kenward-Roger corrects the covariance of a REML fit; this one is by maximum"
                    " likelihood", where="df", allowed="a fit by REML",
                    fix="fit with reml=True, or ask for df='satterthwaite'")
        )  # fmt: skip
    if problems:
        raise ModelError("The tests can't be made as asked.", problems)
    form = form if df == "kenward-roger" else ""
    return Method(df, information or USUAL.get(df, ""), form, note)
