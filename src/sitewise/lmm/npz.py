"""Moments in one file: arrays and a JSON text in a zip without times, the same bytes each time."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm import npz_rows
from sitewise.lmm.factored import Term
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.nesting import hidden_names, is_alone, written
from sitewise.lmm.row_part import RowPart
from sitewise.lmm.wide import Patients, Wide, WideEffect, WideLevel

_FORMAT = "sitewise moments 1"
_ARRAYS = ("patterns", "unit", "pattern", "n", "shift", "sums")


def save_parts(parts: Mapping[str, Wide | RowPart], path: Path) -> None:
    """Write moments by formula, without patients' names: their hashes, sorted."""
    meta = {"format": _FORMAT, "parts": [_meta(part) for part in parts.values()]}
    text = json.dumps(meta, ensure_ascii=False, sort_keys=True, allow_nan=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        _write(file, "moments.json", text.encode())
        for i, part in enumerate(parts.values()):
            for name, values in _values(part).items():
                with io.BytesIO() as buffer:
                    np.lib.format.write_array(
                        buffer, np.ascontiguousarray(values), allow_pickle=False
                    )
                    _write(file, f"{i}/{name}.npy", buffer.getvalue())


def load_parts(path: Path) -> dict[str, Wide | RowPart]:
    """Read what `save_parts` wrote. Raises ModelError where the file is something else."""
    try:
        with zipfile.ZipFile(path) as file:
            meta = json.loads(file.read("moments.json"))
            if meta.get("format") != _FORMAT:
                raise _foreign(path, f"its format is {meta.get('format')!r}")
            arrays = [
                {name[len(f"{i}/") : -4]: np.lib.format.read_array(
                    io.BytesIO(file.read(name)), allow_pickle=False)
                 for name in file.namelist() if name.startswith(f"{i}/")}
                for i in range(len(meta["parts"]))
            ]  # fmt: skip
    except (zipfile.BadZipFile, KeyError) as error:
        raise _foreign(path, str(error)) from error
    parts = [_part(own, values) for own, values in zip(meta["parts"], arrays, strict=True)]
    return {part.formula.text: part for part in parts}


def _meta(part: Wide | RowPart) -> dict[str, Any]:
    return npz_rows.described(part) if isinstance(part, RowPart) else _described(part)


def _values(part: Wide | RowPart) -> dict[str, np.ndarray]:
    return npz_rows.arrays(part) if isinstance(part, RowPart) else _arrays(part)


def _part(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Wide | RowPart:
    rows = meta.get("kind") == "rows"
    return npz_rows.restored(meta, arrays) if rows else _restored(meta, arrays)


def _foreign(path: Path, why: str) -> ModelError:
    return ModelError(
        "The file holds no moments.",
        [Problem(why, where=path.name, allowed=f"a file of Moments.save ({_FORMAT})")],
    )


def _write(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # otherwise the system that writes it
    entry.external_attr = 0o644 << 16
    file.writestr(entry, content)


def _arrays(part: Wide) -> dict[str, np.ndarray]:
    found = {name: getattr(part, name) for name in _ARRAYS}
    upper = np.triu_indices(len(part.basis))
    found["products"] = part.products[:, upper[0], upper[1]]
    hashes = part.patients.hashes
    found["patients"] = hashes if is_alone(part) else np.sort(hashes)
    for k, level in enumerate(part.levels):
        found[f"parent{k}"] = level.parent
    return found


def _described(part: Wide) -> dict[str, Any]:
    specs = part.formula.random
    return {
        "formula": part.formula.text,
        "patient": part.patient,
        "patient_effects": [specs.index(e.spec) for e in part.patient_effects],
        "levels": [
            {"group": level.group,
             "names": list((level.names if k else hidden_names(part)).items()),
             "effects": [[specs.index(e.spec), e.across, e.across_levels] for e in level.effects]}
            for k, level in enumerate(part.levels)
        ],
        "roles": list(part.roles.items()),
        "slots": part.slots,
        "slot_variables": part.slot_variables,
        "slot_values": list(part.slot_values.items()),
        "features": part.features,
        "nobs": part.nobs,
        "digest": [str(number) for number in part.digest],
        "nframe": part.nframe,
        "dropped": list(part.dropped.items()),
        "declared": list(part.declared.items()),
        "factors": list(part.factors.items()),
        "numbers": part.numbers,
        "notes": part.notes,
    }  # fmt: skip


def _restored(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Wide:
    formula = parse_formula(meta["formula"])
    F = len(meta["features"])
    products = np.empty((len(arrays["n"]), F, F))
    rows, columns = np.triu_indices(F)
    products[:, rows, columns] = arrays["products"]
    products[:, columns, rows] = arrays["products"]
    a, b, c = (int(number) for number in meta["digest"])
    part = Wide(
        formula=formula,
        patient=tuple(meta["patient"]),
        roles=dict(meta["roles"]),
        slots=tuple(meta["slots"]),
        slot_variables=tuple(meta["slot_variables"]),
        slot_values=_tuples(meta["slot_values"]),
        basis=(), fixed=(), levels=(), patient_effects=(),
        products=products,
        nobs=meta["nobs"],
        patients=Patients(hashes=arrays["patients"]),
        digest=(a, b, c),
        nframe=meta["nframe"],
        dropped=dict(meta["dropped"]),
        declared=_tuples(meta["declared"]),
        factors=_tuples(meta["factors"]),
        numbers=tuple(meta["numbers"]),
        notes=tuple(meta["notes"]),
        **{name: arrays[name] for name in _ARRAYS},
    )  # fmt: skip
    terms = [
        [Term(formula.random[i], (), tuple(across), tuple(map(tuple, levels)))
         for i, across, levels in level["effects"]]
        for level in meta["levels"]
    ]  # fmt: skip
    own = [Term(formula.random[i], ()) for i in meta["patient_effects"]]
    factored = written(part, terms, own)
    if [feature.name for feature in factored.basis] != meta["features"]:
        raise ModelError(
            "The file holds moments of another version.",
            [Problem("its columns are built otherwise", where=formula.text,
                     fix="make the moments again")],
        )  # fmt: skip
    levels = tuple(
        _level(level, arrays[f"parent{k}"], effects)
        for k, (level, effects) in enumerate(zip(meta["levels"], factored.effects, strict=True))
    )
    return replace(
        part, basis=factored.basis, fixed=factored.fixed, levels=levels,
        patient_effects=factored.patient_effects,
    )  # fmt: skip


def _level(meta: dict[str, Any], parent: np.ndarray, effects: tuple[WideEffect, ...]) -> WideLevel:
    names = {tuple(group): tuple(labels) for group, labels in meta["names"]}
    group = tuple(meta["group"])
    return WideLevel(group, names[group], parent, effects, names)


def _tuples(pairs: list[Any]) -> dict[str, Any]:
    return {name: tuple(values) for name, values in pairs}
