"""Options of the Modbus connector."""

from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import PathText
from connectors.modbus.blocks import REGISTERS_MAX
from connectors.modbus.point import BIT_TABLES, WORDS, Layout, Order, Point, Table, Type
from topology.endpoint import address
from topology.namespace.path import Path

POINTS_MAX = 100_000
"""Tags of one connector."""
URL = "tcp://10.0.0.7:502, rtu+tcp://10.0.0.7:4001 or serial:///dev/ttyUSB0"


class Tag(ConnectorConfig):
    """One value of a register map."""

    table: Table = Field(
        "holding", description="where it is: holding or input registers, coils, or discrete inputs", examples=["input"]
    )
    address: int = Field(ge=0, le=65_536, description="its first register or its bit", examples=[100])
    type: Type | None = Field(
        None,
        description="what it is. None: bool of a coil or discrete input, uint16 of a register",
        examples=["float32", "string"],
    )
    words: int | None = Field(
        None,
        ge=1,
        le=REGISTERS_MAX,
        description="registers of a string (16), or of bcd (4 digits each) or bits (1)",
        examples=[8],
    )
    word_order: Order | None = Field(
        None,
        description="which of its registers is the most significant: the first is big. None: the device's",
        examples=["little"],
    )
    byte_order: Order | None = Field(
        None,
        description="which byte of a register is the most significant: the first is big. None: the device's",
        examples=["little"],
    )
    scale: float | None = Field(
        None, allow_inf_nan=False, description="what the number is multiplied by", examples=[0.1]
    )
    offset: float | None = Field(None, allow_inf_nan=False, description="what is added after that", examples=[-273.15])
    scale_address: int | None = Field(
        None,
        ge=0,
        le=65_536,
        description="register of the same table with the power of ten that it is multiplied by, as SunSpec has it",
        examples=[102],
    )
    bit: int | None = Field(
        None, ge=0, le=63, description="of bool its bit, of bits the lowest one; 0 is the least", examples=[7]
    )
    width: int | None = Field(None, ge=1, le=63, description="how many bits the number of bits has", examples=[4])
    not_available: tuple[int, ...] = Field(
        (),
        max_length=16,
        description="raw numbers by which the device says that it has no value",
        examples=[[0x8000, -1]],
    )
    period_s: float | None = Field(
        None, ge=0.01, le=86_400, description="how often it is read. None: as the device", examples=[60]
    )

    @property
    def kind(self) -> Type:
        return self.type or ("bool" if self.table in BIT_TABLES else "uint16")

    @property
    def length(self) -> int:
        return self.words or WORDS[self.kind]

    @model_validator(mode="after")
    def _fits(self) -> "Tag":
        kind, bits = self.kind, 16 * self.length
        if self.table in BIT_TABLES:
            if kind != "bool" or self.bit is not None or self.not_available:
                raise ValueError(f"a {self.table} is a bool, and its address is its bit")
        elif (self.bit is None) != (kind not in ("bool", "bits")):
            raise ValueError(f"`bit` goes with bool and bits of a register, and they need it; this is {kind}")
        if (self.width is None) != (kind != "bits"):
            raise ValueError(f"`width` goes with bits, and they need it; this is {kind}")
        if self.words is not None and kind not in ("string", "bcd", "bits"):
            raise ValueError(f"`words` goes with string, bcd and bits; {kind} has {WORDS[kind]}")
        if (kind == "bcd" and self.length > 4) or (kind == "bits" and self.length > 4):
            raise ValueError(f"{kind} has at most 4 registers")
        if (self.bit or 0) + (self.width or 1) > bits:
            raise ValueError(f"bit {self.bit} and {self.width or 1} from there do not fit {bits} bits")
        self._number(kind, bits)
        return self

    def _number(self, kind: Type, bits: int) -> None:
        scaled = [name for name in ("scale", "offset", "scale_address") if getattr(self, name) is not None]
        if scaled and kind in ("bool", "bits", "string"):
            raise ValueError(f"`{scaled[0]}` goes with numbers, not with {kind}")
        if self.scale_address is not None and len(scaled) > 1:
            raise ValueError("`scale_address` stands alone, without scale and offset")
        for pattern in self.not_available:
            if not -(1 << bits - 1) <= pattern < 1 << bits:
                raise ValueError(f"not_available {pattern} does not fit {bits} bits")

    def point(self, path: Path, tag: str, device: "Device") -> Point:
        """What it is on the wire."""
        bits = 16 * self.length
        layout = Layout(
            self.kind,
            self.length,
            self.word_order or device.word_order,
            self.byte_order or device.byte_order,
            self.bit or 0,
            self.width or 1,
            _decimal(self.scale),
            _decimal(self.offset),
            frozenset(pattern & (1 << bits) - 1 for pattern in self.not_available),
        )
        scale_address = None if self.scale_address is None else self.scale_address - device.counted_from
        return Point(path, tag, self.table, self.address - device.counted_from, layout, scale_address)


class SunSpec(ConnectorConfig):
    """A device that says itself what it has, by SunSpec's information models."""

    base: int | None = Field(
        None,
        ge=0,
        le=65_534,
        description="holding register where its models begin. None: 40000, 50000 and 0 are tried",
        examples=[40_000],
    )
    models: tuple[int, ...] = Field(
        (), description="which of its models are read. Empty: all that are known", examples=[[103, 203]]
    )
    tags: tuple[str, ...] = Field(
        (),
        max_length=10_000,
        description="which tags of them are read. Empty: all",
        examples=[["inverter.W", "inverter.WH"]],
    )


class Device(ConnectorConfig):
    """One device, which on its link is one unit."""

    path: PathText = Field(description="path of what it belongs to", examples=["acme/dallas/packaging/line-1/filler"])
    unit: int = Field(1, ge=0, le=255, description="unit identifier; on a serial line the address of the device")
    period_s: float = Field(1.0, ge=0.01, le=86_400, description="how often it is read")
    word_order: Order = Field(
        "big", description="which register of a number of several is the most significant: the first is big"
    )
    byte_order: Order = Field(
        "big", description="which byte of a register is the most significant: the first is big, as Modbus has it"
    )
    counted_from: Literal[0, 1] = Field(0, description="what its manual calls the first register of a table")
    gap: int = Field(
        8, ge=0, le=REGISTERS_MAX, description="registers or bits between two tags that are read over, unused"
    )
    registers_max: int = Field(
        REGISTERS_MAX, ge=1, le=REGISTERS_MAX, description="most registers that it gives in one answer"
    )
    map: str | None = Field(None, description="its register map, one of `maps`", examples=["meter"])
    tags: dict[str, Tag] = Field(
        default_factory=dict, description="tag → what it is; goes before what the map says of the same tag"
    )

    sunspec: SunSpec | None = Field(
        None, description="finds its SunSpec models, and reads those, too; `{}` for all that are known"
    )

    @property
    def location(self) -> Path:
        return Path.parse(self.path)


class Link(ConnectorConfig):
    """One connection: to a device, to a gateway with devices behind it, or a serial line."""

    url: str = Field(
        description="tcp://host:port for Modbus TCP, rtu+tcp://host:port for RTU frames over TCP, serial:///dev/… for a line",
        examples=["tcp://10.0.0.7:502", "serial:///dev/ttyUSB0"],
    )
    timeout_s: float = Field(1.0, gt=0, le=60, description="longest wait for an answer")
    connect_timeout_s: float = Field(5.0, gt=0, le=60, description="longest wait for the connection")
    pause_s: float = Field(0.0, ge=0, le=10, description="rest between an answer and the next request")
    baud_rate: int = Field(19_200, ge=300, le=4_000_000, description="of a serial line: bits per second")
    parity: Literal["none", "even", "odd"] = Field("even", description="of a serial line: parity bit")
    stop_bits: Literal[1, 2] = Field(1, description="of a serial line: stop bits")
    devices: tuple[Device, ...] = Field(min_length=1, description="what is read")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        if text.startswith("serial:"):
            if not text.removeprefix("serial:").strip("/"):
                raise ValueError(f"{text!r} names no serial line; serial:///dev/ttyUSB0 or serial:COM3 is expected")
            return text
        return address(text, ("tcp", "rtu+tcp"), URL)

    @model_validator(mode="after")
    def _units(self) -> "Link":
        if self.line is not None and any(device.unit == 0 for device in self.devices):
            raise ValueError("unit 0 is everybody on a serial line, and nobody answers; a unit is 1 to 247")
        surveyed = [device.unit for device in self.devices if device.sunspec is not None]
        if len(set(surveyed)) < len(surveyed):
            raise ValueError("`sunspec` stands at two devices of the same unit; they would be the same")
        return self

    @property
    def line(self) -> str | None:
        """The serial line; None: it is TCP."""
        if not self.url.startswith("serial:"):
            return None
        return self.url.removeprefix("serial:").removeprefix("//")

    @property
    def rtu(self) -> bool:
        """Whether frames are RTU's, which do not say to which request they are the answer."""
        return not self.url.startswith("tcp:")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 502


class ModbusConfig(ConnectorConfig):
    """Links, what is behind them, and register maps that several devices share."""

    links: tuple[Link, ...] = Field(min_length=1, max_length=10_000, description="connections, each by itself")
    maps: dict[str, dict[str, Tag]] = Field(
        default_factory=dict,
        description="register maps by name: tag → what it is",
        examples=[{"meter": {"Power": {"address": 0, "type": "float32"}}}],
    )

    @model_validator(mode="after")
    def _whole(self) -> "ModbusConfig":
        seen: set[tuple[str, str]] = set()
        urls: set[str] = set()
        for link in self.links:
            if link.url in urls:
                raise ValueError(f"{link.url} stands twice; put its devices under one link")
            urls.add(link.url)
            for device in link.devices:
                if device.map is not None and device.map not in self.maps:
                    raise ValueError(f"{device.path}: there is no map {device.map!r}")
                points = self.points(device)
                if not points and device.sunspec is None:
                    raise ValueError(f"{device.path}: give `tags`, a `map` or `sunspec`")
                for point in points:
                    _check(point, device)
                    if (key := (device.path, point.tag)) in seen:
                        raise ValueError(f"{device.path}: the tag {point.tag} is there twice")
                    seen.add(key)
        if len(seen) > POINTS_MAX:
            raise ValueError(f"{len(seen)} tags, at most {POINTS_MAX} are read by one connector")
        return self

    def tags(self, device: Device) -> dict[str, Tag]:
        """Those of its map, and its own."""
        return {**self.maps.get(device.map or "", {}), **device.tags}

    def points(self, device: Device) -> list[Point]:
        """What is read of a device."""
        return [tag.point(device.location, name, device) for name, tag in self.tags(device).items()]

    def longest_period_s(self) -> float:
        devices = [device for link in self.links for device in link.devices]
        periods = [tag.period_s or 0.0 for device in devices for tag in self.tags(device).values()]
        return max(*periods, *(device.period_s for device in devices))

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(device.location for link in self.links for device in link.devices))


def _decimal(number: float | None) -> Decimal | None:
    """As it is written: 0.1 is a tenth, not the nearest binary fraction."""
    return None if number is None else Decimal(repr(number))


def _check(point: Point, device: Device) -> None:
    if not point.tag or not point.tag.isprintable():
        raise ValueError(f"{point.path}: {point.tag!r} is no name of a tag")
    if point.first < 0 or point.end > 65_536:
        raise ValueError(f"{point.path} {point.tag}: registers are 0 to 65535, this one is outside")
    if point.scale_address is not None and point.end - point.first > device.registers_max:
        raise ValueError(
            f"{point.path} {point.tag}: it and its scale factor do not come in one answer; say its `scale`"
        )
