"""Passwords: hashed with Argon2id, never kept and never logged."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN, LENGTH_MAX = 10, 200

_hasher = PasswordHasher()
"""The library's defaults, the second recommendation of RFC 9106: 64 MiB, three passes. One check takes tens of ms."""
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$5TrEzdrrXDdgl5lQ3kFZ0lqZ9c6WvIGd9mEvjKHoVVU"


def fault(password: str) -> str | None:
    """What is wrong with a new password; None: nothing."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters"
    return "a password of one character, again and again, is guessed" if len(set(password)) < 4 else None


def hashed(password: str) -> str:
    """What is kept of a password: parameters, salt and hash. Raises `ValueError` for one that `fault` finds wrong."""
    if (wrong := fault(password)) is not None:
        raise ValueError(wrong)
    return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept. None takes as long, so that an answer's time tells no names."""
    try:
        return _hasher.verify(kept or _NOBODYS, password[:LENGTH_MAX]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_hash(kept: str) -> bool:
    return kept.startswith("$argon2id$")
