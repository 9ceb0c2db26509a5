"""sitewise: reproducible analysis of multi-site clinical trials with longitudinal outcomes.

In a notebook: `sitewise.lmm(formula, data)`, `sitewise.moments(formulas, data)`,
`sitewise.lrt(fit0, fit1)`, `sitewise.confint(fit)`. Importing this loads nothing heavy.
"""

from typing import Any

from sitewise import lmm
from sitewise.version import __version__

__all__ = ["__version__", "confint", "lmm", "lrt", "moments"]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for."""
    if name == "moments":
        from sitewise.lmm.moments import moments

        return moments
    if name == "lrt":
        from sitewise.inference.lrt import lrt

        return lrt
    if name == "confint":
        from sitewise.inference.intervals import confint

        return confint
    raise AttributeError(f"module 'sitewise' has no attribute {name!r}")
