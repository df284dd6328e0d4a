"""Templates: what they name, what they make of a record, what they refuse."""

from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.kit.template import BadTemplate, UnfitValue, check, check_url, fields, fill, fill_url

VALUES = {
    "path": "acme/dallas/packaging/line-1/filler",
    "good": 9,
    "oee": 0.5,
    "open": True,
    "order": None,
    "rules": [1],
    "at": "2026-10-25T00:30:00.250000+00:00",
    "later": "2026-10-25T00:31:30.250000+00:00",
    "maps": SimpleNamespace(lines={"line-1": "L1"}),
}
KNOWN = {*VALUES, "maps.lines"} - {"maps"}
NAMES = st.sampled_from(sorted(set(VALUES) - {"maps"}))
PLAIN = st.text(st.characters(exclude_characters="{}\r", exclude_categories=["Cs"]))
JSON: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{good}", 9),
        ("{oee}", 0.5),
        ("{open}", True),
        ("{rules}", [1]),
        ("{order}", None),
        ("{order|none}", "none"),
        ("{order|}", ""),
        ("{good|none}", 9),
        ("made {good} of {order}", "made 9 of "),
        ("made {good} of {order|no order}", "made 9 of no order"),
        ("{path[0]}", "acme"),
        ("{path[4]}", "filler"),
        ("{path[5]}", None),
        ("{path[5]|whole line}", "whole line"),
        ("{path[3]} {path[4]}", "line-1 filler"),
        ("{{ '{' }}{good}{{ '}' }}", "{9}"),
        ("{good}{good}", "99"),
        ("{{ good }}", 9),
        ("{{ good + 1 }}", 10),
        ("{{ good / (good + 1) }}", 0.9),
        ("{{ (oee * 100) | round | int }} %", "50 %"),
        ("{{ '%.1f' | format(oee * 100) | replace('.', ',') }}", "50,0"),
        ("{{ 'HIGH' if good > 5 else 'LOW' }}", "HIGH"),
        ("{% if open %}open{% else %}closed{% endif %}", "open"),
        ("{{ {'a': {'b': 1}}['a']['b'] }}", 1),
        ("{{ [good, oee] }}", [9, 0.5]),
        ("{{ maps.lines[path | level(3)] }}", "L1"),
        ("{{ 'ä/b#1' | digest }}", "6d1e0fb8ad2814d05ff6e091809eb495"),
        ("{{ 'ä/b#1' | digest(16) }}", "6d1e0fb8ad2814d0"),
        ("{{ 'ä/b#1' | uuid }}", "28cdc164-d6da-5a08-93d3-7d09c97581ba"),
        ("{{ maps.lines.get(order, 'other') }}", "other"),
        ("{{ '12' | int }}", 12),
        ("{{ path | level(4) | upper }}", "FILLER"),
        ("{{ at | time }}", "2026-10-25T00:30:00+00:00"),
        ("{{ at | time('%d.%m.%Y %H:%M', 'Europe/Berlin') }}", "25.10.2026 02:30"),
        ("{{ at | time(zone='America/Chicago') }}", "2026-10-24T19:30:00-05:00"),
        ("{{ (later | epoch_s) - (at | epoch_s) }}", 90),
        ("{{ at | epoch_ms }}", 1792888200250),
        ("{{ order | time }}", None),
        ({"a": "{{ omit }}", "b": ["{{ good }}", "{{ omit if order is none else order }}"]}, {"b": [9]}),
        (
            {"codes": {"{% for rule in rules %}": {"code": "{{ rule + good }}", "of": "{path[4]}"}}},
            {"codes": [{"code": 10, "of": "filler"}]},
        ),
        ("", ""),
        (7, 7),
        (None, None),
        ({"a": ["{good}", {"b": "{oee}"}], "{good}": 1}, {"a": [9, {"b": 0.5}], "{good}": 1}),
    ],
)
def test_filled(template: Any, filled: Any) -> None:
    found = fill(template, VALUES)
    assert found == filled
    assert type(found) is type(filled)


def test_values_are_quoted_in_an_address_and_the_template_is_not() -> None:
    assert fill_url("/a?id={path}&n={good}", VALUES) == "/a?id=acme%2Fdallas%2Fpackaging%2Fline-1%2Ffiller&n=9"


@pytest.mark.parametrize(
    "template",
    [
        "orders",
        "{path}",
        "{path}/orders",
        "//evil.example/orders",
        "@evil.example/orders",
        ".evil.example/orders",
        "http://evil.example",
        ":8080/orders",
        "/orders/../confirm",
        "/orders/./x",
        "/orders/%2e%2E/confirm",
        "/..",
        "/orders\\..\\confirm",
        "/orders#{good}",
        "/orders\r\nHost: evil",
        "",
    ],
)
def test_a_template_that_leaves_the_target_is_refused(template: str) -> None:
    with pytest.raises(BadTemplate, match="url"):
        check_url(template, set(VALUES))


@pytest.mark.parametrize(
    "template", ["/", "/orders", "/orders/", "/Downtime Entry/..x", "/a?x=../..&n={good}", "/a/{{ good + 1 }}"]
)
def test_a_template_that_stays_is_taken(template: str) -> None:
    check_url(template, set(VALUES))
    assert fill_url(template, VALUES)


@pytest.mark.parametrize("value", [".", "..", "", None])
def test_a_value_that_makes_another_resource_of_the_address_is_refused(value: object) -> None:
    for template in ("/orders/{id}", "/orders/{id}/confirm", "/orders/{id}?x=1", "/{id}"):
        with pytest.raises(UnfitValue, match="another resource"):
            fill_url(template, {"id": value})
    assert fill_url("/orders?x={id}", {"id": value})  # a query leads nowhere


def test_parts_that_only_together_lead_away_are_refused() -> None:
    with pytest.raises(UnfitValue, match="another resource"):
        fill_url("/orders/{a}{b}", {"a": ".", "b": "."})
    with pytest.raises(UnfitValue, match="another resource"):
        fill_url("/orders/.{a}", {"a": "."})


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UnfitValue, match="surrogate"):
        fill_url("/orders?x={id}", {"id": "\ud800"})


def test_an_expression_is_quoted_in_an_address_as_a_field_is() -> None:
    assert fill_url("/a/{{ path | replace('acme', '..') }}?x={{ order }}", VALUES).startswith("/a/..%2Fdallas%2F")
    with pytest.raises(UnfitValue, match="another resource"):
        fill_url("/a/{{ '.' ~ '.' }}", VALUES)
    with pytest.raises(BadTemplate, match="segments must be fixed"):
        check_url("/a{% if open %}/b{% endif %}", set(VALUES))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ order + 1 }}", "NoneType"),
        ("{{ order | digest }}", "of nothing"),
        ("{{ order | uuid }}", "of nothing"),
        ("{{ path | digest(8) }}", "16 to 64"),
        ("{{ good / 0 }}", "division by zero"),
        ("{{ maps.lines[order] }}", "None"),
        ("{{ maps.lines['line-9'] }}", "line-9"),
        ("{{ path | int }}", "invalid literal"),
        ("{{ path | time }}", "isoformat"),
        ("{{ path * 9 }}", "between numbers only"),
        ("{{ good ** 9 }}", "between numbers only"),
        ("{{ path.__class__ }}", "unsafe"),
        ("{{ rules.append(2) }}", "not safely callable|unsafe"),
        ({"{% for x in good %}": 1}, "no list"),
    ],
)
def test_what_a_record_cannot_give_is_said(template: Any, words: str) -> None:
    check(template, KNOWN)
    with pytest.raises(UnfitValue, match=words):
        fill(template, VALUES)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ goood }}", "no field goood; did you mean 'good'"),
        ("{{ good | rond }}", "no filter named 'rond'|no filter rond"),
        ("{{ maps.lnes[order] }}", "no field maps.lnes; did you mean 'maps.lines'"),
        ("{{ at | time('%H', 'Europe/Berln') }}", "no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'"),
        ("{{ path[2] }}", "a letter of the path"),
        ("{% include 'x' %}", "no other templates"),
        ("{{ range(9) }}", "no field range"),
        ("{{ good", "is no template"),
        ("{% for x in rules %}", "is no template"),
        ({"{% for x in rulez %}": "{{ x }}"}, "no field rulez; did you mean 'rules'"),
        ({"{% for x in rules %}": "{{ y }}"}, "no field y"),
        ("{{", "is no template"),
        ("a}}b", "brace"),
    ],
)
def test_what_no_record_could_give_is_said_before_there_is_one(template: Any, words: str) -> None:
    with pytest.raises(BadTemplate, match=words):
        check(template, KNOWN)


@pytest.mark.parametrize("template", ["{none_such}", "a {none_such|word} b", "{none_such[1]}", {"x": ["{none_such}"]}])
def test_an_unknown_field_is_named(template: Any) -> None:
    with pytest.raises(BadTemplate, match=r"no field none_such; there are good, oee"):
        check(template, {"oee", "good"})


@pytest.mark.parametrize(
    "template", ["{Good}", "{good", "good}", "{}", "{good[10]}", "{good[-1]}", "{good.x}", "{ good }", "{order|a{b}"]
)
def test_a_brace_that_is_no_placeholder_is_refused(template: str) -> None:
    with pytest.raises(BadTemplate, match="brace"):
        check(template, set(VALUES))


@given(JSON)
def test_one_placeholder_keeps_value_and_type(value: object) -> None:
    found = fill("{good}", {"good": value})
    assert found == value
    assert type(found) is type(value)


@given(PLAIN)
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    check(text, set())
    assert fields(text) == set()
    assert fill(text, {}) == text


@given(st.text())
def test_whatever_is_written_is_a_template_or_refused_in_words(text: str) -> None:
    with suppress(BadTemplate):
        check(text, set(VALUES))


@given(st.lists(st.tuples(PLAIN, NAMES), min_size=1), PLAIN)
def test_a_text_of_parts_is_its_parts(parts: list[tuple[str, str]], end: str) -> None:
    template = "".join(f"{text}{{{name}}}" for text, name in parts) + end
    check(template, set(VALUES))
    assert fields(template) == {name for _, name in parts}
    if template != f"{{{parts[0][1]}}}":
        words = {name: "" if value is None else str(value) for name, value in VALUES.items()}
        assert fill(template, VALUES) == "".join(text + words[name] for text, name in parts) + end


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_value_never_leaves_its_place_in_an_address(value: str) -> None:
    if value in ("", ".", ".."):
        with pytest.raises(UnfitValue):
            fill_url("/orders/{id}/end", {"id": value})
        return
    _, orders, inner, end = fill_url("/orders/{id}/end", {"id": value}).split("/")
    assert (orders, unquote(inner), end) == ("orders", value, "end")
