"""Known answers: small published tables whose results follow from a closed form.

No expected value here comes from this program.
"""

import hashlib
import math
from collections.abc import Iterator

from sitewise.qualify.result import Check

KIND = "known answer"

# Davies & Goldsmith (eds.), Statistical Methods in Research and Production, 4th ed. 1972, table
# 6.3: yield of dyestuff from 6 batches, 5 samples a batch.
DYESTUFF = {
    "A": (1545, 1440, 1440, 1520, 1580),
    "B": (1540, 1555, 1490, 1560, 1495),
    "C": (1595, 1550, 1605, 1510, 1560),
    "D": (1445, 1440, 1595, 1465, 1545),
    "E": (1595, 1630, 1515, 1635, 1625),
    "F": (1520, 1455, 1450, 1480, 1445),
}
# Cushny & Peebles 1905, as Student 1908 used them: additional hours of sleep of 10 patients.
SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)


def known_answers() -> Iterator[Check]:
    """Fit the small tables and hold the results against what is published."""
    yield from _dyestuff()
    yield from _sleep()
    yield from _formulas()


def fitted_dyestuff() -> tuple[float, ...]:
    """REML variances and log-likelihood of the dyestuff data, all digits (for bit comparisons)."""
    import pandas as pd

    from sitewise.lmm.design import build_design
    from sitewise.lmm.fit import fit_design

    rows = [(batch, value) for batch, values in DYESTUFF.items() for value in values]
    frame = pd.DataFrame(rows, columns=["batch", "yield_"]).astype({"yield_": float})
    fit = fit_design(build_design("yield_ ~ 1 + (1 | batch)", frame, {}), reml=True, alpha=0.05).fit
    return (fit.random[0].variances[0], fit.sigma**2, fit.loglik, fit.fixef[0].estimate)


def _dyestuff() -> Iterator[Check]:
    between, within, loglik, mean = fitted_dyestuff()
    source = "Davies 1972, table 6.3; balanced: (MSB - MSW)/5 with MSB 11271.5, MSW 2451.25"
    yield _close("reml.between", "REML variance between batches", 1764.05, between, 1e-6, source)
    yield _close("reml.within", "REML variance within batches", 2451.25, within, 1e-6, source)
    yield _close("reml.mean", "Mean yield", 1527.5, mean, 1e-9, "Davies 1972, table 6.3")
    published = "Bates et al., lme4: REML criterion 319.6543 (so many digits are published)"
    yield _close("reml.loglik", "REML criterion", 319.6543, -2 * loglik, 2e-7, published)


def _sleep() -> Iterator[Check]:
    import numpy as np
    import pandas as pd

    from sitewise.lmm.design import build_design
    from sitewise.lmm.fit import fit_design

    rows = [(f"P{i}", drug, SLEEP[k][i]) for i in range(10) for k, drug in enumerate("AB")]
    frame = pd.DataFrame(rows, columns=["patient", "drug", "hours"])
    design = build_design("hours ~ drug + (1 | patient)", frame, {"drug": ("A", "B")})
    fit = fit_design(design, reml=True, alpha=0.05, hypotheses={"B - A": np.array([0.0, 1.0])}).fit
    found = fit.hypotheses[0]
    source = "Student 1908; paired t-test by its formula: mean 1.58, SD 1.229995, n 10"
    yield _close("test.estimate", "Difference in hours", 1.58, found.estimate, 1e-9, source)
    yield _close("test.se", "Its SE", 1.229995 / math.sqrt(10), found.se, 1e-6, source)
    yield _close("test.df", "Satterthwaite df (n - 1 exactly)", 9.0, found.df, 1e-5, source)
    yield _close("test.p", "p, two-sided", 0.002833, found.p, 1e-4, source)


def _formulas() -> Iterator[Check]:
    from sitewise.inference.design_effect import allocation_imbalance
    from sitewise.inference.mixture import mixture_p

    source = "Self & Liang 1987: 0.5 chi2(0) + 0.5 chi2(1); chi2(1) table: 2.705543 at 0.10"
    yield _close("lrt.mixture", "p of a variance of 0", 0.05, mixture_p(2.705543, 0), 1e-6, source)
    found = allocation_imbalance([10] * 4 + [0] * 4, [0] * 4 + [10] * 4)
    source = "Donner & Klar 2000: clusters of one size m, arms by cluster: 1 + (m - 1) ICC, S = m"
    yield _close("design.effect", "S, 8 clusters of 10", 10.0, found, 1e-12, source)
    digest = hashlib.sha256(b"abc").hexdigest()
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    text = "FIPS 180-2, appendix B.1"
    yield Check("sha256", KIND, "sha256 of `abc`", expected, digest, digest == expected, text)


def _close(  # noqa: PLR0917 - a row of a table
    name: str, what: str, expected: float, found: float, tolerance: float, source: str
) -> Check:
    """Hold a number against its expectation. tolerance: relative."""
    passed = math.isclose(found, expected, rel_tol=tolerance)
    return Check(
        name, KIND, what, f"{expected:.10g} (relative tolerance {tolerance:g})", f"{found:.10g}",
        passed, source,
    )  # fmt: skip
