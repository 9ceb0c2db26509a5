"""What every process of a run has in common: one thread, one clock, one language."""

import os
import tempfile
from pathlib import Path

_FIXED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "Agg",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}


def variables() -> dict[str, str]:
    """Environment variables under which the same input gives the same bytes."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    # Matplotlib keeps its list of fonts there; its own default may not be writable.
    cache = Path(tempfile.gettempdir()) / f"sitewise-matplotlib-{user}"
    return {**_FIXED, "MPLCONFIGDIR": str(cache)}


def settle() -> None:
    """Set them for this process and its children."""
    os.environ.update(variables())
