"""Validate a crate with roc-validator, without a network.

    python validate_crate.py CRATE CONTEXT

Run with a Python that has roc-validator, which can't live in the project's environment (it needs an
older rich). CONTEXT: RO-Crate's JSON-LD context, as the package rocrate carries it; it stands in
for what the validator would fetch. Prints each issue; ends with 1 where there is any.

The package carries version 1.3 of the context, the profiles are written for 1.1: the same terms,
but those of bioschemas have moved, so they are put back to where 1.1 has them.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

_MOVED = "https://bioschemas.org/terms/"


def main(crate: str, context: str) -> int:
    text = Path(context).read_text(encoding="utf-8").replace(_MOVED, "https://bioschemas.org/")
    answer = SimpleNamespace(
        status_code=200,
        headers={"Content-Type": "application/ld+json"},
        text=text,
        content=text.encode(),
        json=lambda: json.loads(text),
    )
    HttpRequester.get = lambda *_, **__: answer
    settings = ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity=Severity.REQUIRED,
        skip_availability_check=True,
    )
    result = services.validate(settings)
    checked = len(result.executed_checks)
    for issue in result.get_issues(Severity.REQUIRED):
        print(f"{issue.check.identifier}: {issue.message} {issue.violatingEntity or ''}")
    print(f"{checked} checks")
    return 0 if result.passed() and checked > 50 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
