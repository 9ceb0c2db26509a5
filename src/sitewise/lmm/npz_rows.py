"""Row moments as arrays and plain data, for `sitewise.lmm.npz`."""

from typing import Any

import numpy as np

from sitewise.lmm.arrow import RowMoments
from sitewise.lmm.conditioned import TermBasis
from sitewise.lmm.conditioned_rows import BasedMoments
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.merge_rows import LabelledMoments
from sitewise.lmm.recursion import Arrow, Shape
from sitewise.lmm.row_part import RowPart


def described(part: RowPart) -> dict[str, Any]:
    """Everything but arrays; patients by hash."""
    own = part.without_names()
    based, shape = own.moments.based, own.moments.based.moments.shape
    return {
        "kind": "rows",
        "formula": part.formula.text,
        "q": shape.q, "units": shape.units, "m": shape.m, "n": based.moments.n,
        "unit": based.unit, "names": based.names,
        "bases": [[t.group, t.label, t.names, t.copies, t.level] for t in based.terms],
        "labels": own.moments.labels, "across": own.moments.across,
        "groups": own.moments.groups, "terms": own.terms, "columns": own.columns,
        "present": list(own.present.items()), "declared": list(own.declared.items()),
        "numbers": own.numbers, "nframe": own.nframe, "dropped": list(own.dropped.items()),
        "digest": [str(number) for number in own.digest], "notes": own.notes,
    }  # fmt: skip


def arrays(part: RowPart) -> dict[str, np.ndarray]:
    """Arrays by name."""
    based = part.moments.based
    moments = based.moments
    found = {"SS": moments.SS, "gamma": moments.gamma, "SU": moments.SU, "M": based.M,
             "offset": based.offset, "root": moments.rest.root}  # fmt: skip
    for k, parent in enumerate(moments.shape.parents):
        found[f"parent{k}"] = parent
    for k, row in enumerate(moments.rest.rows):
        found[f"rest{k}"] = row
    for k, term in enumerate(based.terms):
        found[f"basis{k}"] = term.R
    return found


def restored(meta: dict[str, Any], found: dict[str, np.ndarray]) -> RowPart:
    """What `described` and `arrays` took apart."""
    count = len(meta["q"])
    shape = Shape(
        tuple(meta["q"]), tuple(meta["units"]),
        tuple(found[f"parent{k}"] for k in range(count - 1)), meta["m"],
    )  # fmt: skip
    rest = Arrow([found[f"rest{k}"] for k in range(count)], found["root"])
    moments = RowMoments(shape, meta["n"], found["SS"], found["gamma"], found["SU"], rest)
    terms = tuple(
        TermBasis(group, label, tuple(names), found[f"basis{k}"], copies, level)
        for k, (group, label, names, copies, level) in enumerate(meta["bases"])
    )
    based = BasedMoments(
        moments, found["M"], found["offset"], meta["unit"], terms, tuple(meta["names"])
    )
    labelled = LabelledMoments(
        based,
        tuple(map(tuple, meta["groups"])),
        tuple(map(tuple, meta["labels"])),
        tuple(map(tuple, meta["across"])),
    )
    a, b, c = (int(number) for number in meta["digest"])
    return RowPart(
        parse_formula(meta["formula"]), labelled,
        tuple((i, tuple(names)) for i, names in meta["terms"]), tuple(meta["columns"]),
        {name: tuple(own) for name, own in meta["present"]},
        {name: tuple(own) for name, own in meta["declared"]}, tuple(meta["numbers"]),
        meta["nframe"], dict(meta["dropped"]), (a, b, c), tuple(meta["notes"]), hashed=True,
    )  # fmt: skip
