"""Identities of derived records: deterministic, so that a replay gives the same ids and revisions replace each other."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(at: int) -> str:
    """Microseconds UTC as `20261123T060000.000000Z`: sorts as text, holds none of the separators of an id."""
    second, micro = divmod(at, 1_000_000)
    return f"{_second(second)}.{micro:06d}Z"


@lru_cache(maxsize=256)  # the cells of a partition speak of the same seconds
def _second(at_s: int) -> str:
    return (_EPOCH + timedelta(seconds=at_s)).strftime("%Y%m%dT%H%M%S")


def natural_id(path: str, kind: str, started_at: int, definition: str) -> str:
    """`path#kind@start~definition`: names a fact across its revisions."""
    return f"{path}#{kind}@{instant(started_at)}~{definition}"


def revised(natural: str, revision: int) -> str:
    return f"{natural}:{revision}"


def of_natural(natural: str) -> str:
    """The path that a natural id of ours begins with."""
    return natural.partition("#")[0]


def parse(natural: str) -> tuple[str, int]:
    """(kind, started_at) of a natural id of ours. Raises ValueError for any other text."""
    _, _, rest = natural.partition("#")
    kind, _, start = rest.rpartition("~")[0].rpartition("@")
    moment = datetime.strptime(start, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return kind, (moment - _EPOCH) // timedelta(microseconds=1)
