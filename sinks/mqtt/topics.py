"""Which topic a record has on the broker. Pure.

A place's topics begin with its path. What follows begins with `_`, which no path has, so that a class never meets the name
of a place inside: `acme/dallas/packaging/line-1/filler/_oee/hour`. A name within a topic (a product, a tag) is
percent-encoded, as it is in ids.
"""

from functools import lru_cache
from urllib.parse import quote

from schemas.derived import DERIVED_TYPES
from schemas.envelope import Derived
from topology.namespace.path import BadPath, Path

TOPIC_BYTES_MAX = 65_535
TAGS = "_tags"
STATUS = "_mirror"
CLASSES = tuple(kind.message_class for kind in DERIVED_TYPES)


class BadTopic(ValueError):
    """A text that no topic can be made of."""


def check_prefix(prefix: str) -> None:
    """Raises `BadTopic`."""
    if not prefix:
        return
    if not prefix.endswith("/") or prefix.startswith(("/", "$")) or "//" in prefix:
        raise BadTopic(f"prefix {prefix!r}: levels and a / at the end are expected, e.g. plant/v1/")
    if any(letter in "+#" or not letter.isprintable() for letter in prefix):
        raise BadTopic(f"prefix {prefix!r}: + and # are for filters, and control characters for nobody")
    if any(level.startswith("_") for level in prefix.split("/")):
        raise BadTopic(f"prefix {prefix!r}: a level that begins with _ is one of a record")


def status(prefix: str, client_id: str) -> str:
    """Retained there: whether the mirror is `online` or `offline`."""
    return f"{prefix}{STATUS}/{quote(client_id, safe='')}"


def of_record(prefix: str, record: Derived) -> str:
    """`PREFIX PATH/_CLASS`, and below it what tells several of a class apart, as the record's id has it: `_oee/hour`,
    `_kpi/day/2026-11-23`, `_quality/Diameter`, `_alert/breakdown`. Raises `BadTopic`."""
    topic = f"{prefix}{_place(record.path)}/_{record.message_class}{_series(_kind(record))}"
    if len(topic) > TOPIC_BYTES_MAX // 4 and len(topic.encode()) > TOPIC_BYTES_MAX:
        raise BadTopic(f"the topic of {record.id[:100]!r} is longer than {TOPIC_BYTES_MAX} bytes")
    return topic


def of_tag(prefix: str, path: str, tag: str) -> str:
    """Raises `BadTopic`."""
    return f"{tags(prefix, path)}{_level(tag)}"


def tags(prefix: str, path: str) -> str:
    """What the topics of a place's tags begin with. Raises `BadTopic`."""
    return f"{prefix}{_place(path)}/{TAGS}/"


def filters(prefix: str, path: str) -> list[str]:
    """Filters for all that there may be of a place, and of nothing inside it. Raises `BadTopic`."""
    return [f"{prefix}{_place(path)}/{name}/#" for name in (*(f"_{name}" for name in CLASSES), TAGS)]


def inside(prefix: str, path: str, topic: str) -> bool:
    """Whether a topic is one that `filters` mean."""
    beginning = f"{prefix}{path}/"
    return topic.startswith(beginning) and topic[len(beginning) :].partition("/")[0] in _OURS


_OURS = frozenset({*(f"_{name}" for name in CLASSES), TAGS})


@lru_cache(8192)
def _place(path: str) -> str:
    try:
        return str(Path.parse(path))
    except BadPath as error:
        raise BadTopic(str(error)) from None


def _kind(record: Derived) -> str:
    """What stands in an id between # and the time, without the class."""
    kind = record.id.removeprefix(f"{record.path}#").rpartition("~")[0].rpartition("@")[0]
    return kind.removeprefix(record.id_kind or record.message_class)


@lru_cache(8192)
def _series(rest: str) -> str:
    """`.day.2026-11-23` → `/day/2026-11-23`: at most two levels, for a name may hold a dot of its own."""
    if not rest:
        return ""
    window, dot, name = (rest[1:] if rest[0] in ".-" else rest).partition(".")
    return f"/{_level(window, '%')}" + (f"/{_level(name, '%')}" if dot else "")


@lru_cache(8192)
def _level(name: str, as_it_is: str = "") -> str:
    """One level of a topic; `as_it_is`: what may be encoded already. Raises `BadTopic`."""
    try:
        return quote(name, safe=as_it_is) or "_"
    except UnicodeEncodeError:
        raise BadTopic(f"{name!r} is no text: half of a surrogate pair stands in it") from None
