"""One's own options over a profile's: what is changed, what stays, what is refused, and at which line."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sinks.rest.config import RestConfig
from sinks.rest.profiles import load, merged, names
from uns.model import starter
from uns.model.lint import check

OWN = {
    "profile": "erpnext-mes",
    "base_url": "https://erp.example.com",
    "auth": {"secret_file": "/run/secrets/erpnext"},
    "maps": {
        "workstations": {"acme/dallas/packaging/line-1/filler": "F1"},
        "stop_reasons": {"other": "Other"},
        "erpnext": {"operator": "HR-EMP-1"},
    },
}


def valid(**more: Any) -> RestConfig:
    return RestConfig.model_validate({**OWN, **more})


def entry(**more: Any) -> dict[str, Any]:
    return {"requests": [{"name": "downtime-entry", **more}]}


def words(options: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        RestConfig.model_validate(options)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def test_what_is_not_said_is_the_profiles() -> None:
    [request] = valid().requests
    theirs = load("erpnext-mes").config["requests"][0]
    assert request.create.body == theirs["create"]["body"]
    assert request.lookup is not None
    auth = valid().auth
    assert auth is not None
    assert (auth.kind, getattr(auth, "prefix", None)) == ("header", "token ")


def test_each_option_can_be_changed_alone() -> None:
    body = {"more_details": "{reason|none}", "operator": "{{ omit }}", "extra": 1}
    [request] = valid(**entry(create={"body": body}, cancel=None)).requests
    theirs = load("erpnext-mes").config["requests"][0]["create"]
    assert request.create.body == {**theirs["body"], **body}
    assert request.create.url == theirs["url"]
    assert request.cancel is None, "null takes it out"
    assert load("erpnext-mes").config["requests"][0]["create"] == theirs, "the profile itself is as it was"


def test_a_condition_is_one_thing_and_so_is_another_kind_of_auth() -> None:
    [request] = valid(**entry(when={"kind": "stop"})).requests
    assert request.when == {"kind": "stop"}
    oauth2 = {"kind": "oauth2", "token_url": "https://a/t", "client_id": "uns", "secret": "x"}
    assert valid(auth=oauth2).auth == RestConfig.model_validate({**OWN, "auth": oauth2}).auth
    assert valid(auth=oauth2).auth.kind == "oauth2"  # type: ignore[union-attr]


def test_requests_of_ones_own_stand_beside_and_others_are_left_out() -> None:
    mine = {"class": "alert", "create": {"url": "/api/resource/ToDo", "body": {"description": "{message}"}}}
    both = valid(requests=[mine]).requests
    assert [request.known_as for request in both] == ["alert", "downtime-entry"]
    [alone] = valid(requests=[mine], without=["downtime-entry"]).requests
    assert alone.known_as == "alert"


def test_what_cannot_be_is_said_where_it_stands() -> None:
    assert words({**OWN, "profile": "erpnext-mess"}) == [
        (("profile",), "there is no profile 'erpnext-mess'; did you mean 'erpnext-mes'?")
    ]
    [(where, said)] = words({**OWN, "requests": [{"name": "downtime-entri", "when": {}}]})
    assert where == ("requests", 0)
    assert "did you mean 'downtime-entry'?" in said
    [(where, said)] = words({**OWN, "without": ["downtime"]})
    assert where == ("without", 0)
    [(where, said)] = words({**OWN, "maps": {**OWN["maps"], "erpnext": {}}})  # type: ignore[dict-item]
    assert where == ("profile",)
    assert "erpnext-mes needs maps.erpnext.operator: the Employee who stands for us" in said
    (where, said), *_ = words({**OWN, **entry(create={"body": {"x": "{reasn}"}})})
    assert where == ("requests", 0)
    assert "no field reasn; did you mean 'reason'?" in said
    assert words({**OWN, "profile": 3})[0][0] == ("profile",)
    assert words({**OWN, "requests": "x"})[0][0] == ("requests",)


@given(st.sampled_from(names()), st.dictionaries(st.sampled_from(["requests", "without", "auth", "maps", "profile"]), st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none() | st.text(max_size=3) | st.dictionaries(st.sampled_from(["name", "class", "create"]), st.none() | st.integers() | st.text(max_size=3)), max_size=3)))  # fmt: skip
def test_whatever_is_written_is_valid_or_refused(name: str, own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RestConfig.model_validate({"profile": name, **own})


def test_merging_again_changes_nothing() -> None:
    once = merged(OWN, "RestConfig")
    assert merged(once, "RestConfig") == once


def test_lint_names_the_line_of_ones_own_file(tmp_path: Path) -> None:
    starter.write(tmp_path, "opcua", None)
    (tmp_path / "sinks.yaml").write_text(
        "sinks:\n  odoo:\n    kind: rest\n    subscribe: {filter: '#', classes: [downtime]}\n    config:\n"
        "      profile: odoo-cmms\n      base_url: https://odoo.example.com\n      auth: {secret_file: /s}\n"
        "      maps: {equipment: {a: 1}}\n      requests:\n        - name: maintenance-request\n"
        "          update: {url: 'write'}\n"
    )
    problems, _ = check(tmp_path, {})
    [problem] = [each for each in problems if "sinks" in each.where]
    assert "must begin with one /" in problem.message
    assert (Path(problem.file).name, problem.line) == ("sinks.yaml", 11)
