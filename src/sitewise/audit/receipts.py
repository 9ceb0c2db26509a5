"""One receipt an output: what it is, what made it, from what.

`results/<trial>/receipts/<output>.json` is written by the job that made the output. While the job
works, the receipt says `started`: an output beside such a receipt is unfinished, whatever ended
the job.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sitewise.audit.sealed import read_sealed, write_sealed

FOLDER = "receipts"
DRAFTS = ".drafts"  # where jobs write what is not whole yet
STARTED = "started"
DONE = "done"


@dataclass(frozen=True)
class Receipt:
    """What one job says of one output.

    output: path inside results/<trial>, forward slashes.
    state: `started` while the job works, `done` when the output is whole.
    inputs: sha256 by path inside results/<trial>, or by `name:file` for files from elsewhere.
    params: digests by name (`plan.visits`, `code.lmm`, `raw.site_01.csv`, `lock`).
    """

    output: str
    rule: str
    wildcards: Mapping[str, str]
    state: str
    sha256: str = ""
    size: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def receipt_path(results: Path, output: str) -> Path:
    """Where the receipt of `output` (path inside `results`) stands."""
    return results / FOLDER / f"{output}.json"


def write_receipt(results: Path, receipt: Receipt) -> None:
    """Write one receipt; the same receipt gives the same bytes."""
    write_sealed(receipt_path(results, receipt.output), asdict(receipt))


def read_receipt(path: Path) -> Receipt:
    """Read one receipt; raises BrokenSealError when it is not what was written."""
    return Receipt(**read_sealed(path))
