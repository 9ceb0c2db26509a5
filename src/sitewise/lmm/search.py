"""The search for the optimum by the package mixedlm: the one place that knows it.

It is given canonical numbers only (no factor, no formula of the user) and gives back theta; the
likelihood at that theta is computed by `sitewise.lmm.profile`, which thereby checks it.
"""

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.profile import Profile, lower_triangle

if TYPE_CHECKING:
    import pandas as pd

ENGINE = "mixedlm"


@dataclass(frozen=True)
class Found:
    """Where one search ended.

    theta: conditioned, in the order of `sitewise.lmm.profile`. deviance: the engine's own, in the
    units of the data. warnings: what the engine said.
    """

    theta: np.ndarray
    deviance: float
    optimizer: str
    iterations: int
    evaluations: int
    converged: bool
    message: str
    warnings: tuple[str, ...]


def engine_version() -> str:
    """Version of the engine, for the record."""
    return version(ENGINE)


class Search:
    """Searches on one design, from any start."""

    def __init__(self, profile: Profile, reml: bool) -> None:
        self.profile = profile
        self.reml = reml
        self._root_n = float(np.exp2(np.round(np.log2(profile.n) / 2)))
        self._frame, self._formula = _canonical(profile, self._root_n)

    def run(self, start: np.ndarray | None = None) -> Found:
        """Search from `start` (conditioned theta), or from the engine's own start."""
        import mixedlm

        order = self._order()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = mixedlm.lmer(
                self._formula,
                self._frame,
                REML=self.reml,
                start=None if start is None else np.asarray(start)[order],
                # Its complaint about the scale of columns would be about our canonical ones.
                control=mixedlm.lmerControl(check_scaleX="ignore"),
            )
        theta = np.empty(len(order))
        theta[order] = np.asarray(model.theta, dtype=np.float64)
        return Found(
            theta=theta,
            deviance=float(model.deviance) + self._rescaled,
            optimizer=str(model.optimizer),
            iterations=int(model.n_iter),
            evaluations=int(model.function_evals),
            converged=bool(model.converged),
            message=" ".join(str(model.message).split()),
            warnings=tuple(dict.fromkeys(" ".join(str(w.message).split()) for w in caught)),
        )

    @property
    def _rescaled(self) -> float:
        """What the canonical columns root_n Q and y/unit add to a deviance in the data's units."""
        k = self.profile.denominator(self.reml)
        back = 2 * k * np.log(self.profile.unit)
        if self.reml:
            back += self.profile.log_det_r - 2 * self.profile.p * np.log(self._root_n)
        return float(back)

    def _order(self) -> np.ndarray:
        """Positions in our theta (triangles by column) of the engine's entries (by row)."""
        parts, offset = [], 0
        for scale in self.profile.scales:
            rows, columns = lower_triangle(len(scale))
            parts.append(offset + np.lexsort((columns, rows)))
            offset += len(rows)
        return np.concatenate(parts)


def _canonical(profile: Profile, root_n: float) -> tuple["pd.DataFrame", str]:
    """A frame of plain numbers and the formula over it, one fixed column a column of Q."""

    import pandas as pd

    columns: dict[str, np.ndarray] = {"y": profile.y}
    fixed = []
    for j in range(profile.p):
        columns[f"x{j}"] = profile.Q[:, j] * root_n
        fixed.append(f"x{j}")
    random = []
    for k, (block, scale) in enumerate(zip(profile.design.blocks, profile.scales, strict=True)):
        names = [f"z{k}c{j}" for j in range(len(scale))]
        for j, name in enumerate(names):
            columns[name] = block.values[:, j] / scale[j]
        columns[f"g{k}"] = np.char.add("l", block.codes.astype(str))
        random.append(f"(0 + {' + '.join(names)} | g{k})")
    frame = pd.DataFrame(columns)
    return frame, f"y ~ 0 + {' + '.join(fixed)} + {' + '.join(random)}"
