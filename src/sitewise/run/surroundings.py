"""Where a run takes place: user, host, commit, packages, interpreter, libraries, processor.

This is for the records alone; nothing of it but the main packages' versions enters results/.
"""

import ctypes
import getpass
import hashlib
import os
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import SHORT, file_sha256, text_sha256

# Name of the function that gives the version, by system library that shapes the PDF.
_LIBRARIES = {
    "pango": ("libpango-1.0", "pango_version_string"),
    "harfbuzz": ("libharfbuzz", "hb_version_string"),
    "zlib": ("libz", "zlibVersion"),
}
_BLAS = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "")


def user() -> str:
    """Who runs this, as the system says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def commit(project: Path) -> dict[str, Any]:
    """The git commit of the project, and whether its tree had changes; empty without git."""
    if shutil.which("git") is None or not (project / ".git").exists():
        return {}

    def git(*arguments: str) -> str | None:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else None

    head, changed = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": head, "clean": None if changed is None else not changed}


def environment() -> dict[str, Any]:
    """What is installed and on what it runs; the same value while nothing of it changes."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": dict(sorted(_packages().items())),
        "libraries": {**_libraries(), **_blas()},
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}",
        "processor": _processor(),
    }


def _packages() -> dict[str, str]:
    """`version sha256-of-RECORD` by installed package; RECORD lists each file's sha256."""
    found = {}
    for folder in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        for info in sorted(Path(folder).glob("*.dist-info")):
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            record = info / "RECORD"
            digest = file_sha256(record) if record.is_file() else "no RECORD"
            found[name.lower().replace("_", "-")] = f"{version} {digest}"
    return found


def damaged_packages() -> list[str]:
    """Installed files that are not what the RECORD of their package says, or are gone."""
    import base64
    import csv

    found = []
    for folder in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        for info in sorted(Path(folder).glob("*.dist-info/RECORD")):
            with info.open(newline="", encoding="utf-8") as handle:
                for row in csv.reader(handle):
                    if len(row) < 2 or not row[1].startswith("sha256="):
                        continue
                    path = Path(folder, row[0])
                    if not path.is_file():
                        found.append(f"{row[0]} is gone")
                        continue
                    digest = hashlib.sha256(path.read_bytes()).digest()
                    text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                    if text != row[1].removeprefix("sha256="):
                        found.append(f"{row[0]} is not as installed")
    return found


def _libraries() -> dict[str, str]:
    found = {}
    for name, (library, function) in _LIBRARIES.items():
        for file in _names(library):
            try:
                found[name] = _said(ctypes.CDLL(file), function)
                break
            except (OSError, AttributeError):
                continue
        else:
            found[name] = "absent"
    return found


def _names(library: str) -> list[str]:
    """File names of a system library on Linux and macOS."""
    other = {"libpango-1.0": "libpango-1.0.0.dylib"}.get(library, f"{library}.0.dylib")
    number = "1" if library == "libz" else "0"
    return [f"{library}.so.{number}", other, f"/opt/homebrew/lib/{other}", f"{library}.dylib"]


def _blas() -> dict[str, str]:
    """Configuration, with the kernel that it chose for this processor, of each OpenBLAS."""
    found = {}
    folder = Path(sysconfig.get_path("platlib"))
    for path in sorted([*folder.glob("*.libs/*blas*"), *folder.glob("*/.dylibs/*blas*")]):
        package = path.parent.name.removesuffix(".libs")
        package = path.parent.parent.name if package == ".dylibs" else package
        for stem in _BLAS:
            for suffix in _SUFFIXES:
                try:
                    loaded = ctypes.CDLL(str(path))
                    text = _said(loaded, f"{stem}_get_config{suffix}")
                    kernel = _said(loaded, f"{stem}_get_corename{suffix}")
                except (OSError, AttributeError):
                    continue
                found[f"blas of {package}"] = f"{' '.join(text.split())}; kernel {kernel}"
    return found


def _said(library: ctypes.CDLL, function: str) -> str:
    called = getattr(library, function)
    called.restype = ctypes.c_char_p
    said: bytes = called()
    return said.decode()


def _processor() -> dict[str, str]:
    """Maker, family and model, and a digest of what the processor can do."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {"model": platform.processor() or platform.machine()}
    first = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    said = {name.strip(): value.strip() for name, _, value in pairs}
    names = ("vendor_id", "cpu family", "model", "model name")
    kept: dict[str, str] = {name: said[name] for name in names if name in said}
    flags = said.get("flags", said.get("Features", ""))
    kept["flags"] = text_sha256(" ".join(sorted(flags.split())))[:SHORT]
    return kept
