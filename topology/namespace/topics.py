"""Where a record goes: topic, key and partition from a path and a message class."""

from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath, Level, Path

PREFIX = "uns"
INTERNAL_SUFFIX = "-internal"


def topic(path: Path, message_class: MessageClass, prefix: str = PREFIX) -> str:
    """Lines and cells share their area's topic; an area, site or enterprise has its own."""
    home = path.at(min(path.level, Level.AREA))
    return ".".join((prefix + (INTERNAL_SUFFIX if message_class.internal else ""), *home.segments, message_class))


def parse_topic(name: str, prefix: str = PREFIX) -> tuple[Path, MessageClass]:
    """The area (or site, or enterprise) and class of a topic of ours. Raises `BadPath` for any other topic."""
    head, _, last = name.rpartition(".")
    root, _, places = head.partition(".")
    try:
        message_class = MessageClass(last)
    except ValueError:
        raise BadPath(f"topic {name!r}: {last!r} is no message class") from None
    if root != prefix + (INTERNAL_SUFFIX if message_class.internal else ""):
        raise BadPath(f"topic {name!r} is not under the prefix {prefix!r}")
    path = Path.parse(places.replace(".", "/"))
    if path.level > Level.AREA:
        raise BadPath(f"topic {name!r} is deeper than an area")
    return path, message_class


def key(path: Path) -> bytes:
    return str(path).encode()


def partition(path: Path, partitions: int) -> int:
    """The same for every class of an area and for a whole line: murmur2 of the first four levels."""
    line = path.at(min(path.level, Level.LINE))
    return (murmur2(str(line).encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (seed 0x9747b28c), unsigned."""
    length, m, mask = len(data), 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ length) & mask
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)
