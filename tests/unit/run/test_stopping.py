"""Signals that come before there is a page to tell of them."""

import subprocess
import sys

PROGRAM = """
import os, signal
from sitewise.run.stopping import hold_stops, stoppable
signal.signal(signal.SIGINT, signal.default_int_handler)
hold_stops()
os.kill(os.getpid(), signal.{early})
print("held", flush=True)
try:
    with stoppable():
        {inside}
        print("not reached")
except KeyboardInterrupt:
    print("stopped")
os.kill(os.getpid(), signal.SIGTERM)
print("held again")
"""


def run(early: str, inside: str = "pass") -> list[str]:
    program = PROGRAM.format(early=early, inside=inside)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_signal_that_comes_early_stops_later() -> None:
    for early in ("SIGTERM", "SIGINT"):
        assert run(early) == ["held", "stopped", "held again"]


def test_a_signal_that_comes_in_the_work_stops_it() -> None:
    inside = "os.kill(os.getpid(), signal.SIGTERM)"
    assert run("SIGWINCH", inside) == ["held", "stopped", "held again"]


def test_programs_that_are_started_in_the_work_can_be_stopped() -> None:
    inside = (
        "import subprocess; p = subprocess.Popen(['sleep', '600']); p.terminate();"
        "print(p.wait(60), flush=True); raise KeyboardInterrupt"
    )
    assert run("SIGWINCH", inside) == ["held", "-15", "stopped", "held again"]
