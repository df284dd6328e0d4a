"""What a controller has, by the symbol table of a program; and the YAML that reads what was chosen of it."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

import yaml

from connectors.ads.answer import Entry
from connectors.ads.config import AdsConfig
from connectors.ads.connector import EXTRA, HINT
from connectors.ads.kinds import Formless, form, unfolded
from connectors.ads.quality import of_code
from connectors.ads.wanted import NAME
from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.kit.polling.config import PARTS_MAX
from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost
from connectors.kit.yaml_text import mapping, remark, text

OF_TWINCAT = frozenset({"twincat_systeminfovarlist", "global_version", "constants", "global_variables"})
"""Lists that every project has, of TwinCAT's own."""


async def browse(config: AdsConfig) -> AsyncIterator[Found | LeftOut]:
    """All variables of the first controller, of the program that its url names. Raises `SourceUnavailable`."""
    EXTRA.check("ADS")
    from connectors.ads.wire import AdsWire  # its library is an extra

    plc = config.plcs[0]
    wire = AdsWire(plc, config.net_id)
    try:
        await wire.open()
        entries = await wire.table()
    except (WireLost, Silent, Garbled) as error:
        raise SourceUnavailable(f"ADS: {plc.url}: {error}; {HINT}") from error
    except Refused as refused:
        why = wire.troubles.get(plc.port, of_code(refused.code).words)
        raise SourceUnavailable(f"ADS: {plc.url} gives no symbol table: {why}") from None
    finally:
        wire.close()
    for one in told(entries):
        yield one
    if len(config.plcs) > 1:
        yield LeftOut(f"{len(config.plcs) - 1} further controllers: one is looked at at a time")


def told(entries: Iterable[Entry]) -> Iterator[Found | LeftOut]:
    """What of a symbol table can be tags."""
    own: Counter[str] = Counter()
    for name, symbol, comment in entries:
        first, dot, rest = name.partition(".")
        if dot and first.lower() in OF_TWINCAT:
            own[first] += 1
            continue
        if not NAME.fullmatch(name):
            yield LeftOut(f"{name[:80]}: its name is none that can be asked for")
            continue
        try:
            found = form(symbol)
        except Formless as error:
            yield LeftOut(f"{name}: {error}")
            continue
        if found.elements > PARTS_MAX:
            yield LeftOut(
                f"{name} has {found.elements} elements, at most {PARTS_MAX} are read; name those that are wanted"
            )
            continue
        said = unfolded(symbol.type)[1] == found.elements  # else a type of the project is an array
        kind = symbol.type if said else f"ARRAY [0..{found.elements - 1}] OF {found.kind.upper()}"
        yield Found(name, rest or name, first or None, kind, description=comment)
    for first, count in own.items():
        yield LeftOut(f"{first}: {count} variables of TwinCAT's own")


def listing(config: AdsConfig, chosen: Mapping[str, Sequence[Found]]) -> str:
    """The YAML of `plcs` that reads these of the first controller."""
    plc = config.plcs[0].model_dump(mode="json", exclude_unset=True, exclude={"machines"})
    head = yaml.safe_dump([plc], sort_keys=False, allow_unicode=True).rstrip("\n").splitlines()
    lines = ["plcs:", *(f"  {line}" for line in head), "    machines:"]
    for path, members in chosen.items():
        lines += [f"      - path: {path}", "        tags:"]
        for one in members:
            count = unfolded(one.type)[1] if one.type else 1
            entry = f"{{name: {text(one.address)}{f', count: {count}' if count > 1 else ''}}}"
            lines.append(f"          {mapping(one.tag, entry)}{remark(one)}")
    return "\n".join(lines)
