"""Options of the EtherNet/IP connector."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.ethernetip.wanted import NAME, Wanted
from connectors.kit.polling.config import PARTS_MAX, PolledController, PolledMachine, PolledTag, checked
from topology.endpoint import address
from topology.namespace.path import Path

PORT = 44818


class Tag(PolledTag):
    """One value, an array, or all that is in a structure."""

    name: str | None = Field(
        None,
        max_length=400,
        description="as the controller knows it. None: as the tag is called here",
        examples=["Program:Main.Motor.Speed", "Stations[2].Count", "Status.3"],
    )
    count: int | None = Field(
        None,
        ge=1,
        le=PARTS_MAX,
        description="of an array, how many elements; they become TAG.0, TAG.1, …",
        examples=[4],
    )
    text: bool = Field(False, description="whether it is of a string type of its own (STRING is known without)")
    members: bool = Field(
        False,
        description="whether it is a structure or an array, of which every member is read; asks for the tag list",
        examples=[True],
    )

    @field_validator("name")
    @classmethod
    def _looks_like_one(cls, name: str | None) -> str | None:
        if name is not None and not NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is no name; Speed, Program:Main.Speed, Motors[2].Speed or Status.3 is expected"
            )
        return name

    @model_validator(mode="after")
    def _one_of_them(self) -> "Tag":
        if self.members and (self.count is not None or self.text):
            raise ValueError("`members` stands alone, without `count` and `text`")
        return self

    def wanted(self, path: Path, tag: str) -> Wanted:
        name = self.name or tag
        if not NAME.fullmatch(name):
            raise ValueError(f"{tag!r} is no name of a controller's tag; say its `name`")
        base, _, last = name.rpartition(".")
        bit = int(last) if base and last.isdigit() else None
        if bit is not None and (bit > 63 or self.members or self.count is not None or self.text):
            raise ValueError(f"{name}: a bit is 0 to 63 and stands alone, without `count`, `text` and `members`")
        return Wanted(path, tag, base if bit is not None else name, self.count, bit, self.text, members=self.members)


class Machine(PolledMachine[Tag]):
    """What of a controller belongs to one machine."""


class Plc(PolledController):
    """One controller, and the connection to it."""

    url: str = Field(description="tcp://host, or tcp://host:port where it is not 44818", examples=["tcp://10.0.0.5"])
    slot: int = Field(0, ge=0, le=16, description="slot of the controller in its chassis; 0 of a CompactLogix")
    route: str | None = Field(
        None,
        pattern=r"^[\w.,/]+$",
        description="way to it over other modules, in place of the slot",
        examples=["backplane/2/enet/192.168.1.10/backplane/0"],
    )
    tag_list_timeout_s: float = Field(
        60.0, gt=0, le=600, description="longest wait for the whole tag list, where it is needed"
    )
    encoding: Literal["latin-1", "cp1252", "utf-8"] = Field("latin-1", description="of the characters of its texts")
    machines: tuple[Machine, ...] = Field(min_length=1, description="what is read")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        return address(text, ("tcp",), "tcp://10.0.0.5 or tcp://10.0.0.5:44818")

    @property
    def place(self) -> str:
        """As pycomm3 writes it."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or PORT}/{self.route or self.slot}"


class EtherNetIpConfig(ConnectorConfig):
    """Controllers, what is read of them, and maps that several machines share."""

    plcs: tuple[Plc, ...] = Field(min_length=1, max_length=1_000, description="controllers, each by itself")
    maps: dict[str, dict[str, Tag]] = Field(
        default_factory=dict,
        description="maps by name: tag → what it is",
        examples=[{"filler": {"Speed": {"name": "Program:Main.Motor.Speed"}}}],
    )

    @model_validator(mode="after")
    def _whole(self) -> "EtherNetIpConfig":
        checked(((plc.url, plc.machines) for plc in self.plcs), self.maps)
        for plc in self.plcs:
            list(self.wanted(plc))
        return self

    def wanted(self, plc: Plc) -> Iterator[tuple[float, Wanted]]:
        """What is read of a controller, and how often. Raises `ValueError` for what cannot be."""
        for machine in plc.machines:
            for tag, what in machine.all_tags(self.maps).items():
                yield what.period_s or machine.period_s, what.wanted(machine.location, tag)

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(machine.location for plc in self.plcs for machine in plc.machines))
