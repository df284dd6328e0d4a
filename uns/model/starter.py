"""The plant model that `uns init` writes: one machine, every line explained."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import indent

from uns.errors import UserError
from uns.model.components import connector_spec

NAMESPACE = """\
# What is where: enterprise/site/area/line/cell (ISA-95). Names hold a-z, 0-9 and inner '-'.
namespace:
  enterprise: my-company
  sites:
    my-site:
      areas:
        my-area:
          partitions: 4 # so many workers can share the area's lines; to be changed only while it has no topics
          lines:
            line-1:
              cells:
                machine-1: machine # cell name: equipment type, defined in types.yaml

# Who works when; time outside is not planned and costs no OEE. Without a calendar all time is planned.
# shifts:
#   my-site:
#     filter: my-company/my-site/#
#     zone: Europe/Berlin
#     shifts:
#       early: {begin: "06:00", end: "14:00", days: [mon, tue, wed, thu, fri], breaks: [{begin: "09:00", end: "09:30"}]}
#     exceptions: [{day: 2026-12-24, until: 2026-12-26, name: Christmas}]
"""
TYPES = """\
# What machines of a kind share. List the tags that the folds shall read; every other tag is carried on as it is.
types:
  machine:
    tags: {}
    # tags:
    #   State:     {role: state, map: packml}    # or your own codes: map: {0: stopped, 1: execute, 2: held}
    #   GoodParts: {role: good_count}            # a counter; a fall is a reset, `modulus: 65536` a roll-over
    #   BadParts:  {role: scrap_count}
    #   StopCode:  {role: reason}
    #   Weight:    {role: characteristic, unit: g, lsl: 98, usl: 102}
    ideal_cycle_s: 1.0    # planned time per piece where the order gives none
    silent_after_s: 60    # without any sample for so long the state is unknown
    micro_stop_s: 300     # a shorter stop is a micro stop
    reasons: {}           # e.g. {201: {name: drive fault, category: breakdown}}
"""
MACHINE = "my-company/my-site/my-area/line-1/machine-1"
"""The machine of `NAMESPACE`."""
STARTER, SAMPLE = "starter.yaml", "sample.yaml"
"""Beside a connector: its smallest configuration, with ${url}, ${machine} and ${name}; and one that shows what it can."""
_URL = re.compile(r"# url: (\S+)\n")


def source(protocol: str, name: str, machine: str, url: str | None = None) -> str:
    """The YAML of a connector that reads one machine, every line explained. `url` None: that of a server on this machine.
    Raises `UnknownComponent`."""
    config = indent(filled(protocol, name, machine, url), " " * 6)
    return f"connectors:\n  {name}:\n    protocol: {protocol}\n    config:\n{config}"


def filled(protocol: str, name: str, machine: str, url: str | None) -> str:
    """Its configuration alone, from the margin on. Raises `UnknownComponent`."""
    package = files(connector_spec(protocol).config.__module__.rpartition(".")[0])
    starter = package.joinpath(STARTER)
    if starter.is_file():
        text = starter.read_text(encoding="utf-8")
        if (usual := _URL.match(text)) is not None:
            text, url = text[usual.end() :], url or usual[1]
        return Template(text).substitute(url=url, machine=machine, name=name)
    return package.joinpath(SAMPLE).read_text(encoding="utf-8")


def write(folder: Path, protocol: str, url: str | None) -> list[Path]:
    """Writes the files and returns them. Raises `UserError` rather than touch a file that is there."""
    contents = {
        "namespace.yaml": NAMESPACE,
        "types.yaml": TYPES,
        "connectors.yaml": f"# Who publishes.\n{source(protocol, 'machine-1', MACHINE, url)}",
    }
    if taken := [name for name in contents if (folder / name).exists()]:
        raise UserError(f"{folder} has {', '.join(taken)} already; name another folder: uns init NAME")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents]


def add(folder: Path, protocol: str, name: str, machine: str, url: str | None) -> Path:
    """Writes a file of its own for a connector. Raises `UserError` where one is there, and `UnknownComponent`."""
    return save(folder, name, source(protocol, name, machine, url))


def save(folder: Path, name: str, text: str) -> Path:
    """Writes the YAML of a connector into a file of its own. Raises `UserError` where one is there."""
    file = folder / f"connector-{name}.yaml"
    if file.exists():
        raise UserError(f"{file} is there already; edit it, or name another connector")
    file.write_text(text, encoding="utf-8")
    return file
