"""A MariaDB server of a test's own, where Debian's is installed: started, killed and started again on its data."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from tests.harness.waiting import until
from uns.runtime.ports import free_port

MISSING = "no MariaDB server is installed here (Debian: mariadb-server)"


def installed() -> bool:
    return shutil.which("mariadbd") is not None


class MariaDb:
    """`more` are options of the server."""

    def __init__(self, folder: Path, more: Sequence[str] = (), tls: Path | None = None) -> None:
        """`tls`: the CA of a server that takes nothing else."""
        self.port, self._folder, self._more = free_port(), folder, more
        self._tls: dict[str, Any] = {"ssl": {"ca": str(tls)}} if tls else {}
        self._process: subprocess.Popen[bytes] | None = None
        made = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run([*made, f"--user={getpass.getuser()}"], check=True, capture_output=True)

    def start(self) -> None:
        options = [
            "--no-defaults",
            f"--datadir={self._folder / 'data'}",
            f"--socket={self._folder / 's'}",
            f"--pid-file={self._folder / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=0",
            f"--user={getpass.getuser()}",
            *self._more,
        ]
        log = os.open(self._folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._process = subprocess.Popen(["mariadbd", *options], stdout=log, stderr=log)
        os.close(log)
        until(self._up)

    def _up(self) -> bool:
        try:
            self.connected().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def connected(self, **more: Any) -> "pymysql.connections.Connection[Any]":
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True, **self._tls, **more)

    def stop(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
