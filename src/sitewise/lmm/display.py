"""A fit as text and as HTML."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def summary_text(fit: "LmmFit") -> str:
    """What was fitted, how well, variances, fixed effects, and what a reader must know."""
    parts = [_title(fit), fit.formula, "", *_likelihood(fit), "", "Random effects"]
    parts += [*_aligned(_variances(fit)), ""]
    if fit.sigma is None:
        parts += ["Residual covariance", *_aligned(_residual(fit)), ""]
    parts += ["Fixed effects", *_aligned(_fixed(fit)), "", *_state(fit)]
    return "\n".join(parts)


def summary_html(fit: "LmmFit") -> str:
    """The same as HTML, for a notebook."""
    lines = "<br>".join(escape(line) for line in (fit.formula, *_likelihood(fit)))
    body = [f"<h4>{escape(_title(fit))}</h4><p>{lines}</p>"]
    tables = [("Random effects", _variances(fit))]
    if fit.sigma is None:
        tables.append(("Residual covariance", _residual(fit)))
    tables.append(("Fixed effects", _fixed(fit)))
    for title, (head, rows) in tables:
        cells = "".join(f"<th>{escape(text)}</th>" for text in head)
        lines = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
        )
        body.append(f"<b>{title}</b><table><tr>{cells}</tr>{lines}</table>")
    body.append("<p>" + "<br>".join(escape(line) for line in _state(fit)) + "</p>")
    return "\n".join(body)


def _title(fit: "LmmFit") -> str:
    return f"Linear mixed model fitted by {'REML' if fit.reml else 'maximum likelihood'}"


def _likelihood(fit: "LmmFit") -> list[str]:
    lines = [
        f"log-likelihood {fit.loglik:.6f}   AIC {fit.aic:.4f}   BIC {fit.bic:.4f}"
        f"   ({fit.npar} parameters)",
        f"{fit.nobs} of {fit.basis.n_frame} rows used",
    ]
    if fit.dropped:
        counts = ", ".join(f"{name} in {count}" for name, count in fit.dropped.items())
        lines.append(f"dropped for a missing value: {counts}")
    return lines


def _variances(fit: "LmmFit") -> Table:
    units = {t.group: fit.units(t.label) for t in fit.basis.terms}
    rows = []
    columns = [fit.varcorr[name].tolist() for name in fit.varcorr.columns]
    for group, term, variance, sd, correlated in zip(*columns, strict=True):
        correlations = "  ".join(f"{value:.3f}" for value in correlated)
        count = str(units.get(group, ""))
        mean = group == "Residual" and fit.sigma is None
        own = "(mean over visits)" if mean else term
        rows.append([group, own, _number(variance), _number(sd), correlations, count])
    return ("group", "term", "variance", "sd", "corr", "units"), rows


def _residual(fit: "LmmFit") -> Table:
    R = fit.residual_cov
    sds = np.sqrt(np.diag(R.to_numpy()))
    correlations = R.to_numpy() / sds / sds[:, None]
    rows = [
        [str(name), _number(sds[i]), *(f"{value:.3f}" for value in correlations[i])]
        for i, name in enumerate(R.index)
    ]
    return ("visit", "sd", *(f"r({name})" for name in R.index)), rows


def _fixed(fit: "LmmFit") -> Table:
    rows = []
    for name, estimate, se in zip(fit.fixef.index, fit.fixef, fit.se, strict=True):
        rows.append([name, _number(estimate), _number(se), f"{estimate / se:.3f}"])
    return ("", "estimate", "se", "t"), rows


def _state(fit: "LmmFit") -> list[str]:
    c = fit.certificate
    lines = [
        f"Optimum {'certified' if fit.converged else 'NOT certified'} after {c.steps} Newton steps"
        f" ({len(c.starts)} starts): {c.reason}."
    ]
    if len(c.optima) > 1:
        values = ", ".join(f"{value:.6f}" for value in c.optima)
        lines.append(f"Distinct optima of the deviance: {values}; the lowest is reported.")
    return [*lines, *fit.warnings]


def _number(value: float) -> str:
    return f"{value:.5g}" if abs(value) < 1e5 else f"{value:.8g}"


def _aligned(table: Table) -> list[str]:
    head, rows = table
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    left = {i for i, name in enumerate(head) if name in ("group", "term", "visit", "")}
    return [
        "  ".join(
            cell.ljust(widths[i]) if i in left else cell.rjust(widths[i])
            for i, cell in enumerate(line)
        ).rstrip()
        for line in lines
    ]
