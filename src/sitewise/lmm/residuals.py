"""Residual covariances over the slots of a patient: cs, csh, ar1, ar1h, and sigma^2 I.

phi of cs, csh, ar1 and ar1h is the theta of the R package mmrm.
"""

from dataclasses import dataclass

import numpy as np

from sitewise.errors import ModelError, Problem, plural
from sitewise.lmm.covariances import Structure, Unstructured, sds_and_correlations, triangle


@dataclass(frozen=True)
class ScaledIdentity:
    """sigma^2 I. v: sigma^2. phi: log sigma."""

    size: int = 1
    n_v = 1
    n_phi = 1

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """sigma^2."""
        return np.exp(2.0 * phi)

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """2 sigma^2."""
        return 2.0 * np.exp(2.0 * phi)[:, None]

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """4 sigma^2 g."""
        return np.asarray(4.0 * (np.exp(2.0 * phi) * g)[:, None])

    def matrix(self, v: np.ndarray) -> np.ndarray:
        """sigma^2 I."""
        return float(v[0]) * np.eye(self.size)

    def first(self, v: np.ndarray) -> np.ndarray:
        """I."""
        return np.eye(self.size)[None]

    def second(self, v: np.ndarray) -> None:
        """Linear in v."""

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """From the mean variance."""
        return np.array([0.5 * np.log(np.mean(np.diag(matrix)))])

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """theta is log sigma."""
        return self.jacobian(phi), 4.0 * np.exp(2.0 * phi)[:, None, None]

    def words(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """One."""
        return ("residual variance",)


@dataclass(frozen=True)
class CompoundSymmetry:
    """a I + b J. v: (a, b). phi: log sd, then the logit of the correlation between its bounds."""

    size: int
    n_v = 2
    n_phi = 2

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """(w (1 - rho), w rho), w the variance."""
        w, rho = np.exp(2 * phi[0]), exchangeable(float(phi[1]), self.size)[0]
        return np.array([w * (1 - rho), w * rho])

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """By the chain rule over (w, rho)."""
        w, (rho, slope, _) = np.exp(2 * phi[0]), exchangeable(float(phi[1]), self.size)
        return np.array([[2 * w * (1 - rho), -w * slope], [2 * w * rho, w * slope]])

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """From `mmrm`, which is phi."""
        bends: np.ndarray = np.einsum("j,jab->ab", g, self.mmrm(phi)[1])
        return bends

    def matrix(self, v: np.ndarray) -> np.ndarray:
        """A I + b J."""
        return float(v[0]) * np.eye(self.size) + float(v[1])

    def first(self, v: np.ndarray) -> np.ndarray:
        """I and J."""
        return np.stack([np.eye(self.size), np.ones((self.size, self.size))])

    def second(self, v: np.ndarray) -> None:
        """Linear in v."""

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """From the mean variance and the mean correlation."""
        return _homogeneous(matrix, inverse_exchangeable(_mean_correlation(matrix), self.size))

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """theta is phi."""
        w, (rho, slope, bend) = np.exp(2 * phi[0]), exchangeable(float(phi[1]), self.size)
        b = w * np.array([[4 * rho, 2 * slope], [2 * slope, bend]])
        a = -b
        a[0, 0] += 4 * w
        return self.jacobian(phi), np.stack([a, b])

    def words(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Two."""
        return ("residual variance beside the common covariance", "common residual covariance")


@dataclass(frozen=True)
class Correlated:
    """Standard deviations times a correlation of one parameter: csh, ar1, ar1h.

    v = phi: log sd (one, or one a slot where `heterogeneous`), then x: for "exchangeable" the logit
    of the correlation between -1/(T - 1) and 1, for "ar1" rho = x / sqrt(1 + x^2), correlation
    rho^|t - s|, t and s positions in the order of the slots.
    """

    size: int
    family: str
    heterogeneous: bool

    @property
    def n_v(self) -> int:
        """Log sds and x."""
        return 1 + (self.size if self.heterogeneous else 1)

    n_phi = n_v

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """Phi itself."""
        return np.array(phi, dtype=float)

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """The identity."""
        return np.eye(self.n_v)

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """0."""
        return np.zeros((self.n_v, self.n_v))

    def matrix(self, v: np.ndarray) -> np.ndarray:
        """diag(s) C diag(s)."""
        return np.asarray(self._scale(v) * self._correlation(float(v[-1]))[0])

    def first(self, v: np.ndarray) -> np.ndarray:
        """In log s_t: rows and columns t; in x: diag(s) C' diag(s)."""
        scale, (values, slope, _) = self._scale(v), self._correlation(float(v[-1]))
        return np.concatenate([self._counts() * (scale * values), (scale * slope)[None]])

    def second(self, v: np.ndarray) -> np.ndarray:
        """(n_v, n_v, size, size)."""
        scale, (values, slope, bend) = self._scale(v), self._correlation(float(v[-1]))
        counts, k = self._counts(), self.n_v - 1
        bends = np.empty((self.n_v, self.n_v, self.size, self.size))
        bends[:k, :k] = counts[:, None] * counts[None] * (scale * values)
        bends[:k, k] = bends[k, :k] = counts * (scale * slope)
        bends[k, k] = scale * bend
        return bends

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """From the variances and the mean correlation (ar1: of neighbours)."""
        if self.family == "ar1":
            sds = np.sqrt(np.diag(matrix))
            rho = float(np.mean(np.diag(matrix, 1) / (sds[1:] * sds[:-1])))
            rho = float(np.clip(rho, -0.95, 0.95))
            x = rho / np.sqrt(1 - rho * rho)
        else:
            x = inverse_exchangeable(_mean_correlation(matrix), self.size)
        if not self.heterogeneous:
            return _homogeneous(matrix, x)
        return np.append(0.5 * np.log(np.diag(matrix)), x)

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """theta is phi, and v too."""
        return np.eye(self.n_v), np.zeros((self.n_v, self.n_v, self.n_v))

    def words(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Log sds, then the correlation."""
        where = [f" at {label}" for label in labels] if self.heterogeneous else [""]
        return (*(f"log residual sd{at}" for at in where), "residual correlation")

    def correlation(self, v: np.ndarray) -> float:
        """Of any two slots (exchangeable) or of neighbours (ar1)."""
        if self.family == "ar1":
            return autoregressive(float(v[-1]))[0]
        return exchangeable(float(v[-1]), self.size)[0]

    def _scale(self, v: np.ndarray) -> np.ndarray:
        """The matrix s s'."""
        sds = np.broadcast_to(np.exp(v[:-1]), (self.size,))
        return np.outer(sds, sds)

    def _counts(self) -> np.ndarray:
        """How often log sd k enters entry (a, b): (k, size, size)."""
        if not self.heterogeneous:
            return np.full((1, self.size, self.size), 2.0)
        ones = np.eye(self.size)
        return ones[:, :, None] + ones[:, None, :]

    def _correlation(self, x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The correlation matrix and its first and second derivative in x."""
        if self.family == "ar1":
            rho, slope, bend = autoregressive(x)
            lag = np.abs(np.subtract.outer(np.arange(self.size), np.arange(self.size)))
            values = float(rho) ** lag
            one = lag * float(rho) ** np.maximum(lag - 1, 0)
            two = lag * (lag - 1) * float(rho) ** np.maximum(lag - 2, 0)
            return values, one * slope, two * slope**2 + one * bend
        rho, slope, bend = exchangeable(x, self.size)
        off = 1.0 - np.eye(self.size)
        return np.eye(self.size) + rho * off, slope * off, bend * off


def exchangeable(x: float, size: int) -> tuple[float, float, float]:
    """rho between -a = -1/(size - 1) and 1, x = logit((rho + a) / (1 + a)), and two derivatives."""
    a = 1.0 / (size - 1)
    share = 0.5 * (1.0 + float(np.tanh(0.5 * x)))
    slope = share * (1.0 - share)
    return (1 + a) * share - a, (1 + a) * slope, (1 + a) * slope * (1 - 2 * share)


def inverse_exchangeable(rho: float, size: int) -> float:
    """x of a correlation, kept off its bounds."""
    a = 1.0 / (size - 1)
    share = float(np.clip((rho + a) / (1 + a), 0.02, 0.98))
    return float(np.log(share / (1 - share)))


def autoregressive(x: float) -> tuple[float, float, float]:
    """rho = x / sqrt(1 + x^2) and two derivatives."""
    norm = 1.0 / float(np.sqrt(1.0 + x * x))
    return x * norm, norm**3, -3.0 * x * norm**5


def residual_structure(name: str, size: int, unit: float = 1.0) -> Structure:
    """By its name in a formula; raises ModelError for a name unknown or fewer than two slots.

    unit: scale of the outcome, used by `us` alone.
    """
    if size < 2:
        raise ModelError(
            "The residual covariance has nothing to describe.",
            [Problem(f"{name}(...) over {plural(size, 'slot')}", allowed="two slots or more",
                     fix="see whether the slot's column holds what it should")],
        )  # fmt: skip
    known: dict[str, Structure] = {
        "us": Unstructured(size, (unit,) * size),
        "cs": CompoundSymmetry(size),
        "csh": Correlated(size, "exchangeable", True),
        "ar1": Correlated(size, "ar1", False),
        "ar1h": Correlated(size, "ar1", True),
    }
    if name not in known:
        raise ModelError(
            "The residual covariance is not known.",
            [Problem(f"found {name!r}", allowed=", ".join(known))],
        )
    return known[name]


def _mean_correlation(matrix: np.ndarray) -> float:
    correlations = sds_and_correlations(matrix)[1]
    return float(np.mean(correlations[triangle(len(matrix))][_off_diagonal(len(matrix))]))


def _off_diagonal(size: int) -> np.ndarray:
    rows, columns = triangle(size)
    off: np.ndarray = rows != columns
    return off


def _homogeneous(matrix: np.ndarray, x: float) -> np.ndarray:
    return np.array([0.5 * np.log(np.mean(np.diag(matrix))), x])
