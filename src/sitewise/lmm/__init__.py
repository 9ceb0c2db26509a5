"""Linear mixed models: formula, moments, likelihood, fit. Knows no trial, no file, no plan.

The room itself is callable: `sitewise.lmm("y ~ x + (1 | g)", frame)`.
"""

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.moments import Moments


class _Room(ModuleType):
    """A package that can be called, since the room and what it does have one name."""

    def __call__(
        self,
        formula: str,
        data: "pd.DataFrame | Moments",
        reml: bool = True,
        levels: Mapping[str, Sequence[str]] | None = None,
        **others: object,
    ) -> "LmmFit":
        """See `sitewise.lmm.api.lmm`."""
        from sitewise.lmm.api import lmm

        return lmm(formula, data, reml, levels, **others)


sys.modules[__name__].__class__ = _Room
