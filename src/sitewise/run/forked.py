"""Run a job's command as a fork of the process with all imports, or as it stands.

    python -I -S forked.py NAME PYTHON SCRIPT

NAME: the socket of `sitewise.run.forkserver`. This program is started for each job, in the job's
place: its standard streams, folder and environment become the fork's, its end the fork's end, and
it ends as the fork does. It imports nothing but a few modules of Python.
"""

import json
import os
import signal
import socket
import struct
import sys

_SCRIPT = 2  # words in `python script`


def main(name: str, command: list[str]) -> None:
    """Have the command run there, or become it; ends this process."""
    if len(command) != _SCRIPT or command[0] != sys.executable or command[1].startswith("-"):
        os.execvp(command[0], command)
    connection = _connected(name)
    if connection is None or not _asked(connection, command[1]):
        os.execv(command[0], command)
    answer = b""
    while more := connection.recv(64):
        answer += more
    # No answer: that process was killed, and the job with it.
    _end_as(int(answer) if answer else -signal.SIGKILL)


def _connected(name: str) -> "socket.socket | None":
    """The connection; None where nobody listens, or somebody else does."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"\0{name}")
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    return connection if struct.unpack("3i", told)[1] == os.getuid() else None


def _asked(connection: socket.socket, script: str) -> bool:
    """Ask for the script; False where it was not begun."""
    wanted = {
        "script": script,
        "folder": os.getcwd(),  # noqa: PTH109 - pathlib would be another module to import
        "environment": dict(os.environ),
        "engine": os.getppid(),
    }
    text = json.dumps(wanted).encode()
    try:
        socket.send_fds(connection, [len(text).to_bytes(8, "little")], [0, 1, 2])
        connection.sendall(text)
        return connection.recv(1) == b"+"
    except OSError:
        return False


def _end_as(code: int) -> None:
    """End with an exit code; a negative one: by that signal."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
