"""The pages are written without loading what draws or computes: each run pays for it."""

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from sitewise.report.typefaces import FONTS, font_file


def test_writing_pages_loads_nothing_that_draws_or_computes() -> None:
    code = "import sys, sitewise.report.build; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"matplotlib", "pandas", "numpy", "scipy", "formulaic", "statsmodels"}


@pytest.mark.parametrize("name", FONTS)
def test_fonts_are_those_that_matplotlib_says_it_has(name: str) -> None:
    assert font_file(name) == Path(mpl.get_data_path(), "fonts", "ttf", name)
    assert font_file(name).is_file()


def test_another_font_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of the report's fonts"):
        font_file("Comic.ttf")
