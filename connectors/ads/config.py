"""Options of the ADS connector."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from connectors.ads.kinds import Kind
from connectors.ads.wanted import NAME, NAME_MAX, Wanted
from connectors.base import ConnectorConfig
from connectors.kit.polling.config import PARTS_MAX, PolledController, PolledMachine, PolledTag, checked
from connectors.kit.zone import Zoned
from topology.endpoint import address
from topology.namespace.path import Path

TCP_PORT, AMS_PORT = 48898, 851
PLCS_MAX = 100
"""Beckhoff's library has 128 ports a process."""
EXAMPLE = "ads://10.0.0.5/5.12.82.20.1.1 or ads://10.0.0.5/5.12.82.20.1.1:851"
_NET_ID = re.compile(r"\d{1,3}(?:\.\d{1,3}){5}")
_PLACE = re.compile(r"/(?P<net_id>[\d.]+)(?::(?P<port>\d{1,5}))?/?")


def as_net_id(text: str) -> str:
    """Six numbers. Raises `ValueError`."""
    if not _NET_ID.fullmatch(text) or any(int(part) > 255 for part in text.split(".")):
        raise ValueError(f"{text[:40]!r} is no AMS net id; six numbers like 5.12.82.20.1.1 are expected")
    return ".".join(str(int(part)) for part in text.split("."))


class Tag(PolledTag):
    """One variable, or an array."""

    name: str | None = Field(
        None,
        max_length=NAME_MAX,
        description="as the program knows it. None: as the tag is called here",
        examples=["MAIN.nCount", "GVL.aStations[2].fSpeed"],
    )
    count: int | None = Field(
        None,
        ge=1,
        le=PARTS_MAX,
        description="of an array, how many elements, in the order of memory; they become TAG.0, TAG.1, …",
        examples=[4],
    )
    bit: int | None = Field(None, ge=0, le=63, description="of a whole number one bit; 0 is the least", examples=[3])
    type: Kind | None = Field(
        None,
        description="what it is. None: what its symbol says, which is right but for types of a project that hide it",
        examples=["dint"],
    )

    @field_validator("name")
    @classmethod
    def _looks_like_one(cls, name: str | None) -> str | None:
        if name is not None and not NAME.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is no name; MAIN.nCount, GVL.aTemps[2] or .bRunning is expected (a bit goes into `bit`)"
            )
        return name

    @model_validator(mode="after")
    def _one_of_them(self) -> "Tag":
        if self.bit is not None and self.count is not None:
            raise ValueError("`bit` stands alone, without `count`")
        return self

    def wanted(self, path: Path, tag: str, port: int) -> Wanted:
        name = self.name or tag
        if not NAME.fullmatch(name) or len(name) > NAME_MAX:
            raise ValueError(f"{tag!r} is no name of a variable; say its `name`")
        return Wanted(path, tag, name, port, self.count, self.bit, self.type)


class Machine(PolledMachine[Tag]):
    """What of a controller belongs to one machine."""

    port: int | None = Field(
        None, ge=1, le=65_535, description="AMS port of its program. None: that of the url", examples=[852]
    )


class Plc(PolledController, Zoned):
    """One controller, and the connection to it."""

    url: str = Field(
        description="ads://HOST/AMS-NET-ID:AMS-PORT, without the port 851; HOST:PORT where it is not TCP port 48898",
        examples=["ads://10.0.0.5/5.12.82.20.1.1:851"],
    )
    encoding: Literal["cp1252", "latin-1", "utf-8"] = Field(
        "cp1252", description="of the characters of STRING; WSTRING is UTF-16"
    )
    machines: tuple[Machine, ...] = Field(min_length=1, description="what is read")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        path = _PLACE.fullmatch(urlsplit(address(text, ("ads",), EXAMPLE)).path)
        if path is None:
            raise ValueError(f"the AMS net id of the controller is missing; {EXAMPLE} is expected")
        as_net_id(path["net_id"])
        if path["port"] and not 0 < int(path["port"]) < 65_536:
            raise ValueError(f"{path['port']} is no AMS port; 851 is that of the first program")
        return text

    @property
    def host(self) -> str:
        """Where it is over TCP."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or TCP_PORT}"

    @property
    def net_id(self) -> str:
        return as_net_id(self._place["net_id"])

    @property
    def port(self) -> int:
        """AMS port of a machine that says none."""
        return int(self._place["port"] or AMS_PORT)

    @property
    def _place(self) -> re.Match[str]:
        found = _PLACE.fullmatch(urlsplit(self.url).path)
        assert found is not None
        return found


class AdsConfig(ConnectorConfig):
    """Controllers, what is read of them, and maps that several machines share."""

    plcs: tuple[Plc, ...] = Field(min_length=1, max_length=PLCS_MAX, description="controllers, each by itself")
    net_id: Annotated[str, AfterValidator(as_net_id)] | None = Field(
        None,
        description="AMS net id that we have; each controller needs a route to it. None: our IP address and .1.1",
        examples=["192.168.1.20.1.1"],
    )
    maps: dict[str, dict[str, Tag]] = Field(
        default_factory=dict,
        description="maps by name: tag → what it is",
        examples=[{"filler": {"Speed": {"name": "GVL.fSpeed"}}}],
    )

    @model_validator(mode="after")
    def _whole(self) -> "AdsConfig":
        checked(((plc.url, plc.machines) for plc in self.plcs), self.maps)
        for of, what in (("host", [plc.host for plc in self.plcs]), ("AMS net id", [plc.net_id for plc in self.plcs])):
            if twice := {one for one in what if what.count(one) > 1}:
                raise ValueError(
                    f"two controllers have the {of} {min(twice)}; put their machines under one, each with its `port`"
                )
        for plc in self.plcs:
            list(self.wanted(plc))
        return self

    def wanted(self, plc: Plc) -> Iterator[tuple[float, Wanted]]:
        """What is read of a controller, and how often. Raises `ValueError` for what cannot be."""
        for machine in plc.machines:
            for tag, what in machine.all_tags(self.maps).items():
                period_s = what.period_s or machine.period_s
                yield period_s, what.wanted(machine.location, tag, machine.port or plc.port)

    def longest_period_s(self) -> float:
        """The longest time between two values of a tag while all is well."""
        return max(period_s for plc in self.plcs for period_s, _ in self.wanted(plc))

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(machine.location for plc in self.plcs for machine in plc.machines))
