"""The installation qualified: every check made, the pages written."""

import socket
from pathlib import Path

import sitewise
from sitewise.audit.code import CodeBase
from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import now
from sitewise.qualify import installation as check
from sitewise.qualify.answers import known_answers
from sitewise.qualify.page import write_pages
from sitewise.qualify.requirements import REQUIREMENTS
from sitewise.qualify.result import Qualification
from sitewise.run.context import LOCK, find_project
from sitewise.run.environment_check import locked_versions
from sitewise.run.surroundings import damaged_packages, environment, user


def qualify(folder: Path) -> tuple[Qualification, tuple[Path, Path]]:
    """Make all checks; write qualification.pdf and .json into `folder`.

    Raises RunError where the project's folder is not found.
    """
    project = find_project(folder.resolve() / "here")
    surroundings = environment()
    installed = {n: entry.split(" ")[0] for n, entry in surroundings["packages"].items()}
    installed.pop("sitewise", None)
    checks = (
        check.versions(installed, locked_versions(project / LOCK)),
        check.files(damaged_packages()),
        check.libraries(surroundings["libraries"]),
        check.programs(),
        check.same_bits(),
        check.fonts(),
        check.same_pdf(),
        *known_answers(),
        *check.ledger_finds_changes(),
    )
    found = Qualification(
        time=now(),
        user=user(),
        host=socket.gethostname(),
        version=sitewise.__version__,
        code=CodeBase(Path(sitewise.__file__).parent, project / "workflow" / "scripts").digest(),
        lock=file_sha256(project / LOCK),
        checks=checks,
        requirements=REQUIREMENTS,
    )
    return found, write_pages(found, folder)
