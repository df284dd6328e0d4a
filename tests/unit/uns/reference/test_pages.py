"""The pages that are written from the code are current, and tell every option with what to write there."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter
from typer.testing import CliRunner

import uns.cli.docs  # noqa: F401
from topology.kpi.definition import Definition
from topology.model.plant import Plant
from uns.cli.app import app
from uns.engine.config import EngineConfig
from uns.model.components import CONNECTORS, SINKS, connector_spec, names, sink_spec
from uns.reference.options import Option, heading, models, options
from uns.reference.pages import pages, stale
from uns.runtime.settings import Settings

DOCS = Path(__file__).parents[4] / "docs"
TOPS: list[type[BaseModel]] = [
    Plant,
    Definition,
    Settings,
    EngineConfig,
    *(connector_spec(name).config for name in names(CONNECTORS)),
    *(sink_spec(name).config for name in names(SINKS)),
]
OPTIONS = {
    f"{option.model.__module__}.{option.model.__name__}.{option.key}": option for top in TOPS for option in options(top)
}


def test_the_pages_are_current() -> None:
    assert stale(DOCS) == [], "write them anew: uns docs"


def test_no_page_is_left_of_what_is_gone() -> None:
    there = {str(page.relative_to(DOCS)) for page in (DOCS / "reference").rglob("*.md")}
    assert there == {name for name in pages() if name.startswith("reference/")}


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_option_says_what_it_is_and_what_to_write(option: Option) -> None:
    assert option.field.description, "a description"
    assert option.shown, "a default that is a value, or an example"
    annotation: Any = (
        Annotated[option.field.annotation, *option.field.metadata] if option.field.metadata else option.field.annotation
    )
    for example in option.field.examples or ():
        TypeAdapter(annotation).validate_python(example)


@pytest.mark.parametrize("top", TOPS, ids=lambda top: top.__name__)
def test_every_model_says_its_purpose_under_a_heading_of_its_own(top: type[BaseModel]) -> None:
    parts = models(top)
    assert all((model.__doc__ or "").strip() for model in parts)
    assert len({heading(model) for model in parts}) == len(parts)


def test_every_option_is_on_a_page() -> None:
    told = "\n".join(pages().values()).lower()
    assert len(OPTIONS) > 150
    for option in OPTIONS.values():
        assert f"{option.key.lower()}` |" in told, option


def test_the_command_writes_what_is_stale_and_checks(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["docs", str(tmp_path), "--check"]).exit_code != 0
    assert not list(tmp_path.iterdir()), "a check writes nothing"
    result = run(app, ["docs", str(tmp_path)])
    assert result.exit_code == 0
    assert {line.removeprefix(f"wrote {tmp_path}/") for line in result.stdout.splitlines()} == set(pages())
    assert run(app, ["docs", str(tmp_path), "--check"]).stdout == f"{tmp_path}: current\n"
    (tmp_path / "reference" / "plant.md").write_text("older")
    assert run(app, ["docs", str(tmp_path), "--check"]).exit_code != 0
    assert run(app, ["docs", str(tmp_path)]).stdout == f"wrote {tmp_path}/reference/plant.md\n"
