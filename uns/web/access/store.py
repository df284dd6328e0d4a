"""What sign-in keeps on disk: the file of users, read again when it changes; the key of cookies; who signed out."""

import json
import os
import secrets
from functools import cached_property
from pathlib import Path

import structlog

from uns.errors import UserError
from uns.web.access.sessions import Known, Seal
from uns.web.access.users import Users, read

log = structlog.get_logger()

KEY_BYTES = 32


class Store:
    """Made once for the process. Raises `UserError` where the users cannot be read as it begins; later the last good ones
    stay, and the log says why: a slip of the editor's must neither open the page nor close it."""

    def __init__(self, users: Path, folder: Path) -> None:
        """`folder`: where the key of cookies stands, and the list of who signed out; both for this process alone."""
        self._file, self._folder, self._signed_out = users, folder, folder / "page-signed-out.json"
        self._mark = self._stat()
        self._users = read(users)
        self.required = bool(self._users.users)
        """Whether one has to sign in. It stays so until the process ends, even if the file of users goes."""
        self.known = Known(_signed_out(self._signed_out))

    @cached_property
    def seal(self) -> Seal:
        """Made when the first cookie is; where nobody signs in nothing is written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Seal(_key(self._folder / "page-session.key"))

    @property
    def users(self) -> Users:
        """The users as the file has them now."""
        mark = self._stat()
        if mark != self._mark:
            self._mark = mark
            try:
                self._users = read(self._file)
                self.required = self.required or bool(self._users.users)
            except UserError as error:
                log.error("users cannot be read: those of before stay", error=str(error))
        return self._users

    def save(self) -> None:
        """Writes who has signed out."""
        _replace(self._signed_out, json.dumps(self.known.signed_out).encode())

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            told = self._file.stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino


def _key(file: Path) -> bytes:
    """The key of this host's cookies; made where there is none, so that sessions outlive a restart."""
    try:
        key = file.read_bytes()
        if len(key) == KEY_BYTES:
            return key
        log.warning("the key of sessions is damaged: a new one is made, and everybody signs in again", file=str(file))
    except FileNotFoundError:
        pass
    key = secrets.token_bytes(KEY_BYTES)
    _replace(file, key)
    return key


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    os.replace(new, file)


def _signed_out(file: Path) -> dict[str, int]:
    try:
        return {str(of): int(at) for of, at in json.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log.warning("who signed out before cannot be read", file=str(file), error=str(error))
        return {}
