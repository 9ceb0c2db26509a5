"""A Slurm of one node on loopback, for tests: started without systemd, ended by process id.

    python -m tests.cluster.one_node FOLDER     start one and leave it there, until Ctrl-C

It needs root, cgroups (else a job that is out of memory is told as merely failed) and Debian's
packages, which it installs where they are missing. Not for production: there is no accounting, and
root runs everything.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
# The plugin takes SLURM_CONF out of a job's environment: commands in a job read this file.
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
_MEMORY_CGROUP = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
_FREEZER_CGROUP = Path("/sys/fs/cgroup/freezer")
_PATIENCE = 300.0  # only where something hangs: the machine may be busy

_CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
ConstrainCores=no
"""

_SLURM_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
{tracking}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
MessageTimeout=30
KillWait=2
JobRequeue=0
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=1440 DefaultTime=60 State=UP
"""


class CanNotStartError(Exception):
    """Why there can't be a Slurm here: tests skip with it."""


@dataclass
class OneNode:
    """A running Slurm. cpus: what the node pretends to have."""

    folder: Path
    cpus: int = 4
    _linked: bool = field(default=False, init=False)

    def start(self) -> None:
        """Install what is missing, write the configuration, start the daemons."""
        _may_start()
        install()
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge").chmod(0o700)
        self.folder.chmod(0o755)
        self._configure()
        os.environ["SLURM_CONF"] = str(self.conf)
        SYSTEM_CONF.unlink(missing_ok=True)
        SYSTEM_CONF.symlink_to(self.conf)
        self._linked = True
        self._start_munge()
        self.start_controller()
        _call("slurmd")
        _wait("the node to be idle", lambda: "idle" in _said("sinfo", "-h", "-o", "%t"))

    def stop(self) -> None:
        """Cancel what runs and end the daemons that this object started."""
        with contextlib.suppress(subprocess.SubprocessError):
            if ids := _said("squeue", "-h", "-o", "%A").split():
                _call("scancel", *ids)
                _wait("jobs to end", lambda: not _said("squeue", "-h", "-o", "%A").strip())
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name)
        if self._linked and SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink() == self.conf:
            SYSTEM_CONF.unlink()
        os.environ.pop("SLURM_CONF", None)

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def host(self) -> str:
        return socket.gethostname().partition(".")[0]

    def start_controller(self) -> None:
        _call("slurmctld", "-i")
        _wait("the controller", lambda: " is UP" in _said("scontrol", "ping"))

    def stop_controller(self) -> None:
        self._end("slurmctld")

    def drain(self) -> None:
        """Take no new jobs."""
        _call("scontrol", "update", f"nodename={self.host}", "state=drain", "reason=test")

    def resume(self) -> None:
        """Take jobs again; gives back control when the node does.

        A node that failed comes back by itself as well, perhaps between a look and a command: what
        counts is where it ends.
        """

        def back() -> bool:
            state = _said("sinfo", "-h", "-o", "%T").strip()
            if state in ("idle", "mixed", "allocated", "completing"):
                return True
            with contextlib.suppress(CanNotStartError):
                _call("scontrol", "update", f"nodename={self.host}", "state=resume")
            return False

        _wait("the node to come back", back)

    def fail(self) -> None:
        """Declare the node down under its jobs: they end as NODE_FAIL."""
        _call("scontrol", "update", f"nodename={self.host}", "state=down", "reason=test")

    def queue(self) -> list[tuple[str, str, str, str]]:
        """Jobs that are waiting or running: id, state, name, comment."""
        lines = _said("squeue", "-h", "-o", "%A|%T|%j|%k").splitlines()
        return [tuple(line.split("|", 3)) for line in lines]  # type: ignore[misc]

    def history(self) -> dict[str, str]:
        """`scontrol show job` of all jobs that the controller remembers, by id."""
        blocks = _said("scontrol", "-o", "show", "job").splitlines()
        return {line.split()[0].partition("=")[2]: line for line in blocks if "JobId=" in line}

    def _configure(self) -> None:
        port, node_port = _free_ports(2)
        if has_cgroups():
            (self.folder / "cgroup.conf").write_text(_CGROUP_CONF)
            tracking = "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup"
        else:
            tracking = "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none"
            tracking += "\nJobAcctGatherParams=OverMemoryKill"
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        self.conf.write_text(
            _SLURM_CONF.format(
                folder=self.folder, host=self.host, port=port, node_port=node_port,
                tracking=tracking, cpus=self.cpus, memory=int(memory * 0.9),
            )
        )  # fmt: skip

    def _start_munge(self) -> None:
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        _call(
            "munged", "--force",
            f"--socket={self.folder}/munge.sock", f"--key-file={key}",
            f"--seed-file={self.folder}/munge/seed", f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munge/log",
        )  # fmt: skip

    def _end(self, name: str) -> None:
        file = self.folder / f"{name}.pid"
        if not file.is_file():
            return
        pid = int(file.read_text())
        comm = Path(f"/proc/{pid}/comm")
        if comm.is_file() and comm.read_text().strip() == name:
            os.kill(pid, signal.SIGTERM)
            _wait(f"{name} to end", lambda: not comm.exists())
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def one_node(folder: Path) -> Iterator[OneNode]:
    """A Slurm while the block lasts; raises CanNotStartError where there can't be one."""
    node = OneNode(folder)
    try:
        node.start()
        yield node
    finally:
        node.stop()


def has_cgroups() -> bool:
    """Whether memory is held to by the kernel: else a job over it is told as merely failed."""
    return _MEMORY_CGROUP.exists() and _FREEZER_CGROUP.is_dir()


def install() -> None:
    """Install Debian's packages; raises CanNotStartError where that can't be done."""
    if all(shutil.which(name) for name in ("slurmctld", "slurmd", "sbatch", "munged")):
        return
    if shutil.which("apt-get") is None:
        raise CanNotStartError("Slurm is not installed, and there is no apt-get")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
    last = ""
    # A bare machine has no package lists yet.
    for command in (("install",), ("update",), ("install",)):
        more = ("-y", "--no-install-recommends", *PACKAGES) if command == ("install",) else ()
        done = subprocess.run(
            [*apt, *command, *more], env=quiet, capture_output=True, text=True, check=False
        )
        last = done.stderr.strip() or done.stdout.strip()
        if command == ("install",) and done.returncode == 0:
            return
    raise CanNotStartError(f"Slurm could not be installed: {last[-300:]}")


def _may_start() -> None:
    if os.getuid() != 0:
        raise CanNotStartError("only root can start a Slurm of its own")
    if SYSTEM_CONF.exists() and not SYSTEM_CONF.is_symlink():
        raise CanNotStartError(f"this machine has a Slurm: {SYSTEM_CONF} is left alone")
    if SYSTEM_CONF.exists() and " is UP" in _said("scontrol", "ping"):
        raise CanNotStartError(f"another Slurm for tests is running: {SYSTEM_CONF.readlink()}")
    SYSTEM_CONF.parent.mkdir(parents=True, exist_ok=True)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _call(*command: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CanNotStartError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise CanNotStartError(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")


def _said(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _wait(what: str, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise CanNotStartError(f"waited {_PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores the latter
        signal.signal(each, _interrupt)
    with one_node(Path(sys.argv[1]).resolve()) as running:
        print(f"Slurm is up. export SLURM_CONF={running.conf}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
