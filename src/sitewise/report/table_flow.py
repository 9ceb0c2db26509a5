"""The lines of tables/flow.csv: patients by arm and site."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sitewise.report.leaving import absent
from sitewise.report.pictured import allocated

if TYPE_CHECKING:
    from sitewise.report.evidence import Evidence

FLOW = (
    "arm", "site", "measure", "visit", "sites", "patients", "with_baseline", "with_post_baseline",
    "all_visits",
)  # fmt: skip


def flow(e: "Evidence") -> Iterator[dict[str, Any]]:
    """Patients by arm and site: allocated, ever seen, and seen at each visit."""
    for arm, own in allocated(e.account).items():
        told = {"arm": arm, "site": "", "visit": ""}
        yield told | {"measure": "patients allocated", "patients": own.patients, "sites": own.sites}
        for reason, patients in own.reasons:
            yield told | {"measure": f"patients with no reading left: {reason}",
                          "patients": patients}  # fmt: skip
    for row in e.description.flow:
        line = asdict(row)
        by_visit = line.pop("by_visit")
        yield line | {"measure": "patients with any reading", "visit": ""}
        for visit, patients in zip(e.description.visits, by_visit, strict=True):
            yield {
                "arm": row.arm, "site": row.site, "visit": visit, "patients": patients,
                "measure": "patients seen at the visit",
            }  # fmt: skip
    for one in absent(e.description, next(iter(e.plan.endpoints))):
        for reason, numbers in one.reasons:
            for name, patients in zip(one.arms, numbers, strict=True):
                yield {
                    "arm": name, "site": "", "visit": one.visit, "patients": patients,
                    "measure": f"patients not seen at the visit: {reason}",
                }  # fmt: skip
