"""The profiled likelihood of a mixed model at any covariance, boundary included.

Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), eqs. 16-42: with y ~ N(X beta,
sigma^2 V), V = I + Z Lam Lam' Z', the profiled deviance needs log|V|, log|X'V^-1X| and the
penalised residual sum of squares. The grouping with the most levels is eliminated level by level,
the others stand in one dense border, so crossed and nested groupings cost alike.

Work is done on conditioned data: X = Q R (log|X'V^-1X| regains 2 log|det R|), y as its least
squares residual, each divided by powers of two, and random-effects columns divided by powers of
two near their root mean square. Theta is dimensionless then; `to_internal` maps it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitewise.lmm.design import Block, Design
from sitewise.lmm.products import Products, Solved, products, solve


@dataclass(frozen=True)
class State:
    """What the likelihood needs at one theta, in conditioned units.

    log_v: log|V|. log_x: log|Q'V^-1Q|. penalised: minimum over b, u of |y - Qb - Z Lam u|^2 +
    |u|^2. information: Q'V^-1Q, shape (p, p). coefficients: b, shape (p,). effects: random effects
    Lam u of each block, shapes (levels, q).
    """

    log_v: float
    log_x: float
    penalised: float
    information: np.ndarray
    coefficients: np.ndarray
    effects: tuple[np.ndarray, ...]


class Profile:
    """The profiled likelihood of one design.

    n, p: rows, fixed effects. Q, R: X = Q R. y: conditioned outcome; the outcome is
    Q offset + unit y. scales: of each block's columns, powers of two.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.n: int = len(design.y)
        self.p: int = design.X.shape[1]
        # Scaling columns first keeps the QR of columns in very different units accurate.
        lengths = power_of_two(np.sqrt(np.mean(design.X**2, axis=0)))
        self.Q, upper = np.linalg.qr(design.X / lengths)
        self.R = upper * lengths
        self.log_det_r = float(2 * np.sum(np.log(np.abs(np.diag(self.R)))))
        self.offset = self.Q.T @ design.y
        rest = design.y - self.Q @ self.offset
        again = self.Q.T @ rest
        self.offset = self.offset + again
        rest = rest - self.Q @ again
        self.unit = float(power_of_two(np.sqrt(np.mean(rest**2))))
        self.y = rest / self.unit
        self.scales = tuple(block_scales(block) for block in design.blocks)
        scaled = [b.values / s for b, s in zip(design.blocks, self.scales, strict=True)]
        self._products: Products = products(scaled, design.blocks, self.Q, self.y)
        self.evaluations = 0

    def state(self, theta: np.ndarray) -> State:
        """Everything at one conditioned theta."""
        self.evaluations += 1
        solved: Solved = solve(self._products, factors(self.design.blocks, theta))
        return State(
            solved.log_v,
            solved.log_x,
            solved.penalised,
            solved.information,
            solved.coefficients,
            solved.effects,
        )

    def conditional_variances(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """Variances of the random effects given y over sigma^2, shapes (levels, q), own units.

        Diagonal of Lam (Lam'Z'Z Lam + I)^-1 Lam', the fixed effects taken as known.
        """
        from sitewise.lmm.products import conditional_diagonals

        found = conditional_diagonals(self._products, factors(self.design.blocks, theta))
        return tuple(d / s**2 for d, s in zip(found, self.scales, strict=True))

    def denominator(self, reml: bool) -> int:
        """n - p for REML, n for ML."""
        return self.n - self.p if reml else self.n

    def deviance(self, state: State, reml: bool) -> float:
        """-2 log-likelihood with sigma and beta profiled out, in the units of the data.

        REML as lme4, nlme and SAS count it: without log|X'X|.
        """
        k = self.denominator(reml)
        sigma2 = state.penalised / k
        value = state.log_v + k * (1 + np.log(2 * np.pi * sigma2)) + 2 * k * np.log(self.unit)
        if reml:
            value += state.log_x + self.log_det_r
        return float(value)

    def to_internal(self, theta: np.ndarray) -> np.ndarray:
        """Conditioned theta from theta in the units of the data."""
        internal: np.ndarray = np.asarray(theta, dtype=np.float64) * self._row_scales()
        return internal

    def to_external(self, theta: np.ndarray) -> np.ndarray:
        """Theta in the units of the data, relative to sigma, as `Fit.theta`."""
        external: np.ndarray = np.asarray(theta, dtype=np.float64) / self._row_scales()
        return external

    def _row_scales(self) -> np.ndarray:
        parts = []
        for scale in self.scales:
            rows, _ = lower_triangle(len(scale))
            parts.append(scale[rows])
        return np.concatenate(parts)


def restricted_deviance(design: Design, reml: bool) -> Callable[[np.ndarray], float]:
    """The profiled deviance (-2 log-likelihood; REML or ML) as a function of theta.

    theta: as `Fit.theta`: for each random term in the order of the formula the lower triangle of
    its relative covariance factor, column by column; any value, 0 included.
    """
    profile = Profile(design)

    def deviance(theta: np.ndarray) -> float:
        return profile.deviance(profile.state(profile.to_internal(theta)), reml)

    return deviance


def lower_triangle(q: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lower triangle of a q x q matrix, column by column (as lme4)."""
    columns, rows = np.triu_indices(q)
    return rows, columns


def factors(blocks: tuple[Block, ...], theta: np.ndarray) -> list[np.ndarray]:
    """Relative covariance factors, lower triangular, one (q, q) a block."""
    found, start = [], 0
    for block in blocks:
        q = block.values.shape[1]
        rows, columns = lower_triangle(q)
        factor = np.zeros((q, q))
        factor[rows, columns] = theta[start : start + len(rows)]
        start += len(rows)
        found.append(factor)
    return found


def flatten(matrices: list[np.ndarray]) -> np.ndarray:
    """The inverse of `factors`."""
    return np.concatenate([m[lower_triangle(len(m))] for m in matrices])


def block_scales(block: Block) -> np.ndarray:
    """Powers of two near the root mean square of each column, shape (q,); 1 for indicators."""
    rms = np.sqrt(np.mean(block.values**2, axis=0))
    indicator = np.all((block.values == 0) | (block.values == 1), axis=0)
    return np.where(indicator | (rms == 0), 1.0, power_of_two(np.where(rms == 0, 1.0, rms)))


def power_of_two(values: np.ndarray) -> np.ndarray:
    """The nearest powers of two: scaling by them is exact."""
    scale: np.ndarray = np.exp2(np.round(np.log2(values)))
    return scale
