"""sitewise: reproducible analysis of multi-site clinical trials with longitudinal outcomes.

In a notebook: `sitewise.lmm(formula, data)`, `sitewise.moments(formulas, data)`,
`sitewise.lrt(fit0, fit1)`. Importing this loads nothing heavy.
"""

from typing import Any

from sitewise import lmm

__version__ = "0.1.0"
__all__ = ["lmm", "lrt", "moments"]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for."""
    if name == "moments":
        from sitewise.lmm.moments import moments

        return moments
    if name == "lrt":
        from sitewise.inference.lrt import lrt

        return lrt
    raise AttributeError(f"module 'sitewise' has no attribute {name!r}")
