"""Linear algebra on one thread, so that the bits of a fit don't hang on the machine's cores.

BLAS splits sums by the number of its threads, and a sum split elsewhere is rounded elsewhere.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache
def _pools() -> "ThreadpoolController":
    """The BLAS libraries loaded; looked for once, since that costs a millisecond."""
    import numpy as np
    from threadpoolctl import ThreadpoolController

    np.linalg.norm(np.zeros(1))  # loads numpy's own
    return ThreadpoolController()


def one_thread(work: Callable[P, T]) -> Callable[P, T]:
    """`work` with BLAS on one thread; as before afterwards."""

    @wraps(work)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with _pools().limit(limits=1, user_api="blas"):
            return work(*args, **kwargs)

    return alone
