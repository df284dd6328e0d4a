"""`uns drivers` over live topics: the same answer as from a file, and the daily record, told again only when it is news."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from schemas.records import Driver, Production, Quality
from schemas.text import iso
from tests.harness.own_area import OwnArea
from tests.unit.uns.reports.test_drivers import HOUR, PLANT, T0, suppliers
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path as Place
from uns.cli.app import app
from uns.kafka.log import read
from uns.kafka.publish import Publisher
from uns.reports.drivers.material import Material, from_lines
from uns.runtime.settings import settings

pytest.importorskip("scipy")
SPAN = ("--from", iso(T0), "--to", iso(T0 + 17 * HOUR))


@pytest.fixture
def area(
    kafka: str, registry: str, enterprise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnArea]:
    folder = tmp_path / "plant"
    folder.mkdir()
    (folder / "plant.yaml").write_text(PLANT.replace("acme", enterprise))
    for name, value in (("BOOTSTRAP", kafka), ("REGISTRY", registry), ("STATE_DIR", tmp_path), ("PLANT", folder)):
        monkeypatch.setenv(f"UNS_{name}", str(value))
    settings.cache_clear()
    yield OwnArea(kafka, registry, enterprise, tmp_path)
    settings.cache_clear()


def history(area: OwnArea, folder: Path) -> tuple[str, Material]:
    """Sixteen lots of two suppliers as a file of raw records, and what the fold makes of it."""
    lines = [json.dumps(line).replace("acme", area.enterprise) for line in suppliers()]
    file = folder / "history.jsonl"
    file.write_text("\n".join(lines) + "\n")
    made = from_lines(
        (f"{line}\n".encode() for line in lines),
        lambda: load(folder / "plant", {}),
        Filter.parse("#"),
        T0,
        T0 + 17 * HOUR,
    )
    assert not made.refused
    return str(file), made


def put(area: OwnArea, made: Material) -> None:
    """As connectors and processors would have published it."""
    publisher = Publisher(area.settings, area.codec)
    for path, fact in made.facts:
        publisher.fact(Place.parse(path), fact, "test")
    for record in made.records:
        if isinstance(record, Production | Quality):
            publisher.derived(record)


def run(*arguments: str) -> tuple[dict[str, Any], str]:
    result = CliRunner().invoke(app, ["drivers", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def published(area: OwnArea) -> list[Driver]:
    log = read(area.settings, area.topic(MessageClass.DRIVER), 0)
    return [record for each in log if each.value and isinstance(record := area.codec.decode(each.value), Driver)]


def test_from_topics_it_says_what_it_says_of_a_file(area: OwnArea, tmp_path: Path) -> None:
    file, made = history(area, tmp_path)
    put(area, made)
    live, _ = run(f"{area.enterprise}/#", *SPAN)
    filed, _ = run(f"{area.enterprise}/#", "--file", file)
    assert live["factors"] == filed["factors"]
    assert live["factors"][0]["factor"].startswith("supplier")
    assert live["factors"][0]["driver"]


@pytest.mark.long
def test_the_record_of_a_day_is_published_once_and_again_when_it_is_news(area: OwnArea, tmp_path: Path) -> None:
    _, made = history(area, tmp_path)
    put(area, made)
    place = f"{area.enterprise}/dallas/packaging"
    _, said = run(f"{place}/#", *SPAN, "--publish")
    assert "published" in said
    _, again = run(f"{place}/#", *SPAN, "--publish")
    assert "nothing new" in again
    (first,) = published(area)
    assert (first.path, first.of, first.revision) == (place, "scrap", 0)
    assert first.factors[0].driver
    assert first.filter == f"{place}/#"

    late = next(record for record in made.records if isinstance(record, Production) and record.scrap)
    corrected = msgspec.structs.replace(
        late, id=late.id.rpartition(":")[0] + ":9", revision=9, scrap=late.scrap + 100, status="corrected"
    )
    Publisher(area.settings, area.codec).derived(corrected)
    _, revised = run(f"{place}/#", *SPAN, "--publish")
    assert "published" in revised
    assert [of.revision for of in published(area)] == [0, 1]
    assert published(area)[1].loss == first.loss + 100


def test_what_matches_nothing_is_said(area: OwnArea) -> None:
    result = CliRunner().invoke(app, ["drivers", "nobody/#", *SPAN])
    assert result.exit_code != 0
    assert result.exception is not None
