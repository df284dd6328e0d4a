"""Who may ask: Bearer tokens and users with passwords from a file, compared by their digests. Pure but for the reading."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from uns.errors import UserError

LOOPBACK_NAMES = ("localhost",)


class Access:
    """What a file says: a line `bearer TOKEN` or `basic USER:PASSWORD` each; empty lines and `#` are passed over."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises `UserError`, which repeats no secret."""
        self._known: dict[str, list[bytes]] = {"bearer": [], "basic": []}
        for number, line in enumerate(lines, 1):
            scheme, _, secret = line.strip().partition(" ")
            if not scheme or scheme.startswith("#"):
                continue
            if scheme.lower() not in self._known or not secret.strip():
                raise UserError(f"line {number}: `bearer TOKEN` or `basic USER:PASSWORD` is expected")
            if scheme.lower() == "basic" and ":" not in secret:
                raise UserError(f"line {number}: basic takes USER:PASSWORD")
            self._known[scheme.lower()].append(_digest(secret.strip().encode()))

    @property
    def required(self) -> bool:
        """Whether anybody must say who he is."""
        return any(self._known.values())

    def allows(self, authorization: str) -> bool:
        """Whether a header's credentials are known; every known one is compared, in the same time."""
        if not self.required:
            return True
        scheme, _, given = authorization.partition(" ")
        digest = _digest(_secret(scheme.lower(), given.strip()))
        found = False
        for known in self._known.get(scheme.lower(), ()):
            found |= hmac.compare_digest(digest, known)
        return found


def read(file: Path | None) -> Access:
    """Of a file; without one everybody may. Raises `UserError`."""
    if file is None:
        return Access(())
    try:
        access = Access(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error
    except UserError as error:
        raise UserError(f"{file}, {error}") from error
    if not access.required:
        raise UserError(f"{file}: no credentials in it; write `bearer TOKEN` or `basic USER:PASSWORD`, one a line")
    return access


def loopback(host: str) -> bool:
    """Whether an address, or the host of a request's header (with or without a port), is this machine alone."""
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() in LOOPBACK_NAMES


def _secret(scheme: str, given: str) -> bytes:
    if scheme != "basic":
        return given.encode("latin-1", "replace")
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
