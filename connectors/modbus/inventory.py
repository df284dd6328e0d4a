"""What SunSpec devices have, told as it is found, and the YAML that reads what was chosen. Other devices cannot say."""

from collections.abc import AsyncIterator, Mapping, Sequence

from connectors.base import Found, LeftOut, Reading, SourceUnavailable
from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost
from connectors.kit.yaml_text import remark, text
from connectors.modbus.blocks import Block
from connectors.modbus.codec import decode
from connectors.modbus.config import Device, Link, ModbusConfig, SunSpec
from connectors.modbus.discovery import Discovery
from connectors.modbus.sunspec import NotSunSpec
from connectors.modbus.wire import ModbusWire, Read
from schemas.records import Value

UNITS = (1, 126)
"""Where SunSpec devices usually are; asked, too, where the configuration does not say that a unit is one."""
SHOTS = 3
"""How often a request is asked that nothing answers."""


async def browse(config: ModbusConfig) -> AsyncIterator[Found | LeftOut]:
    """The points of every SunSpec model that is known, of every link. Raises `SourceUnavailable` where no link can be had,
    or no unit says what it has."""
    found, words = 0, ""
    for link in config.links:
        wire = ModbusWire(link)
        try:
            await wire.open()
            async for one in _link(wire, link):
                found += isinstance(one, Found)
                yield one
        except WireLost as error:
            words = str(error)
            yield LeftOut(words)
        finally:
            wire.close()
    if not found:
        raise SourceUnavailable(
            words
            or f"no unit of {', '.join(link.url for link in config.links)} has SunSpec models; "
            "what other devices have stands in their manuals: list it as `tags`"
        )


def listing(config: ModbusConfig, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The `links` that read what was chosen, a tag a line. Raises `ValueError` for an address that is none of ours."""
    lines: list[str] = []
    by_url: dict[str, list[tuple[str, int, list[Found]]]] = {}
    for path, found in chosen.items():
        units: dict[tuple[str, int], list[Found]] = {}
        for one in found:
            units.setdefault(_place(one.address), []).append(one)
        for (url, unit), members in units.items():
            by_url.setdefault(url, []).append((path, unit, members))
    for url, devices in by_url.items():
        lines += [f"  - url: {url}", "    devices:"]
        for path, unit, members in devices:
            lines += [f"      - path: {path}", f"        unit: {unit}", "        sunspec:", "          tags:"]
            lines += [f"            - {text(one.tag)}{remark(one)}" for one in members]
    return "\n".join(["links:", *lines])


async def _link(wire: ModbusWire, link: Link) -> AsyncIterator[Found | LeftOut]:
    for device in _asked(link):
        try:
            discovery = await _discovered(wire, device)
        except (NotSunSpec, Silent, Garbled) as error:
            yield LeftOut(f"{link.url} unit {device.unit}: {error}")
            continue
        for model in discovery.unknown:
            yield LeftOut(f"{link.url} unit {device.unit}: model {model.number} at {model.address - 2} is not known")
        if discovery.broken_at is not None:
            yield LeftOut(
                f"{link.url} unit {device.unit}: the models after register {discovery.broken_at}, which is none"
            )
        blocks = [block for planned in discovery.planned for block in planned.blocks]
        values = [(block, await _values(wire, block)) for block in blocks]
        machine = _name([value for _, said in values for value in said.items()], device)
        for block, said in values:
            for point in block.points:
                address = f"{link.url} unit {device.unit} register {point.address}"
                yield Found(address, point.tag, machine, point.layout.type, sample=said.get(point.tag))


def _asked(link: Link) -> list[Device]:
    """The devices of which it is said that they are SunSpec's; else the usual units besides those of the configuration."""
    said = [device for device in link.devices if device.sunspec is not None]
    if said:
        return said
    units = dict.fromkeys([*(device.unit for device in link.devices), *UNITS])
    first = link.devices[0]
    return [Device(path=first.path, unit=unit, sunspec=SunSpec()) for unit in units]


async def _discovered(wire: ModbusWire, device: Device) -> Discovery:
    discovery = Discovery(device)
    while True:
        start, count = discovery.read
        try:
            words: Sequence[int] | None = await _ask(wire, Read(device.unit, "holding", start, count))
        except Refused:
            words = None
        if discovery.take(words) is not None:
            return discovery


async def _ask(wire: ModbusWire, read: Read) -> Sequence[int]:
    for _ in range(SHOTS - 1):
        try:
            return await wire.ask(read)
        except Silent:
            continue
    return await wire.ask(read)


async def _values(wire: ModbusWire, block: Block) -> dict[str, Value]:
    """By tag; empty where the device does not give them now."""
    try:
        words = await _ask(wire, Read(block.unit, block.table, block.start, block.count))
    except (Silent, Refused, Garbled):
        return {}
    said = (one for point in block.points for one in decode(point, block.start, words, 0, ""))
    return {one.sample.tag: one.sample.value for one in said if isinstance(one, Reading)}


def _name(values: Sequence[tuple[str, Value]], device: Device) -> str:
    """Its model and serial number, by which people tell two of a kind apart."""
    own = dict(values)
    words = [str(own[tag]).strip() for tag in ("common.Md", "common.SN") if own.get(tag)]
    return " ".join(words) or f"unit {device.unit}"


def _place(address: str) -> tuple[str, int]:
    url, _, rest = address.partition(" unit ")
    unit = rest.partition(" ")[0]
    if not url or not unit.isdigit():
        raise ValueError(f"{address!r} is no address of `uns connector browse modbus`: URL unit N register N")
    return url, int(unit)
