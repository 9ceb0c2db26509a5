"""The quadratic model of a likelihood about a point, and its lowest point within a ball.

Exact, by eigendecomposition, the hard case included (More & Sorensen 1983, SIAM J. Sci. Stat.
Comput. 4, 553-572).
"""

import numpy as np

NEGATIVE = 1e-7  # negative curvature beyond this share of a direction's own scale is a way down
FLAT = 1e-10  # curvature below this share of a direction's own scale is rounding
NOISE = (1e-12, 1e-14)  # the same two, as shares of the largest eigenvalue: what eigh itself leaves


class Quadratic:
    """The model g's + s'Hs/2 by the eigendecomposition of H."""

    def __init__(self, gradient: np.ndarray, hessian: np.ndarray) -> None:
        self.hessian = hessian
        self.gradient = gradient
        values, self.vectors = np.linalg.eigh(hessian)
        self.slopes = self.vectors.T @ gradient
        self.largest = float(np.abs(values).max())
        # A direction is judged by the diagonal entries it is made of, so that neither a stiff nor a
        # very large problem hides a saddle or a small curvature behind its largest eigenvalue.
        own = np.abs(np.diag(hessian)) @ self.vectors**2
        down = values < -np.maximum(NEGATIVE * own, NOISE[0] * self.largest)
        floor = np.maximum(FLAT * own, NOISE[1] * self.largest) + np.finfo(float).tiny
        self.curves = np.where(down, values, np.maximum(np.abs(values), floor))

    @property
    def decrement(self) -> float:
        """g'|H|^-1 g, twice the fall that a Newton step promises."""
        return float(np.sum(self.slopes**2 / np.abs(self.curves)))

    def is_minimum(self) -> bool:
        """No direction of negative curvature beyond rounding, whatever the scales."""
        return bool((self.curves > 0).all())

    def fall(self, step: np.ndarray) -> float:
        """How far the model falls over `step`."""
        return float(-(self.gradient @ step) - 0.5 * step @ self.hessian @ step)

    def step(self, radius: float) -> np.ndarray:
        """The lowest point of the model within `radius`."""
        if self.is_minimum():
            inside = -self.slopes / self.curves
            if np.linalg.norm(inside) <= radius:
                newton: np.ndarray = self.vectors @ inside
                return newton
        moves = self._on_the_sphere(radius)
        step: np.ndarray = self.vectors @ moves
        return step

    def _on_the_sphere(self, radius: float) -> np.ndarray:
        """Moves -slopes / (curves + mu) of length `radius`, mu by bisection of its logarithm."""
        lowest = float(self.curves.min())
        base = max(0.0, -lowest)
        shifted = self.curves - lowest if lowest < 0 else self.curves

        def moves(extra: float) -> np.ndarray:
            found: np.ndarray = -self.slopes / (shifted + extra)
            return found

        low = 1e-15 * max(self.largest, base)
        if np.linalg.norm(moves(low)) < radius:
            return self._hard_case(moves(low), radius)
        high = float(np.linalg.norm(self.slopes)) / radius + low
        for _ in range(200):
            middle = np.sqrt(low * high)
            if np.linalg.norm(moves(middle)) > radius:
                low = middle
            else:
                high = middle
            if high <= low * (1 + 1e-10):
                break
        return moves(high)

    def _hard_case(self, moves: np.ndarray, radius: float) -> np.ndarray:
        """To the sphere along the lowest eigenvector, which the gradient does not see."""
        rest = np.sqrt(max(radius**2 - float(moves @ moves), 0.0))
        k = int(np.argmin(self.curves))
        lowest = self.vectors[:, k]
        # Either way goes down alike; which one is taken must not hang on LAPACK's choice of sign.
        sign = np.sign(lowest[np.argmax(np.abs(lowest))])
        along = moves.copy()
        along[k] += (-sign if moves[k] * sign < 0 else sign) * rest
        step: np.ndarray = along * (radius / np.linalg.norm(along))
        return step
