"""What TIA Portal exports: tag tables, and sources of data blocks, whose offsets follow from their declarations. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from connectors.base import Found, LeftOut
from connectors.kit.polling.config import PARTS_MAX
from connectors.s7.address import SIZES, Place, Type, place

TYPES: dict[str, Type] = {name.upper().replace("_", ""): name for name in get_args(Type)}
"""By TIA's name, without underscores and in capitals: `Date_And_Time`, `DT`, `Time_Of_Day`, `TOD`."""
TYPES |= {"DT": "date_and_time", "TOD": "time_of_day", "LTOD": "ltime_of_day"}
TEXT_MAX = 254
"""Characters of a String without a length."""
DEPTH_MAX = 16
MEMBERS_MAX = 20_000
NAMES = {"name": "Name", "type": "Data Type", "address": "Logical Address", "path": "Path", "comment": "Comment"}
"""Columns of a tag table."""
_TOKEN = re.compile(r"\"[^\"]*\"|'(?:[^'$]|\$.)*'|:=|\.\.|\w+|\S", re.DOTALL)
_IGNORED = re.compile(r"//[^\n]*|\(\*.*?\*\)", re.DOTALL)
_ATTRIBUTES = re.compile(r"\{.*?\}", re.DOTALL)
_OPTIMIZED = re.compile(r"S7_Optimized_Access\s*:=\s*'TRUE'", re.IGNORECASE)


class BadExport(ValueError):
    """A file that is none of these; says what and where."""


def tag_table(rows: Iterable[Mapping[str, str]]) -> Iterator[Found | LeftOut]:
    """The rows of a tag table, by column."""
    for row in rows:
        name, kind, where = (row.get(NAMES[key], "").strip() for key in ("name", "type", "address"))
        if not name:
            continue
        try:
            spot, type_ = place(where), _type(kind)
        except ValueError:
            yield LeftOut(f"{name}: {kind or 'no type'} at {where or 'no address'} cannot be read")
            continue
        comment = row.get(NAMES["comment"], "").strip()
        yield (
            Found(where.lstrip("%"), name, row.get(NAMES["path"], "").strip() or None, type_, description=comment)
            if (_goes(spot, type_))
            else LeftOut(f"{name}: {kind} does not go with {where}")
        )


def _goes(spot: Place, type_: Type) -> bool:
    size = 0 if type_ == "bool" else SIZES.get(type_, -1)
    return size == spot.width or (size > 4 and not spot.bit)


def _type(kind: str) -> Type:
    """Raises `ValueError` for a type that is none of ours."""
    found = TYPES.get(kind.upper().replace("_", ""))
    if found is None:
        raise ValueError(kind)
    return found


@dataclass
class _Declared:
    """A type as it is declared: one of ours, a text, a structure, or an array of one of these."""

    type: Type | None = None
    """None: a structure."""
    length: int = 0
    members: list[tuple[str, "_Declared"]] = field(default_factory=list)
    counts: tuple[int, ...] = ()


class _Source:
    """Reads declarations, token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(_ATTRIBUTES.sub(" ", _IGNORED.sub(" ", text)))
        self._at = 0
        self.types: dict[str, _Declared] = {}

    def next(self, wanted: str = "more") -> str:
        if self._at >= len(self._tokens):
            raise BadExport(f"it ends where {wanted} is expected")
        self._at += 1
        return str(self._tokens[self._at - 1])

    def expect(self, wanted: str) -> None:
        if (token := self.next(wanted)).upper() != wanted:
            raise BadExport(f"{token[:40]!r} stands where {wanted} is expected")

    def blocks(self) -> Iterator[tuple[str, _Declared]]:
        """Data blocks by name; types that stand before them are kept."""
        while self._at < len(self._tokens):
            match self.next().upper():
                case "TYPE":
                    name = self.next().strip('"')
                    self.types[name] = self._body()
                    self._skip_to("END_TYPE")
                case "DATA_BLOCK":
                    name = self._block_name()
                    yield name, self._body()
                    self._skip_to("END_DATA_BLOCK")

    def _block_name(self) -> str:
        name = self.next("a name").strip('"')
        return f"DB{self.next()}" if name.upper() == "DB" else name

    def _skip_to(self, end: str) -> None:
        while self.next(end).upper() != end:
            pass

    def _body(self) -> _Declared:
        """Up to its declarations, and those."""
        while True:
            token = self.next("STRUCT")
            match token.upper():
                case "STRUCT":
                    return self._struct("END_STRUCT", 0)
                case "VAR":
                    return self._struct("END_VAR", 0)
            if token.startswith('"'):
                return self._named(token)

    def _struct(self, end: str, depth: int) -> _Declared:
        if depth > DEPTH_MAX:
            raise BadExport(f"it is nested more than {DEPTH_MAX} deep")
        members: list[tuple[str, _Declared]] = []
        while (token := self.next(end)).upper() != end:
            if token == ";" or token.upper() in ("RETAIN", "NON_RETAIN"):
                continue
            self.expect(":")
            members.append((token.strip('"'), self._declared(depth)))
            while self.next(";") != ";":  # an initial value
                pass
        return _Declared(members=members)

    def _declared(self, depth: int) -> _Declared:
        token = self.next("a type")
        match token.upper():
            case "STRUCT":
                return self._struct("END_STRUCT", depth + 1)
            case "ARRAY":
                counts = self._counts()
                self.expect("OF")
                element = self._declared(depth + 1)
                return _Declared(element.type, element.length, element.members, counts + element.counts)
            case "STRING" | "WSTRING":
                return self._text(token)
        if token.startswith('"'):
            return self._named(token)
        try:
            return _Declared(_type(token))
        except ValueError:
            raise BadExport(f"the type {token[:40]} is not known, and with it not where the rest stands") from None

    def _named(self, token: str) -> _Declared:
        found = self.types.get(token.strip('"'))
        if found is None:
            raise BadExport(f"the type {token[:60]} is not there; export it into the same file, before the block")
        return found

    def _text(self, token: str) -> _Declared:
        length = TEXT_MAX
        if self._at < len(self._tokens) and self._tokens[self._at] == "[":
            self.expect("[")
            length = self._number()
            self.expect("]")
        return _Declared("string" if token.upper() == "STRING" else "wstring", length)

    def _counts(self) -> tuple[int, ...]:
        self.expect("[")
        counts: list[int] = []
        while True:
            first = self._number()
            self.expect("..")
            counts.append(self._number() - first + 1)
            if counts[-1] < 1:
                raise BadExport("an array ends before it begins")
            if self.next() != ",":
                return tuple(counts)

    def _number(self) -> int:
        token = self.next("a number")
        sign = -1 if token == "-" else 1
        token = self.next("a number") if token == "-" else token
        if not token.isdecimal() or len(token) > 6:
            raise BadExport(f"{token[:40]!r} stands where a number is expected")
        return sign * int(token)


class _Layout:
    """Where declarations stand in a block without optimized access: what has 16 bits and more, and arrays, texts and
    structures, begins at an even byte; a structure ends at one.

    What follows an array or a text that ends in the middle of a word, and could begin there, is not told: then nothing behind
    it is sure.
    """

    def __init__(self, db: int, block: str) -> None:
        self._db, self._block = db, block
        self._bit = 0
        self._steps = 0
        self._loose = False
        """Whether an array or a text has ended in the middle of a word."""

    def found(self, tag: str, declared: _Declared) -> Iterator[Found | LeftOut]:
        self._steps += 1
        if self._steps > MEMBERS_MAX:
            raise BadExport(f"it has more than {MEMBERS_MAX} members")
        if declared.counts:
            yield from self._array(tag, declared)
        elif declared.type is None:
            self._even()
            for name, member in declared.members:
                yield from self.found(f"{tag}.{name}" if tag else name, member)
            self._even()
        else:
            yield self._one(tag, declared)

    def _array(self, tag: str, declared: _Declared) -> Iterator[Found | LeftOut]:
        self._even()
        element = _Declared(declared.type, declared.length, declared.members)
        count = 1
        for one in declared.counts:
            count *= one
        if len(declared.counts) > 1 and declared.type is not None and SIZES.get(declared.type) == 1:
            raise BadExport(
                f"{tag} has several dimensions of {declared.type}, and it is not sure where the rest stands"
            )
        if declared.type is not None:
            yield self._elements(tag, element, count, len(declared.counts) > 1)
        elif count > PARTS_MAX:
            raise BadExport(f"{tag} has {count} structures, at most {PARTS_MAX} are read")
        else:
            for number in range(count):
                yield from self.found(f"{tag}.{number}", element)

    def _elements(self, tag: str, element: _Declared, count: int, several: bool) -> Found | LeftOut:
        first = self._bit
        size = 1 if element.type == "bool" else 8 * _bytes(element)
        if size > 8:
            size += size % 16
        self._bit += count * size
        self._loose = self._bit % 16 != 0
        if several or count > PARTS_MAX:
            return LeftOut(f"{self._block}.{tag}: an array of several dimensions, or of more than {PARTS_MAX} elements")
        return self._told(tag, element, first, f"[{count}]")

    def _one(self, tag: str, declared: _Declared) -> Found:
        text = declared.type in ("string", "wstring")
        size = 1 if declared.type == "bool" else 8 * _bytes(declared)
        if size > 8:
            self._even()
        elif self._loose:
            raise BadExport(f"it is not sure where {tag} and what follows stands, behind a text or array of odd length")
        elif size == 8:
            self._bit += -self._bit % 8
        first = self._bit
        self._bit += size
        self._loose = text and self._bit % 16 != 0
        return self._told(tag, declared, first, "")

    def _told(self, tag: str, declared: _Declared, first: int, count: str) -> Found:
        assert declared.type is not None
        size = SIZES.get(declared.type, 0)
        if declared.type == "bool":
            where = f"X{first // 8}.{first % 8}"
        else:
            where = f"{ {2: 'W', 4: 'D'}.get(size, 'B') }{first // 8}"
        length = f"({declared.length})" if declared.length else ""
        return Found(f"DB{self._db}.DB{where}", tag, self._block, f"{declared.type}{length}{count}")

    def _even(self) -> None:
        """From here on it is sure again: whatever was between ends here."""
        self._bit += -self._bit % 16
        self._loose = False


def _bytes(declared: _Declared) -> int:
    match declared.type:
        case "string":
            return 2 + declared.length
        case "wstring":
            return 4 + 2 * declared.length
        case None:
            return 0
        case known:
            return SIZES[known]


def data_block(text: str, db: int) -> Iterator[Found | LeftOut]:
    """What the one block of a source has, whose number is `db`. What is told before something is not sure stays told."""
    if _OPTIMIZED.search(text):
        yield LeftOut(
            "the block has optimized access, and so no addresses; switch it off in its properties, or read it by OPC UA"
        )
        return
    source, count = _Source(text), 0
    try:
        for name, declared in source.blocks():
            count += 1
            if count > 1:
                yield LeftOut(f"{name}: one block a file; which number it has is said beside the file")
                continue
            yield from _Layout(db, name).found("", declared)
        if not count:
            raise BadExport("there is no DATA_BLOCK in it")
    except BadExport as error:
        yield LeftOut(str(error))
