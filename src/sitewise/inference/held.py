"""A covariance matrix with one correlation held at a value."""

from dataclasses import dataclass

import numpy as np

from sitewise.lmm.covariances import Unstructured


@dataclass(frozen=True)
class HeldCorrelation:
    """An unstructured matrix whose first two rows correlate by r.

    phi: log of the first sd, log of the second, then the rest of L by column. Logs, since an sd
    that changed its sign on the way would turn r into -r.
    """

    size: int
    r: float

    @property
    def n_v(self) -> int:
        """As `Unstructured`."""
        return Unstructured(self.size).n_v

    @property
    def n_phi(self) -> int:
        """One fewer."""
        return self.n_v - 1

    def near(self, phi: np.ndarray) -> np.ndarray:
        """Own phi of the matrix with the sds of an Unstructured one."""
        q = self.size
        first, second = abs(phi[0]), np.hypot(phi[1], phi[q])
        least = 1e-4 * max(float(np.abs(phi).max()), 1e-300)
        logs = np.log([max(first, least), max(second, least)])
        return np.concatenate([logs, np.delete(phi, [0, 1, q])])

    def _inner(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """phi of the Unstructured matrix, its slopes (n_v, n_phi), where logs enter (n_v, 2)."""
        q, n = self.size, self.n_v
        logs = np.zeros((n, 2))
        logs[0, 0] = np.exp(phi[0])
        logs[1, 1] = self.r * np.exp(phi[1])
        logs[q, 1] = np.sqrt(max(1 - self.r**2, 0.0)) * np.exp(phi[1])
        others = np.delete(np.eye(n), [0, 1, q], axis=1)
        return logs.sum(axis=1) + others @ phi[2:], np.hstack([logs, others]), logs

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """Lower triangle by column."""
        return Unstructured(self.size).natural(self._inner(phi)[0])

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """By the chain rule."""
        inner, slopes, _ = self._inner(phi)
        found: np.ndarray = Unstructured(self.size).jacobian(inner) @ slopes
        return found

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """By the chain rule: an exponential is its own second derivative."""
        inner, slopes, logs = self._inner(phi)
        whole = Unstructured(self.size)
        bends = slopes.T @ whole.curvature(inner, g) @ slopes
        bends[[0, 1], [0, 1]] += logs.T @ (whole.jacobian(inner).T @ g)
        found: np.ndarray = bends
        return found


def held_at(whole: Unstructured, r: float) -> HeldCorrelation:
    """Of the size of an unstructured matrix."""
    return HeldCorrelation(whole.size, r)
