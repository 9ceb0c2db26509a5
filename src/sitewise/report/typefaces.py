"""The report's fonts: files that matplotlib brings, pinned by the lock, unlike the system's."""

from importlib.util import find_spec
from pathlib import Path

FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf")


def font_file(name: str) -> Path:
    """Path of one of `FONTS`, found without the tenths of a second that matplotlib takes to load.

    Raises ValueError for another name.
    """
    if name not in FONTS:
        raise ValueError(f"{name} is not one of the report's fonts: {', '.join(FONTS)}")
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("matplotlib is not installed", name="matplotlib")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / name
