"""What each patient adds to a contrast of a mixed model."""

from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVISIT, USUBJID

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.lmmfit import LmmFit

    Floats = NDArray[np.float64]


def row_influence(fit: "LmmFit", X: "Floats", rows: "pd.DataFrame", row: "Floats") -> "Floats":
    """What each row adds to the contrast, shape (n,): k'(X'V^-1 X)^-1 x_j (V^-1 r)_j, r = y - X b.

    fit: of `rows`, all used. X: its design, (n, p); row: weights k, (p,). The sum over the rows is
    0: the estimate less its expectation is the same sum with the true b in r. V^-1 r needs no V:
    it is R^-1 (y - X b - Z u), u the random effects as predicted, R the residual covariance.
    """
    residuals = fit.residuals(rows).to_numpy(dtype=np.float64)
    sigma = fit.sigma
    weighed = _by_patient(fit, rows, residuals) if sigma is None else residuals / sigma**2
    weights = X @ (fit.vcov.to_numpy() @ row)
    return np.asarray(weights * weighed, dtype=np.float64)


def _by_patient(fit: "LmmFit", rows: "pd.DataFrame", residuals: "Floats") -> "Floats":
    """R_i^-1 e_i of each patient, patients of one pattern of visits together."""
    import pandas as pd

    R = fit.residual_cov
    visit = R.index.get_indexer(pd.Index(rows[AVISIT].astype(str)))
    patient = pd.factorize(rows[USUBJID])[0]
    wide = np.full((int(patient.max()) + 1, len(R)), np.nan)
    wide[patient, visit] = residuals
    seen = ~np.isnan(wide)
    for pattern in np.unique(seen, axis=0):
        own = np.flatnonzero((seen == pattern).all(axis=1))
        at = np.ix_(own, np.flatnonzero(pattern))
        wide[at] = np.linalg.solve(R.to_numpy()[np.ix_(pattern, pattern)], wide[at].T).T
    return np.asarray(wide[patient, visit], dtype=np.float64)
