"""`uns schema` as a user types it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import uns.cli.schema  # registers the commands
from schemas.catalog import source, sources, subject
from schemas.records import TYPES
from tests.harness.registries import OwnRegistry
from uns.cli.app import UserError, app
from uns.runtime.ports import free_port
from uns.runtime.settings import settings

Uns = Callable[..., Result]

assert uns.cli.schema


@pytest.fixture
def uns_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Uns]]:
    """The command line with UNS_REGISTRY set."""

    def at(url: str) -> Uns:
        monkeypatch.setenv("UNS_BOOTSTRAP", "127.0.0.1:1")
        monkeypatch.setenv("UNS_REGISTRY", url)
        settings.cache_clear()
        return lambda *arguments: CliRunner().invoke(app, ["schema", *map(str, arguments)])

    yield at
    settings.cache_clear()


def test_schemas_are_registered_listed_and_shown(
    kafka: str, enterprise: str, tmp_path: Path, uns_at: Callable[[str], Uns]
) -> None:
    with OwnRegistry(kafka, f"_schemas-{enterprise}", tmp_path / "log") as own:
        run = uns_at(own.url)
        assert json.loads(run("list", "--json").stdout) == []
        ids = json.loads(run("register", "--json").stdout)
        assert set(ids) == set(sources())
        assert json.loads(run("register", "--json").stdout) == ids, "twice changes nothing"
        listed = json.loads(run("list", "--json").stdout)
        assert {one["subject"]: (one["version"], one["id"]) for one in listed} == {
            name: (1, id_) for name, id_ in ids.items()
        }
        assert "uns.Tick" in run("list").stdout
        assert json.loads(run("get", "uns.Tick").stdout) == json.loads(source("Tick"))
        assert json.loads(run("get", "uns.Tick", "--version", "1", "--json").stdout) == {
            "subject": "uns.Tick",
            "version": 1,
            "id": ids["uns.Tick"],
            "schema": json.loads(source("Tick")),
        }
        missing = run("get", "uns.Nothing").exception
        assert isinstance(missing, UserError)
        assert str(missing) == "Subject 'uns.Nothing' not found; `uns schema list` shows what there is"


def test_an_absent_registry_is_named_not_traced(uns_at: Callable[[str], Uns]) -> None:
    run = uns_at(f"http://127.0.0.1:{free_port()}")
    for command in (("list",), ("get", "uns.Tick"), ("register",)):
        error = run(*command).exception
        assert isinstance(error, UserError)
        assert "does not answer" in str(error)


def test_check_passes_on_the_installed_schemas_and_finds_what_breaks_data(
    tmp_path: Path, uns_at: Callable[[str], Uns]
) -> None:
    run = uns_at("http://unused.invalid")
    assert run("check").exit_code == 0
    assert json.loads(run("check", "--json").stdout) == []
    broken = json.loads(source("Tick"))
    broken["fields"].append({"name": "zone", "type": "string"})
    bad, same, other, noise = (tmp_path / name for name in ("bad.avsc", "same.avsc", "other.avsc", "noise.avsc"))
    bad.write_text(json.dumps(broken))
    same.write_text(source("Tick"))
    other.write_text('{"type": "record", "name": "Other", "fields": []}')
    noise.write_text("{")
    assert run("check", same).exit_code == 0
    found = run("check", bad, same, other, noise, "--json")
    assert found.exit_code == 1
    words = {problem["record"]: problem["problem"] for problem in json.loads(found.stdout)}
    assert set(words) == {str(bad), str(other), str(noise)}
    assert "'Other' is no record of the namespace" in words[str(other)]
    assert "reader_field_missing_default_value at /fields/2" in run("check", bad).stdout
    assert isinstance(run("check", tmp_path / "absent.avsc").exception, UserError)
    assert {subject(name) for name in TYPES} == set(sources())
