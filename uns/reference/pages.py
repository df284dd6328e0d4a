"""Which pages are written from the code, and whether those on disk are current."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from topology.kpi.definition import Definition
from topology.model.plant import Plant
from topology.vocabulary import CATEGORIES, MODES
from uns.engine.config import EngineConfig
from uns.model.components import CONNECTORS, SINKS, connector_spec, names, profiles, sink_spec
from uns.reference.options import tables, variables
from uns.reference.profiles import page
from uns.reference.records import records_page
from uns.runtime.settings import Settings

_PLANT = """The keys of the YAML files in a plant folder. What is in an entry of `kpi_definitions`: [KPI definition](kpi.md). What is in
the `config` of a connector or a sink: [its own page](README.md). `${NAME}` and `${NAME:-default}` in a value come from the
environment."""
_NOTE = "Written from the code by `uns docs`; a change here is lost.\n"


def pages() -> dict[str, str]:
    """Path below `docs/` → text. Connectors and sinks are those that are installed, ours and others'."""
    connectors = {name: connector_spec(name) for name in names(CONNECTORS)}
    sinks = {name: sink_spec(name) for name in names(SINKS)}
    components: dict[str, str] = {}
    for name, connector in connectors.items():
        text = f"`connectors.NAME.config` with `protocol: {name}`: {connector.summary}."
        components[f"reference/connectors/{name}.md"] = _page(
            f"Options of the {name} connector", text, connector.config
        )
    for name, sink in sinks.items():
        text = f"`sinks.NAME.config` with `kind: {name}`: {sink.summary}."
        components[f"reference/sinks/{name}.md"] = _page(f"Options of the {name} sink", text, sink.config)
    return {
        "records.md": records_page(),
        "reference/README.md": _index(components),
        "reference/plant.md": _page("Plant model", _PLANT, Plant),
        "reference/kpi.md": _page(
            "KPI definition", "An entry of `kpi_definitions`; what it means: [kpi.md](../kpi.md).", Definition
        ),
        "reference/words.md": _words(),
        "reference/settings.md": _settings(),
        "reference/profiles.md": page(_NOTE, profiles()),
        **components,
    }


def stale(folder: Path) -> list[str]:
    """Pages below `folder` that are missing or not what the code says."""
    return [name for name, text in pages().items() if _read(folder / name) != text]


def write(folder: Path) -> list[str]:
    """Writes the pages that are stale below `folder` and returns them."""
    written = stale(folder)
    texts: Mapping[str, str] = pages() if written else {}
    for name in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(texts[name], encoding="utf-8")
    return written


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _page(title: str, text: str, model: type[BaseModel]) -> str:
    return _lines([f"# {title}", text, "", _NOTE, *tables(model)])


def _index(components: Iterable[str]) -> str:
    own = (
        ("plant.md", "the plant model"),
        ("kpi.md", "KPI definitions"),
        ("words.md", "the words that decide something"),
        ("profiles.md", "profiles of sinks: known systems of record"),
        ("settings.md", "settings of processes, by environment variable"),
        ("../records.md", "records and their fields"),
    )
    links = [f"- [{text}]({page})" for page, text in own]
    for component in components:
        page = component.removeprefix("reference/")
        kind, name = page.removesuffix(".md").split("/")
        links.append(f"- [{name}]({page}): the {kind.removesuffix('s')}'s options")
    return _lines(["# Reference", _NOTE, *links])


def _words() -> str:
    lines = [
        "# Words that decide something",
        _NOTE,
        "Words of your own are possible beside these. `uns lint` warns of one that no rule of the KPI definition names.",
        "Another spelling of one of these (`Production`, `break-down`) is refused.",
    ]
    for title, words in (("Unit modes", MODES), ("Reason categories", CATEGORIES)):
        lines += ["", f"## {title}", "| Word | What it does |", "|---|---|"]
        lines += [f"| `{word}` | {meaning} |" for word, meaning in words.items()]
    return _lines(lines)


def _settings() -> str:
    lines = ["# Settings", "Environment variables that every process reads.", "", _NOTE, *variables(Settings, "UNS_")]
    lines += ["", "## Engine", "Further ones of `uns run processors`.", "", *variables(EngineConfig, "UNS_ENGINE_")]
    return _lines(lines)
