"""The demo trials as files: twenty hospitals, 500 patients, six visits, and the truth beside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.errors import Problem, RunError
from sitewise.simulate.generator import GENERATORS, UNITS, Design, Generator
from sitewise.simulate.hospitals import HOSPITALS, SIZES, VISITS
from sitewise.simulate.leaving import draw_reasons, told
from sitewise.simulate.rows import Row, file_bytes, hospital_rows
from sitewise.simulate.warts import KINDS, Wart, spoil

if TYPE_CHECKING:
    from sitewise.simulate.draw import Drawn

SEED = 20260601
TRUTH = "truth.json"
TRIALS: dict[Design, str] = {"individual": "demo", "cluster": "demo_cluster"}


def write_demo(folder: Path, design: Design = "individual", seed: int = SEED) -> list[Path]:
    """Write a demo trial into `folder`: one CSV a hospital, and truth.json.

    seed: of numpy's PCG64 generator; the same seed gives the same bytes. Raises RunError where the
    folder holds anything but an earlier demo trial, or can't be written.
    """
    import numpy as np

    from sitewise.simulate.draw import draw_trial

    generator = GENERATORS[design]
    drawn = draw_trial(generator, SIZES, seed)
    # streams of their own: neither reasons nor warts change what the patients were
    warts_rng, reasons_rng = (np.random.Generator(np.random.PCG64([seed, k])) for k in (1, 2))
    reasons = draw_reasons(drawn, reasons_rng)
    files = {
        h.siteid: hospital_rows(drawn, reasons, j, h, generator.arms)
        for j, h in enumerate(HOSPITALS)
    }
    warts = spoil(files, {h.siteid: h for h in HOSPITALS}, warts_rng)
    contents = {h.file: file_bytes(files[h.siteid], h) for h in HOSPITALS}
    truth = _truth(seed, generator, drawn, files, warts)
    truth["leaving"] = told(drawn, reasons, generator.arms)
    text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
    return _write(folder, {**contents, TRUTH: text.encode()})


def _write(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = sorted(path.name for path in folder.iterdir())
        if present and TRUTH not in present:
            raise _no_place(folder, f"it holds other files: {', '.join(present[:3])}")
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise _no_place(folder, error.strerror or str(error)) from error
    return [folder / name for name in contents]


def _no_place(folder: Path, what: str) -> RunError:
    return RunError(
        "The demo trial can't be written.",
        [
            Problem(
                what,
                where=str(folder),
                allowed="a new or empty folder, or one with an earlier demo trial",
                fix="name another folder; real hospital files and simulated ones must never mix",
            )
        ],
    )


def _truth(
    seed: int,
    generator: Generator,
    drawn: "Drawn",
    files: Mapping[str, list[Row]],
    warts: Sequence[Wart],
) -> dict[str, Any]:
    """What a reader of the data can't know: constants, hospital effects, what was spoilt."""
    lines = {id(row): (siteid, i) for siteid in files for i, row in enumerate(files[siteid], 2)}
    constants = asdict(generator)
    return {
        "trial": TRIALS[generator.design],
        "seed": seed,
        "generator": generator.digest(),
        "model": "see sitewise.simulate.generator",
        "units": UNITS,
        "constants": constants,
        "visits": list(VISITS),
        "hospitals": [
            {
                "SITEID": hospital.siteid,
                "file": hospital.file,
                "patients": hospital.patients,
                "unit": hospital.unit,
                "effects": {
                    f"{outcome} {part}": round(float(values[j]), 6)
                    for part, pair in drawn.site_effects.items()
                    for outcome, values in zip(("sbp", "dbp"), pair, strict=True)
                },
            }
            for j, hospital in enumerate(HOSPITALS)
        ],
        "warts": [_wart(wart, lines) for wart in warts],
    }


def _wart(wart: Wart, lines: Mapping[int, tuple[str, int]]) -> dict[str, Any]:
    places = sorted(lines[id(row)] for row in wart.rows)
    names = {hospital.siteid: hospital.file for hospital in HOSPITALS}
    return {
        "kind": wart.kind,
        "what": KINDS[wart.kind],
        "SITEID": wart.siteid,
        "places": [f"{names[siteid]}:{line}" for siteid, line in places],
        "subjects": sorted({row.subject for row in wart.rows}),
        "readings that can't be used": wart.readings,
    }
