"""Which record is asked about: its id, with or without revision, taken apart. Pure."""

import re
from dataclasses import dataclass

from processors.output.identity import natural_id, parse
from schemas.derived import BY_CLASS
from topology.namespace.classes import DERIVED, MessageClass, class_of
from topology.namespace.path import BadPath, Path
from topology.nearest import hint

EXAMPLE = "acme/dallas/packaging/line-1/filler#oee.hour@20261118T110000.000000Z~iso22400@1"
AUDITED = tuple(name for name in DERIVED if name is not MessageClass.CURRENT)
"""`current` keeps the newest snapshot only: there is nothing to look back on."""


class BadId(ValueError):
    """The text is no id of a derived record; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A derived record, whatever its revision."""

    path: Path
    kind: str
    started_at: int
    definition: str
    revision: int | None = None
    """The one asked about; None: the newest."""

    @property
    def natural(self) -> str:
        return natural_id(str(self.path), self.kind, self.started_at, self.definition)

    @property
    def message_class(self) -> MessageClass:
        return audited(self.kind)


def subject(text: str) -> Subject:
    """Raises `BadId`."""
    place, hash_, rest = text.strip().partition("#")
    fact, tilde, label = rest.rpartition("~")
    kind, at, start = fact.rpartition("@")
    if not (hash_ and tilde and at):
        raise BadId(f"{text!r} is no id of a derived record; they look like {EXAMPLE}, or write PATH CLASS TIME")
    revised = re.fullmatch(r"(.+):(\d+)", label)
    label, revision = (label, None) if revised is None else (revised[1], int(revised[2]))
    if not re.fullmatch(r"[^@\s]+@\d+", label):
        raise BadId(f"{text!r}: {label!r} is no definition; name@version is expected, e.g. iso22400@1")
    try:
        path = Path.parse(place)
    except BadPath as error:
        raise BadId(str(error)) from None
    try:
        _, started_at = parse(f"#{kind}@{start}~{label}")
    except ValueError:
        raise BadId(f"{text!r}: {start!r} is no time of an id; it looks like 20261118T110000.000000Z") from None
    audited(kind)
    return Subject(path, kind, started_at, label, revision)


def audited(kind: str) -> MessageClass:
    """The class of a kind such as `oee.hour` or `pilot-smed`. Raises `BadId`."""
    name = class_of(kind)
    if name not in AUDITED:
        near = hint(kind.partition(".")[0], sorted(map(str, AUDITED)))
        raise BadId(f"{kind!r} is no class of derived records that can be audited; {near}")
    return name


def kind_of(words: str) -> str:
    """The kind in the ids that a class, or a kind written with its class, means: `bottleneck.hour` is
    `kpi.bottleneck.hour` there. Raises `BadId`."""
    name, dot, rest = words.partition(".")
    record = BY_CLASS.get(name)
    kind = (record.id_kind or name) + dot + rest if record is not None else words
    audited(kind)
    return kind


def is_of(own: str, kind: str) -> bool:
    """Whether a record's own kind is the kind asked for, or a finer one of its class: `oee.hour` is of `oee`."""
    return class_of(own) is class_of(kind) and re.match(rf"{re.escape(kind)}(?![^.-])", own) is not None
