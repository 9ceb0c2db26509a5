"""Where the jobs of a run go: this machine, or a cluster. `profiles/<name>/config.yaml` says it."""

import contextlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitewise.errors import Problem, RunError
from sitewise.run.slurm import Tell, Watch, require_slurm
from sitewise.run.submissions import Trouble

LOCAL, SLURM = "local", "slurm"
DEFAULT = "default"
_FILE = "config.yaml"
_FIRST_LOOK = "slurm-init-seconds-before-status-checks"
_LONGEST_LOOK = 30.0


class NoWatch(contextlib.nullcontext[None]):
    """Nobody looks: the engine waits for its children, or its plugin knows."""

    lost: tuple[list[Trouble], ...] = ()
    of_queue: None = None


@dataclass(frozen=True)
class Profile:
    """A folder with the engine's settings.

    executor: `local`, `slurm`, or another plugin's name. look: seconds between two looks at jobs
    that wait on a cluster.
    """

    folder: Path
    executor: str = LOCAL
    look: float = _LONGEST_LOOK

    @property
    def is_local(self) -> bool:
        """Whether jobs are children of the engine."""
        return self.executor == LOCAL

    def require(self) -> None:
        """Raise RunError where there is nobody to give jobs to."""
        if self.executor == SLURM:
            require_slurm()

    def watch(self, run_id: str, tell: Tell) -> "Watch | NoWatch":
        """Who looks at the jobs of a run while they wait."""
        return Watch(run_id, self.look, tell) if self.executor == SLURM else NoWatch()


def read_profile(named: str, project: Path) -> Profile:
    """The profile of this name in the project's profiles/, or the folder of this name.

    Raises RunError where there is none, or its executor is not installed.
    """
    ours = project / "profiles"
    folder = next((f for f in (ours / named, Path(named)) if (f / _FILE).is_file()), None)
    if folder is None:
        have = sorted(path.parent.name for path in ours.glob(f"*/{_FILE}"))
        raise RunError(
            f"There is no profile `{named}`.",
            [
                Problem(
                    f"no {_FILE} in {ours / named} or in the folder {named}",
                    allowed=f"{', '.join(have)}, or a folder with a {_FILE} of your own",
                    fix="copy profiles/slurm, change it, and name the copy: --profile FOLDER",
                )
            ],
        )
    settings = _settings(folder / _FILE)
    executor = str(settings.get("executor", LOCAL))
    if executor not in (LOCAL, "dryrun") and not _installed(executor):
        raise RunError(
            f"The profile `{named}` asks for the executor `{executor}`, which is not installed.",
            [
                Problem(
                    f"there is no package snakemake-executor-plugin-{executor}",
                    where=str(folder / _FILE),
                    fix=f"install it beside sitewise, or mend the line `executor: {executor}`",
                )
            ],
        )
    look = min(_LONGEST_LOOK, float(settings.get(_FIRST_LOOK, _LONGEST_LOOK)))
    return Profile(folder.resolve(), executor, look)


def _settings(file: Path) -> dict[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(
            "The profile can't be read.",
            [Problem(str(error), where=str(file), allowed="a readable YAML file in UTF-8")],
        ) from error
    return settings if isinstance(settings, dict) else {}


def _installed(executor: str) -> bool:
    module = f"snakemake_executor_plugin_{executor.replace('-', '_')}"
    return importlib.util.find_spec(module) is not None
