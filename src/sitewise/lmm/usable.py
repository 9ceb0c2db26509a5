"""Whether the residual covariance of a fit can be used."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

DEFINITE = 1e-10  # smallest eigenvalue of the residual correlation


def why_unusable(fit: "LmmFit") -> str:
    """Why a fit with a residual covariance can't be used, or "".

    It did not converge, or the covariance is not positive definite. A random-effect variance at 0
    is an estimate and no reason.
    """
    if not fit.converged:
        return "the fit did not converge: " + "; ".join(fit.certificate.problems)
    R = fit.estimates.residual
    if R is None:
        return ""
    sd = np.sqrt(np.diag(R))
    smallest = float(np.linalg.eigvalsh(R / sd / sd[:, None])[0])
    if not smallest > DEFINITE:
        return f"the covariance is not positive definite (smallest eigenvalue {smallest:.2g})"
    return ""
