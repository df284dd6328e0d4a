"""What the topic browser says of a place, of a search and of a tag."""

import pytest

from tests.harness.fold_files import CELL, LINE, plant
from tests.unit.uns.web.browser.test_index import snapshot
from uns.web.browser.catalog import Catalog
from uns.web.browser.view import view
from uns.web.screen import UnknownPlace, Visit


def catalog() -> Catalog:
    made = Catalog.of(plant())
    made.apply(snapshot(CELL, 5, Good=7, Extra=1.5, Word="x" * 5000))
    return made


def test_a_machine_shows_its_tags_with_what_they_say() -> None:
    rows = {row["name"]: row for row in view(catalog(), Visit(CELL))["children"]["rows"]}
    assert list(rows) == ["State", "Good", "Scrap", "Reason", "Extra", "Word"]
    assert (rows["Good"]["value"], rows["Good"]["quality"], rows["Good"]["at"]) == (7, "good", 5)
    assert "value" not in rows["Scrap"]
    assert len(rows["Word"]["value"]) == 200


def test_a_search_stays_inside_its_place() -> None:
    everywhere = view(catalog(), Visit("", {"find": "good"}))["found"]
    assert [(row["path"], row["tag"]) for row in everywhere["rows"]] == [(CELL, "Good")]
    assert view(catalog(), Visit(LINE, {"find": "good"}))["found"]["rows"] == everywhere["rows"]
    assert "found" not in view(catalog(), Visit(CELL, {"find": " "}))


def test_a_tag_says_where_it_lies_and_how_to_read_it() -> None:
    tag = view(catalog(), Visit(CELL, {"tag": "Good"}))["tag"]
    assert tag["raw"] == "uns.acme.dallas.packaging.raw"
    assert tag["about"] == "good pieces counter"
    assert set(tag["snippets"]) == {"python", "shell", "kcat", "mqtt"}
    compile(tag["snippets"]["python"], "snippet", "exec")
    assert "tag" not in view(catalog(), Visit(CELL, {"tag": "Nothing"}))


def test_an_unknown_place_is_unknown_and_an_empty_plant_says_so() -> None:
    with pytest.raises(UnknownPlace):
        view(catalog(), Visit("acme/nowhere"))
    assert view(Catalog(), Visit())["children"]["count"] == 0
    assert view(catalog(), Visit("", {"from": "9" * 30}))["children"]["rows"]
