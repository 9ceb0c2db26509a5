"""Write docs/validation.md: `python -m tests.golden.validation`, beside ../shared.

The largest difference of each reference and quantity, as `test_lmm_golden.py` finds it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.golden import linear_cases
from tests.golden.linear_cases import linear_cases as every_linear_case
from tests.golden.linear_cases import measure_linear
from tests.golden.lmm_cases import (
    CROSSED,
    STRUCTURES,
    TOLERANCES,
    Case,
    Measured,
    cases,
    load,
    measure,
    reference_files,
)
from tests.golden.lmm_exact_cases import REFUSED, exact_cases, measure_exact

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "validation.md"

# Kinds of other rooms: where they are tested, what of them.
ELSEWHERE = {
    "gee": ("tests/golden/test_gee.py", "estimates, robust SEs, correlation, scale, to 1e-7"),
    "rm_anova": ("tests/golden/test_rmanova.py", "strata, type III, Mauchly, epsilons"),
    "icc": ("tests/golden/test_icc.py", "the six forms"),
    "published": ("tests/golden/test_lmm_published.py", "printed tables of SAS, lme4, nlme,"
                  " MixedModels.jl and books, to their last digit; what is not tried stands there"),
}  # fmt: skip
WITHOUT = {
    "respiratory_gee": "not compared: binomial outcomes, the package's GEE are Gaussian",
}
LABELS = {
    "log-likelihood": "logLik",
    "AIC, BIC": "AIC, BIC",
    "fixed effects": "fixed",
    "SEs": "SE",
    "covariance of the fixed effects": "vcov",
    "variances": "var",
    "covariances": "cov",
    "ICCs": "ICC",
    "BLUPs": "BLUP",
    "fitted values": "fitted",
    "chi-square": "chi2",
}
SOURCES = {
    "lmm": ("lme4", "R {R}, lme4 {lme4}"),
    "lrt": ("lme4", "R {R}, lme4 {lme4}"),
    "mmrm": ("mmrm", "R {R}, mmrm {mmrm}"),
}
EXACT = "exact"


def source(name: str) -> str:
    """What made the numbers of a file, with versions."""
    ref = load(name)
    if ref["kind"] in SOURCES:
        return SOURCES[ref["kind"]][1].format(**ref["versions"])
    return EXACT if ref["kind"] == "adversarial" else ""


def model_of(ref: dict[str, Any]) -> str:
    if "models" in ref:
        return f"{len(ref['models'])} models"
    formula: str = ref["r_formula"].replace("|", "\\|")
    own = ", ".join(s for s in STRUCTURES if s in ref)
    return f"`{formula}`" + (f", {own}" if ref["kind"] == "mmrm" else "")


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return line(head) + line("---" for _ in head) + "".join(line(row) for row in rows)


def largest(measured: Iterable[Measured]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in measured:
        found[one.quantity] = max(found.get(one.quantity, 0.0), one.difference)
    return found


def compared() -> Iterator[list[str]]:
    """A row a file that is fitted: name, data, model, source, then a cell a quantity."""
    everything: list[Case] = [*cases(), *exact_cases()]
    for name in dict.fromkeys(case.name for case in everything):
        measured: list[Measured] = []
        for case in everything:
            if case.name == name:
                own = measure_exact(case) if case.kind == "adversarial" else measure(case)
                measured += own
        found, ref = largest(measured), load(name)
        cells = [f"{found[q]:.0e}" if q in found else "" for q in TOLERANCES]
        yield [name, f"{ref['data']}", model_of(ref), source(name), *cells]


def linear_tolerances() -> Iterator[list[str]]:
    for quantity, (tolerance, scale) in linear_cases.TOLERANCES.items():
        yield [quantity, f"{tolerance:.0e}", scale.replace("|", "\\|")]


def compared_linear() -> Iterator[list[str]]:
    """A row a file: name, blocks, then the largest difference a quantity."""
    everything = every_linear_case()
    for name in dict.fromkeys(case.name for case in everything):
        own = [case for case in everything if case.name == name]
        found: dict[str, float] = {}
        for case in own:
            for gap in measure_linear(case):
                found[gap.quantity] = max(found.get(gap.quantity, 0.0), gap.difference)
        cells = [f"{found[q]:.0e}" if q in found else "" for q in linear_cases.TOLERANCES]
        yield [name, ", ".join(case.block for case in own), *cells]


def refused() -> Iterator[list[str]]:
    for name in CROSSED:
        why = "refused by name: crossed groupings are not fitted yet"
        yield [name, load(name)["data"], model_of(load(name)), why]
    for own, said in REFUSED.items():
        ref = load(f"adv_{own}")
        what = f'refused, as the file asks: "{said.replace("|", chr(92) + "|")}"'
        if own != "two_visits":  # stands above: what is identified is compared
            yield [f"adv_{own}", ref["data"], model_of(ref), what]


def elsewhere() -> Iterator[list[str]]:
    for kind, (where, what) in ELSEWHERE.items():
        for name in reference_files(kind):
            said = WITHOUT.get(name, f"{where}: {what}")
            yield [name, load(name).get("data", ""), kind, said]


def rows_of_document(text: str) -> dict[str, list[str]]:
    """Cells of the rows of its tables of files, by file; tables of other things are left out."""
    found: dict[str, list[str]] = {}
    inside = False
    for row in text.splitlines():
        if not row.startswith("|"):
            inside = False
            continue
        cells = [c.strip() for c in row.replace("\\|", "/").strip("|").split("|")]
        if cells[0] == "file":
            inside = True
        elif inside and not set(cells[0]) <= {"-"}:
            assert cells[0] not in found, f"{cells[0]} stands twice"
            found[cells[0]] = cells[1:]
    return found


def document() -> str:
    others = sorted(
        {s for name in reference_files("mmrm") for s, block in load(name).items()
         if isinstance(block, dict) and "reml" in block} - set(STRUCTURES)
    )  # fmt: skip
    tolerances = [
        [LABELS[q], q, f"{t:.0e}", scale.replace("|", "\\|")]
        for q, (t, scale) in TOLERANCES.items()
    ]
    return f"""# Validation

Numbers of the package beside numbers that others computed. This file is written by
`python -m tests.golden.validation`; `tests/golden/test_lmm_golden.py` tests the same cases against
the same tolerances, and that every reference file stands here. The references lie beside the
project in `../shared/references`; their README says how they were made and how good they are.

## Mixed models

Each file is fitted by `sitewise.lmm` from its data frame, by REML and by maximum likelihood (`lmm`,
`lrt`, `adversarial` files; `mmrm` files by both for each of {", ".join(STRUCTURES)}). A cell is
the largest difference found in the file, over all its fits and all values of that kind, on the
scale of this table. Whether a fit is singular and the counts of rows, patients and parameters must
be equal.

{table(["", "quantity", "tolerance", "scale"], tolerances)}
{table(["file", "data", "model", "compared with", *(LABELS[q] for q in TOLERANCES)], compared())}
Notes.

- Fits that the references call singular are compared like the others: their log-likelihood, fixed
  effects, SEs and variances are firm. A correlation with an effect of variance 0 is none and is
  not compared; the covariance, 0, is.
- exact: rational arithmetic, 60 digits. The files give few such values of fixed effects and BLUPs;
  for the rest of them the value is lme4's (1.1-31), where it is right.
- `adv_stiff_1e9`, `adv_huge_variance_ratio` and the slope of `adv_time_in_seconds`: lme4 is off
  there, the exact value is the reference. `adv_stiff_*` are held to the exact value for the doubles
  in the file. At 1e9 two doubles are 1.2e-7 apart, which is allowed of the intercept.
- `adv_one_patient_per_site`: only the sum of two variances is identified. The fit says so; the sum,
  the log-likelihood and the fixed effects are those of the model without the site.
- `adv_two_visits`: its random slope is refused; the unstructured covariance is compared.
- The least-squares null of `lrt` files is no mixed model: refused, its log-likelihood is the
  file's.
- p-values of likelihood-ratio tests of `lrt` files: `tests/golden/test_lrt.py`.

Not compared, and why.

{table(["file", "data", "model", "why"], refused())}
- Structures of `mmrm` files that are not fitted are refused by name: {", ".join(others)}.
- nlme's values (`crosscheck_nlme`, `nlme_gls_*`): they confirm the references themselves, to fewer
  digits.
- Starts, several maxima: `tests/golden/test_lmm_optima.py`. Sites and a residual covariance
  together, which no file has: `tests/golden/test_lmm_dense.py`, against a dense likelihood.

## Degrees of freedom, F tests, marginal means

`fit.tests`, `fit.anova` and `fit.emmeans` beside every Satterthwaite and Kenward-Roger value,
analysis of variance and table of marginal means of the files (`tests/golden/test_lmm_linear.py`).
`lmm` files: Kenward-Roger with expected information, linear form; Satterthwaite observed. `mmrm`
files: Kenward-Roger observed and full, in mmrm's theta. Singular fits are among them.

{table(["quantity", "tolerance", "scale"], linear_tolerances())}
{table(["reference", "compared", *linear_cases.TOLERANCES], compared_linear())}
Not compared, and why.

{table(["what", "why"], ([what, why] for what, why in linear_cases.EXCUSED.items()))}
- Comparisons adjusted for multiplicity, slopes, weights by rows, type I tests, between-within df,
  Ghana's means under Kenward-Roger: R's emmeans, pbkrtest and nlme, whose numbers and commands
  stand in `tests/golden/emmeans` (`tests/golden/test_emmeans_r.py`). Published tables of Dunnett's
  test and of the studentised range: `tests/unit/lmm/test_multiplicity.py`.
- Small simulated trials, unbalanced in every way (three arms, interactions with numbers, sites by
  visit, slopes, a cell without rows, whole sites randomised, a singular fit): coefficients, type I
  and III tests, means, slopes and comparisons by lmerTest, pbkrtest and emmeans
  (`tests/golden/emmeans/trials.R`, `tests/golden/test_trials_r.py`). They need no other files.
- Kenward-Roger of sites with a residual covariance, for which no program answers: n x n matrices
  (`tests/unit/lmm/test_linear.py`).
- Profile intervals of `lmm` files that have `profile_ci95` (lme4's `confint(profile)`: the ML
  profile of the REML fit; SDs, correlations, fixed effects, every parameter of the file by its
  name): 1e-04 relative, the digits that the references claim (`tests/golden/test_lrt.py`).

## Other references

{table(["file", "data", "kind", "where"], elsewhere())}"""


if __name__ == "__main__":
    DOCUMENT.write_text(document())
