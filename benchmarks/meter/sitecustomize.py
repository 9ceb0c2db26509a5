"""On the path of a run (see benchmarks/scale.py): each Python process says at its end what it cost.

A line of JSON a process in the file $SITEWISE_METER: what it was, seconds of processor, seconds by
the clock, peak memory (MB).
"""

import atexit
import json
import os
import re
import resource
import sys
import time

_BEGAN = time.time()
_SCRIPT = re.compile(r"tmp[a-z0-9_]+\.(\w+)\.py$")


def _work() -> str:
    told = sys.argv[0] if sys.argv else ""
    if found := _SCRIPT.search(told):
        return found.group(1)
    return "engine" if "snakemake" in told else "door" if "sitewise" in told else "other"


def _say() -> None:
    own = resource.getrusage(resource.RUSAGE_SELF)
    line = {
        "work": _work(),
        "cpu": own.ru_utime + own.ru_stime,
        "began": _BEGAN,
        "clock": time.time() - _BEGAN,
        "peak": own.ru_maxrss / 1024,
    }
    with open(os.environ["SITEWISE_METER"], "a", encoding="utf-8") as out:  # noqa: PTH123
        out.write(json.dumps(line) + "\n")


if "SITEWISE_METER" in os.environ:
    atexit.register(_say)
