"""The shape of the house: floors, thin scripts, small modules, light imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

LONGEST_MODULE = 320
LONGEST_SCRIPT = 40
HEAVY = (
    "pandas", "formulaic", "statsmodels", "matplotlib", "mixedlm", "pingouin", "weasyprint",
    "pyarrow", "scipy",
)  # fmt: skip


def modules(root: Path) -> list[Path]:
    return sorted((root / "src" / "sitewise").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_floors(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_in_the_package_knows_the_workflow_engine(root: Path) -> None:
    # import-linter sees static imports; this one sees also those that it can't resolve.
    for path in modules(root):
        assert not [name for name in imports(path) if name.split(".")[0] == "snakemake"], path


def test_no_import_escapes_the_code_digest(root: Path) -> None:
    pattern = re.compile(r"import_module\(|__import__\(|\bexec\(|runpy")
    # It imports ahead what the jobs import by themselves, and is part of none.
    ahead = root / "src" / "sitewise" / "run" / "forks.py"
    scripts = list((root / "workflow" / "scripts").glob("*.py"))
    assert not [path for path in scripts if "sitewise.run" in path.read_text(encoding="utf-8")]
    for path in [*modules(root), *scripts]:
        assert path == ahead or not pattern.search(path.read_text(encoding="utf-8")), path


def test_every_rule_has_its_thin_script(root: Path) -> None:
    rules = set()
    for path in (root / "workflow" / "rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), f"{path.name} opens with what comes in and what goes out"
        assert "# in:" in text, path
        assert "# out:" in text, path
        rules |= set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    scripts = {path.stem: path for path in (root / "workflow" / "scripts").glob("*.py")}
    assert set(scripts) == rules
    for name, path in scripts.items():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LONGEST_SCRIPT, path
        assert "with recorded(snakemake" in text, path
        assert not imports(path) & set(scripts) - {name}, f"{path.name} imports a script"
        assert "sys.path" not in text, path


def test_modules_are_small_and_named_for_what_they_hold(root: Path) -> None:
    for path in modules(root):
        length = len(path.read_text(encoding="utf-8").splitlines())
        assert length <= LONGEST_MODULE, f"{path} has {length} lines"
        assert path.stem not in {"utils", "helpers", "misc", "common", "tools"}, path


def test_rooms_open_with_a_docstring_only(root: Path) -> None:
    # `sitewise.lmm(...)` and the room are one name, so that room makes itself callable.
    for path in modules(root):
        if path.name == "__init__.py" and path.parent.name not in {"sitewise", "lmm"}:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) == 1, f"{path}: import from the module that has the thing"


@pytest.mark.parametrize(
    "module",
    ["sitewise", "sitewise.cli.main", "sitewise.run.door", "sitewise.audit.job",
     "sitewise.plan.load", "sitewise.run.params"],
)  # fmt: skip
def test_light_imports(module: str) -> None:
    code = f"import sys, {module}; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_snakefile_loads_is_light(root: Path) -> None:
    """Each start of the workflow pays for it."""
    code = f"""
import sys
from pathlib import Path
from sitewise.run.context import context_of
from sitewise.run.jobs import outputs_of
from sitewise.run.params import job_params
root = Path({str(root)!r})
context = context_of({{"plan": root / "config" / "three.yaml"}}, root)
outputs_of(context), job_params(context, "report", {{}})
print([n for n in {HEAVY!r} if n in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_speaks_of_places_on_one_machine(root: Path) -> None:
    places = re.compile(r"/work/|/tmp/|/home/|/root/|file://|\b(?:\d{1,3}\.){3}\d{1,3}\b")
    files = [
        *modules(root),
        *(root / "workflow").rglob("*.*"),
        *(root / "config").glob("*"),
        *(root / "docs").rglob("*.md"),
        *root.glob("*.md"),
        *(root / name for name in ("Snakefile", "Makefile", "environment.yml")),
    ]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            assert not places.search(path.read_text(encoding="utf-8")), path
