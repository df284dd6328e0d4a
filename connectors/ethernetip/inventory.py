"""What a controller has, by its tag list; and the YAML that reads what was chosen of it."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import yaml

from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.ethernetip.config import EtherNetIpConfig
from connectors.ethernetip.connector import EXTRA
from connectors.ethernetip.members import Definition, NotThere, expanded
from connectors.ethernetip.wanted import NAME, Wanted
from connectors.kit.polling.wire import Garbled, Silent, WireLost
from connectors.kit.yaml_text import mapping, remark, text
from topology.namespace.path import Path

SINGLE = frozenset(
    {"BOOL", "SINT", "INT", "DINT", "LINT", "USINT", "UINT", "UDINT", "ULINT", "REAL", "LREAL", "STRING"}
)
"""Types that are one value; all others have members."""
_NOWHERE = Path(("x",))


async def browse(config: EtherNetIpConfig) -> AsyncIterator[Found | LeftOut]:
    """All tags of the first controller. Raises `SourceUnavailable`."""
    EXTRA.check("EtherNet/IP")
    from connectors.ethernetip.wire import EtherNetIpWire  # its library is an extra

    wire = EtherNetIpWire(config.plcs[0], ())
    try:
        await wire.open()
        tags = await wire.tag_list()
    except (WireLost, Silent, Garbled) as error:
        raise SourceUnavailable(f"EtherNet/IP: {error}; are address and slot right?") from error
    finally:
        wire.close()
    for one in told(tags):
        yield one
    if len(config.plcs) > 1:
        yield LeftOut(f"{len(config.plcs) - 1} further controllers: one is looked at at a time")


def told(tags: Mapping[str, Definition]) -> Iterator[Found | LeftOut]:
    """What of a tag list can be tags."""
    for name, definition in tags.items():
        if not NAME.fullmatch(name) or definition.get("external_access") == "None":
            yield LeftOut(f"{name}: its external access is None, or its name is none that can be asked for")
            continue
        try:
            expanded(Wanted(_NOWHERE, name, name, members=True), tags)
        except NotThere as error:
            yield LeftOut(str(error))
            continue
        program, dot, tag = name.removeprefix("Program:").partition(".")
        of_program = bool(dot) and name.startswith("Program:")
        places = ",".join(map(str, definition["dimensions"][: definition["dim"]]))
        kind = f"{definition['data_type_name']}[{places}]" if places else str(definition["data_type_name"])
        yield Found(name, tag if of_program else name, program if of_program else None, kind)


def listing(config: EtherNetIpConfig, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The YAML of `plcs` that reads these of the first controller."""
    plc = config.plcs[0].model_dump(mode="json", exclude_unset=True, exclude={"machines"})
    head = yaml.safe_dump([plc], sort_keys=False, allow_unicode=True).rstrip("\n").splitlines()
    lines = ["plcs:", *(f"  {line}" for line in head), "    machines:"]
    for path, members in chosen.items():
        lines += [f"      - path: {path}", "        tags:"]
        for one in members:
            members_too = "" if one.type in SINGLE else ", members: true"
            entry = mapping(one.tag, f"{{name: {text(one.address)}{members_too}}}")
            lines.append(f"          {entry}{remark(one)}")
    return "\n".join(lines)
