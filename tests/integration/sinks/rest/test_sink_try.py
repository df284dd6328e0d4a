"""`uns sink try`: what would go out for a record, and with --send what the target says, judged, and through the ledger."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.responses import JSONResponse
from typer.testing import CliRunner

from schemas.text import to_plain
from tests.contract.rest_server import RestServer
from uns.cli.app import app
from uns.testing import downtime


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def plant(tmp_path: Path, server: RestServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    [mapping] = server.config["requests"]
    config = server.config | {"requests": [{**mapping, "when": {"reason": ["jam", "drive"]}}]}
    areas = {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}
    model = {
        "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": areas}}},
        "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
        "sinks": {
            "mes": {"kind": "rest", "subscribe": {"filter": "acme/#", "classes": ["downtime"]}, "config": config},
        },
    }  # fmt: skip
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    monkeypatch.setenv("UNS_PLANT", str(tmp_path / "plant"))
    monkeypatch.setenv("UNS_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def record(folder: Path, **more: Any) -> str:
    file = folder / "record.jsonl"
    file.write_text(json.dumps({"class": "downtime", "offset": 7, **to_plain(downtime(1, **more))}), encoding="utf-8")
    return str(file)


def tried(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["sink", "try", *words])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if code == 0 and "--json" in words else done.output


def test_what_would_go_out_is_shown_and_nothing_is_sent(plant: Path, server: RestServer) -> None:
    told = tried("mes", "--record", record(plant), "--json")
    natural_id = downtime(1).natural_id
    body = {"external_id": natural_id, "reason": "jam", "revision": 0}
    assert [(each["step"], each["sends"].partition(server.url)[::2], each.get("body")) for each in told] == [
        ("create", ("POST ", "/orders"), body),
        ("update", ("PATCH ", "/orders/REMOTE-ID"), body),
        ("lookup", ("GET ", f"/orders?external_id={natural_id.replace('/', '%2F').replace('#', '%23').replace('@', '%40')}"), None),
    ]  # fmt: skip
    assert server.requests == []
    assert "passes it over" in tried("mes", "--record", record(plant, reason="lunch"))
    assert "hunter2" not in str(told)


def test_what_is_answered_is_shown_judged_and_kept_in_the_ledger(plant: Path, server: RestServer) -> None:
    server.answer = lambda: JSONResponse({"error": "period closed"})
    told = tried("mes", "--record", record(plant), "--send", "--json")
    answer, outcome = told[-2:]
    assert (answer["judged"], answer["answer"]) == ("refused", '200 {"error":"period closed"}')
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "http_200")
    server.answer = None
    for _ in range(2):
        told = tried("mes", "--record", record(plant), "--send", "--json")
    assert told[-1]["outcome"] == "nothing"
    assert len(server.objects) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mes"], "say which record"),
        (["mess", "--last"], "did you mean 'mes'"),
        (["mes", "--record", "none.json"], "none.json"),
        (["mes", "--record", "{plant}"], "no record"),
    ],
)
def test_what_is_wrong_is_said(plant: Path, words: list[str], said: str) -> None:
    file = str(plant / "plant" / "plant.yaml")
    assert said in str(_error([word.format(plant=file, record=record(plant)) for word in words]))


def _error(words: list[str]) -> BaseException | None:
    return CliRunner().invoke(app, ["sink", "try", *words]).exception
