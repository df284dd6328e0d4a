"""Options of the S7 connector."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.polling.config import PARTS_MAX, PolledController, PolledMachine, PolledTag, checked
from connectors.kit.zone import Zoned
from connectors.s7.address import BYTES_MAX, SIZES, Point, Type, place
from topology.endpoint import address
from topology.namespace.path import Path

PORT = 102


class Tag(PolledTag):
    """One value, or an array of them."""

    address: str = Field(
        description="where it stands, as Siemens writes it",
        examples=["DB1.DBD4", "DB1.DBX0.3", "M10.1", "MW20", "I0.0", "QB4"],
    )
    type: Type | None = Field(
        None,
        description="what it is. None: bool of a bit, byte, word or dword by its letter",
        examples=["real", "string"],
    )
    length: int | None = Field(
        None,
        ge=1,
        le=16_382,
        description="characters that a string or wstring has at most, as it is declared",
        examples=[16],
    )
    count: int | None = Field(
        None,
        ge=1,
        le=PARTS_MAX,
        description="of an array, how many elements; they become TAG.0, TAG.1, …",
        examples=[4],
    )

    @model_validator(mode="after")
    def _fits(self) -> "Tag":
        spot = place(self.address)
        kind = self.type or spot.type
        if (self.length is None) != (kind not in ("string", "wstring")):
            raise ValueError(f"`length` goes with string and wstring, and they need it; this is {kind}")
        if kind == "string" and (self.length or 0) > 254:
            raise ValueError("a string has at most 254 characters")
        if kind == "bool" and spot.width != 0:
            raise ValueError(f"{self.address}: a bool is a bit, as M10.1 or DB1.DBX0.3")
        size = SIZES.get(kind, 0)
        if kind != "bool" and spot.width == 0 and (spot.bit or size in (1, 2, 4)):
            raise ValueError(f"{self.address} is a bit, {kind} is not; say its B, W or D")
        if spot.width and size in (1, 2, 4) and size != spot.width:
            raise ValueError(f"{self.address} has {spot.width} bytes, {kind} has {size}")
        if self.points(Path(("x",)), "x")[-1].end > BYTES_MAX:
            raise ValueError(f"{self.address}: it ends beyond byte {BYTES_MAX - 1}")
        return self

    def points(self, path: Path, tag: str) -> list[Point]:
        """What it is on the wire: one, or one for each element."""
        spot = place(self.address)
        point = Point(path, tag, spot.area, spot.db, spot.byte, spot.bit, self.type or spot.type, self.length or 0)
        return [point] if self.count is None else point.elements(self.count)


class Export(ConnectorConfig):
    """A file that TIA Portal has exported."""

    file: str = Field(
        min_length=1,
        description="tag table as .xlsx, or source of a data block (.db, .scl, .awl) with the types that it uses before it",
        examples=["exports/PLCTags.xlsx", "exports/Filler.db"],
    )
    db: int | None = Field(
        None, ge=1, le=65_535, description="number of the data block, which its source does not say", examples=[10]
    )


class Machine(PolledMachine[Tag]):
    """What of a controller belongs to one machine."""


class Plc(PolledController, Zoned):
    """One controller, and the connection to it."""

    url: str = Field(description="tcp://host, or tcp://host:port where it is not 102", examples=["tcp://10.0.0.5"])
    rack: int = Field(0, ge=0, le=7, description="rack of the CPU")
    slot: int = Field(
        1, ge=0, le=31, description="slot of the CPU: 1 of S7-1200 and 1500, 2 of S7-300, as configured of 400"
    )
    connection: Literal["pg", "op", "basic"] = Field(
        "basic", description="which of its kinds of connections is used; there are few of each"
    )
    tsap: tuple[int, int] | None = Field(
        None,
        description="local and remote TSAP, in place of rack, slot and connection: for LOGO! and S7-200",
        examples=[[0x0100, 0x0200]],
    )
    gap: int = Field(16, ge=0, le=200, description="bytes between two tags that are read over, unused")
    encoding: Literal["latin-1", "cp1252", "cp1250", "cp1251", "gbk", "shift_jis", "utf-8"] = Field(
        "latin-1", description="of the characters of its string and char"
    )
    exports: tuple[Export, ...] = Field(
        (), max_length=1_000, description="what `uns connector browse` lists of it; a run does not read them"
    )
    machines: tuple[Machine, ...] = Field(min_length=1, description="what is read")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        return address(text, ("tcp",), "tcp://10.0.0.5 or tcp://10.0.0.5:102")

    @field_validator("tsap")
    @classmethod
    def _two_bytes(cls, pair: tuple[int, int] | None) -> tuple[int, int] | None:
        if pair is not None and not all(0 <= tsap < 65_536 for tsap in pair):
            raise ValueError("a TSAP is 0 to 0xFFFF")
        return pair

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or PORT

    @property
    def local_tsap(self) -> int:
        return self.tsap[0] if self.tsap else 0x0100

    @property
    def called_tsap(self) -> int:
        kind = {"pg": 1, "op": 2, "basic": 3}[self.connection]
        return self.tsap[1] if self.tsap else kind << 8 | self.rack << 5 | self.slot

    @property
    def where(self) -> str:
        """What of it decides who answers, for errors."""
        return f"tsap {self.tsap[1]:#06x}" if self.tsap else f"rack {self.rack} slot {self.slot}"


class S7Config(ConnectorConfig):
    """Controllers, what is read of them, and maps that several machines share."""

    plcs: tuple[Plc, ...] = Field(min_length=1, max_length=10_000, description="controllers, each by itself")
    maps: dict[str, dict[str, Tag]] = Field(
        default_factory=dict,
        description="maps by name: tag → what it is",
        examples=[{"filler": {"Speed": {"address": "DB1.DBD4", "type": "real"}}}],
    )

    @model_validator(mode="after")
    def _whole(self) -> "S7Config":
        checked(((plc.url, plc.machines) for plc in self.plcs), self.maps)
        return self

    def points(self, plc: Plc) -> Iterator[tuple[float, Point]]:
        """What is read of a controller, and how often."""
        for machine in plc.machines:
            for name, tag in machine.all_tags(self.maps).items():
                for point in tag.points(machine.location, name):
                    yield tag.period_s or machine.period_s, point

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(machine.location for plc in self.plcs for machine in plc.machines))
