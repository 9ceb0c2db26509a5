"""Real servers on loopback, and a wire to them that can be cut, for tests of fetching."""

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Wire:
    """Passes bytes on between a port of its own and a server's.

    cut_after: bytes from the server after which the connection breaks (None: never); stall: it then
    stays open, and nothing comes.
    """

    target: int
    cut_after: int | None = None
    stall: bool = False
    port: int = 0
    _listening: socket.socket = field(default_factory=socket.socket)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> "Wire":
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen()
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._open += [near, far]
            for pair in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while chunk := source.recv(16384):
                passed += len(chunk)
                if from_server and self.cut_after is not None and passed > self.cut_after:
                    if self.stall:
                        return
                    break
                sink.sendall(chunk)
            for each in (source, sink):
                each.shutdown(socket.SHUT_RDWR)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[int]:
    """A web server of the files in `folder`; gives its port."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()


def can_serve_sftp() -> bool:
    """Debian's openssh-server is here, and we may start it."""
    return os.getuid() == 0 and shutil.which("sshd") is not None


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[int]:
    """OpenSSH's server, with keys of its own in `folder` (`host_key`, `id_rsa`); gives its port."""
    for name in ("host_key", "id_rsa"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(folder / name)],
            check=True,
        )
    Path("/run/sshd").mkdir(exist_ok=True)
    port = _free_port()
    settings = folder / "sshd_config"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\n"
        f"AuthorizedKeysFile {folder / 'id_rsa.pub'}\nPidFile none\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    sshd = shutil.which("sshd")
    assert sshd is not None
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", str(settings)], stderr=log)
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[int]:
    """moto's server, which speaks S3 and holds its buckets in memory; gives its port."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()


def put_object(port: int, bucket: str, name: str = "", content: bytes = b"") -> None:
    """Put a file into a bucket of `s3_server`; without a name, make the bucket."""
    url = f"http://127.0.0.1:{port}/{bucket}/{name}"
    # As a form, which is the default, moto would wait for what it has read already.
    signed = "AWS4-HMAC-SHA256 Credential=of/20260101/us-east-1/s3/aws4_request, SignedHeaders=host"
    headers = {"Content-Type": "application/octet-stream",
               "Authorization": f"{signed}, Signature=0"}  # fmt: skip
    request = urllib.request.Request(url, data=content, method="PUT", headers=headers)
    with urllib.request.urlopen(request, timeout=30):
        pass


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
