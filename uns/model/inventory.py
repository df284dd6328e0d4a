"""What was found at a source, as a table that people edit, and as the connector of a plant model that reads it."""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any, TextIO

import yaml
from pydantic import ValidationError

from connectors.base import ConnectorConfig, Found
from topology.model.plant import Plant
from uns.errors import UserError
from uns.model.components import connector_spec
from uns.model.starter import MACHINE, filled

COLUMNS = ("machine", "tag", "address", "type", "unit", "sample", "description", "roles")
_NEEDED = ("tag", "address")
ROWS_MAX = 100_000


# -- where it is ------------------------------------------------------------------------------------------------


def config_of(protocol: str, url: str | None, options: Sequence[str], machine: str = MACHINE) -> dict[str, Any]:
    """A configuration made of an address and `key=value` options, for what the starter says of the rest."""
    return with_options(yaml.safe_load(filled(protocol, "source", machine, url)) or {}, options)


def with_options(config: Mapping[str, Any], options: Sequence[str]) -> dict[str, Any]:
    """Raises `UserError` for an option that is none; it may be a secret, so only its key is named."""
    whole = dict(config)
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise UserError("--option: KEY=VALUE is expected, e.g. security_mode=Sign")
        try:
            whole[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--option {key}: its value is no YAML; put it into quotes") from None
    return whole


def checked(protocol: str, config: Mapping[str, Any]) -> ConnectorConfig:
    """Raises `UserError` that names each option that is wrong, and no value: it may be a secret."""
    try:
        config_type: type[ConnectorConfig] = connector_spec(protocol).config
        return config_type.model_validate(dict(config))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise UserError(f"{protocol}: {wrong}") from None


# -- as a table -------------------------------------------------------------------------------------------------


def row(found: Found) -> dict[str, Any]:
    """A line of the table, by column."""
    roles = _yaml({tag: dict(role) for tag, role in found.roles.items()}) if found.roles else ""
    cells = (found.machine, found.tag, found.address, found.type, found.unit, found.sample, found.description, roles)
    return dict(zip(COLUMNS, cells, strict=True))


def read_table(file: Path) -> list[Found]:
    """What is in a table, edited or not; spreadsheets that separate by semicolons are understood. Raises `UserError`."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            return _rows(text, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read: {error}") from error


def _rows(text: TextIO, file: Path) -> list[Found]:
    head = text.readline()
    text.seek(0)
    reader = csv.DictReader(text, delimiter=";" if head.count(";") > head.count(",") else ",")
    if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
        raise UserError(f"{file} has no column {missing[0]!r}; it has {', '.join(reader.fieldnames or ('none',))}")
    found: list[Found] = []
    for cells in reader:
        if not any((cells.get(name) or "").strip() for name in _NEEDED):
            continue
        where = f"{file}:{reader.line_num}"
        if len(found) >= ROWS_MAX:
            raise UserError(f"{where}: at most {ROWS_MAX} rows are read")
        found.append(_found(cells, where))
    if not found:
        raise UserError(f"{file} has no rows")
    return found


def _found(cells: Mapping[str, str | None], where: str) -> Found:
    own = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    for name in _NEEDED:
        if not own[name]:
            raise UserError(f"{where}: no {name}")
    try:
        roles = yaml.safe_load(own["roles"] or "{}")
    except yaml.YAMLError:
        raise UserError(f"{where}: `roles` is no YAML; leave it as it was, or empty") from None
    return Found(
        own["address"],
        own["tag"],
        own["machine"] or None,
        own["type"],
        own["unit"] or None,
        own["description"],
        own["sample"] or None,
        roles if isinstance(roles, dict) else {},
    )


# -- as a connector ---------------------------------------------------------------------------------------------


def placed(found: Iterable[Found], plant: Plant, machine: str | None) -> tuple[dict[str, list[Found]], dict[str, int]]:
    """By path of a machine what is read of it; and by their own names those that have no place in the plant, with how many
    tags they have. `machine`: the path of all. Otherwise what is called as a machine of the plant is that machine, and what
    is called nothing, or is alone, is the plant's first."""
    groups: dict[str | None, list[Found]] = {}
    for one in found:
        groups.setdefault(one.machine, []).append(one)
    paths = [str(path) for path in plant.cells()]
    by_path: dict[str, list[Found]] = {}
    strangers: dict[str, int] = {}
    for name, members in groups.items():
        path = machine or _path_of(name, paths) or (paths[0] if len(groups) == 1 or name is None else None)
        if path is None:
            strangers[str(name)] = len(members)
            continue
        prefix = f"{name}." if machine is not None and name is not None and len(groups) > 1 else ""
        by_path.setdefault(path, []).extend(_named(one, prefix) for one in members)
    return {path: _apart(members) for path, members in by_path.items()}, strangers


def connector_yaml(
    protocol: str, name: str, url: str | None, options: Sequence[str], chosen: Mapping[str, Sequence[Found]]
) -> str:
    """The file of a connector that reads what was chosen: the starter's lines, the options, and the list."""
    spec, config = connector_spec(protocol), config_of(protocol, url, options)
    assert spec.listing is not None, f"{protocol} browses and cannot write down what it found"
    listing = spec.listing(checked(protocol, config), chosen)
    given = {key: config[key] for key in dict.fromkeys(option.partition("=")[0] for option in options)}
    own = {*given, *(match[1] for match in re.finditer(r"^(\w+):", listing, re.MULTILINE))}
    starter = filled(protocol, name, next(iter(chosen)), url)
    blocks = re.split(r"(?m)^(?=\w+:)", starter)
    kept = [block for block in blocks if block.partition(":")[0] not in own]
    text = "".join(kept) + (yaml.safe_dump(given, sort_keys=False) if given else "") + f"{listing}\n"
    return f"{_roles(chosen)}connectors:\n  {name}:\n    protocol: {protocol}\n    config:\n{indent(text, ' ' * 6)}"


def _roles(chosen: Mapping[str, Sequence[Found]]) -> str:
    """What the source's own model says of roles, as a comment: whose types these are only the plant knows."""
    lines: list[str] = []
    for path, members in chosen.items():
        roles = [entry for one in members for entry in one.roles.items()]
        lines += [f"# {path}"] if roles else []
        lines += [f"#   {_flow({tag: role})}" for tag, role in roles]
    if not lines:
        return ""
    return "\n".join(("# By its own information model the source has these; what is right belongs under `tags` of a type:", *lines, ""))  # fmt: skip


def _flow(entry: Mapping[str, Any]) -> str:
    """One line of YAML."""
    ((tag, role),) = entry.items()
    return f"{yaml.safe_dump(tag, width=math.inf).partition(chr(10))[0]}: {_yaml(dict(role))}"


def _yaml(value: object) -> str:
    """In one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf)
    return str(text).strip()


def _path_of(name: str | None, paths: Sequence[str]) -> str | None:
    """The one machine that goes by a name; what is written down with its path is that."""
    if name is None or name in paths:
        return name
    own = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    fitting = [path for path in paths if path.rpartition("/")[2] == own]
    return fitting[0] if len(fitting) == 1 else None


def _named(found: Found, prefix: str) -> Found:
    return replace(
        found, tag=f"{prefix}{found.tag}", roles={f"{prefix}{tag}": role for tag, role in found.roles.items()}
    )


def _apart(members: Sequence[Found]) -> list[Found]:
    """No tag twice: from the second on with the address behind it."""
    seen: set[str] = set()
    told: list[Found] = []
    for one in members:
        told.append(one if one.tag not in seen else replace(one, tag=f"{one.tag}@{one.address}", roles={}))
        seen.add(one.tag)
    return told
