"""Documents and code say the same."""

from pathlib import Path


def test_the_architecture_names_every_rule(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (root / "workflow" / "scripts").glob("*.py"):
        assert f"| {path.stem} |" in text, f"docs/architecture.md: rule {path.stem}"


def test_every_plan_of_the_project_is_valid(root: Path) -> None:
    from sitewise.run.readiness import read_plan

    plans = sorted((root / "config").glob("*.yaml"))
    assert plans
    for path in plans:
        plan, sheet = read_plan(path)
        assert plan.trial == path.stem
        assert sheet.sites
