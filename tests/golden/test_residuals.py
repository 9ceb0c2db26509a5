"""Scaled residuals of the CDISC pilot study against "normalized" ones of R (nlme 3.1-162, gls).

gls(AVAL ~ WEEK*TRT01P, correlation = corAR1(form = ~ slot | USUBJID)), rows sorted by patient and
visit, msTol and tolerance 1e-12; residuals(type = "normalized").
"""

import pandas as pd
import pytest

import sitewise

FIRST = [-0.53253078, -0.61199451, 0.72192080, 0.45923313, 0.21668153, 0.21146988, 1.23147076,
         -0.66884366]  # fmt: skip


def test_ar1(cdisc_adbp: pd.DataFrame) -> None:
    rows = cdisc_adbp.sort_values(["USUBJID", "WEEK"])
    visits = list(rows.drop_duplicates("WEEK").sort_values("WEEK")["AVISIT"])
    arms = ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]
    fit = sitewise.lmm(
        "AVAL ~ WEEK*TRT01P + ar1(AVISIT | USUBJID)", rows,
        levels={"AVISIT": visits, "TRT01P": arms},
    )  # fmt: skip
    scaled = fit.residuals(rows, kind="scaled", level="marginal")
    assert rows["USUBJID"].iloc[0] == "01-701-1015"
    # nlme stops about 1e-6 from the optimum.
    assert scaled.iloc[:8].to_list() == pytest.approx(FIRST, abs=2e-6)
    assert (scaled.min(), scaled.max()) == pytest.approx((-3.3364329, 4.2723768), abs=2e-6)
    conditional = fit.residuals(rows, kind="scaled", level="conditional")
    assert conditional.to_numpy() == pytest.approx(scaled.to_numpy(), rel=1e-9)
