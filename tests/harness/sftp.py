"""SSH keys, and the OpenSSH server where it is installed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from tests.harness.waiting import until
from uns.runtime.ports import free_port

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
NO_SSHD = SSHD is None or (os.geteuid() == 0 and not Path("/run/sshd").is_dir())


class Keys:
    """The server's key and ours."""

    def __init__(self, folder: Path) -> None:
        self.host, self.user = folder / "host", folder / "user"
        for file in (self.host, self.user):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(str(file))
            key.write_public_key(f"{file}.pub")
            file.chmod(0o600)
        self._known = folder / "known_hosts"

    def known_hosts(self, port: int) -> Path:
        self._known.write_text(f"[127.0.0.1]:{port} " + Path(f"{self.host}.pub").read_text())
        return self._known


@contextmanager
def sshd(folder: Path, keys: Keys) -> Iterator[int]:
    """The port of an OpenSSH server."""
    port = free_port()
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": keys.host,
        "AuthorizedKeysFile": f"{keys.user}.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    server = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    until(lambda: _answers(port))
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False
