"""Two sinks of one plant, of which one target hangs: the other has everything, and both say how they are."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from tests.contract.rest_server import RestServer
from tests.harness import eventually
from tests.integration.uns.runners.sink.site import DEADLINE_S, Site
from uns.cli.app import app
from uns.local.doctor import Verdict, _sinks
from uns.runtime.child import Child
from uns.runtime.ports import free_port
from uns.runtime.settings import settings
from uns.testing import downtime


class Two(Site):
    """A site whose sink `rest` has a brother, `erp`, over the same topics."""

    def __init__(
        self, folder: Path, kafka: str, registry: str, enterprise: str, mes: RestServer, erp: RestServer
    ) -> None:
        super().__init__(folder, kafka, registry, enterprise, "rest", mes.config | {"timeout_s": 300})
        file = folder / "plant" / "plant.yaml"
        model = yaml.safe_load(file.read_text(encoding="utf-8"))
        model["sinks"]["erp"] = {**model["sinks"]["rest"], "config": erp.config}
        file.write_text(yaml.safe_dump(model), encoding="utf-8")
        self.erp_port = free_port()
        environ = self._environ | {"UNS_METRICS_PORT": str(self.erp_port)}
        command = [sys.executable, "-m", "uns", "run", "sink", "erp"]
        self.erp = Child(command, folder / "erp.log", environ)

    def uns(self, *arguments: str) -> tuple[int, Any]:
        settings.cache_clear()
        try:
            said = CliRunner().invoke(app, [*arguments, "--json"], env=self._environ)
            return said.exit_code, json.loads(said.stdout)
        finally:
            settings.cache_clear()

    def gauge(self, port: int, name: str) -> float:
        try:
            text = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx2.TransportError:
            return -1.0
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), -1.0)


@pytest.fixture
def servers() -> Iterator[tuple[RestServer, RestServer]]:
    with ExitStack() as stack:
        yield stack.enter_context(RestServer().serving()), stack.enter_context(RestServer().serving())


@pytest.fixture
def two(
    tmp_path: Path, kafka: str, registry: str, enterprise: str, servers: tuple[RestServer, RestServer]
) -> Iterator[Two]:
    found = Two(tmp_path, kafka, registry, enterprise, *servers)
    yield found
    found.stop()
    found.erp.kill()


@pytest.mark.long
def test_a_target_that_hangs_holds_back_nobody_else(two: Two, servers: tuple[RestServer, RestServer]) -> None:
    mes, erp = servers
    goes_on = threading.Event()

    def hang() -> None:
        goes_on.wait()  # an answer that does not come, and nothing that is closed

    mes.answer = hang
    two.start()
    count = 40
    try:
        for n in range(count):
            cell = two.cells[n % 3]
            two.tell(cell, downtime(n, path=str(cell)))
        two.producer.flush()
        eventually(lambda: two.running() and len(erp.objects) == count, DEADLINE_S, "the other has all")
        eventually(lambda: two.gauge(two.port, "uns_sink_oldest_undelivered_seconds") > 0, DEADLINE_S)
        eventually(lambda: two.gauge(two.port, "uns_sink_lag") == count, DEADLINE_S, "its lag is all of them")
        eventually(lambda: two.gauge(two.erp_port, "uns_sink_lag") == 0, DEADLINE_S)
        assert two.gauge(two.erp_port, "uns_sink_oldest_undelivered_seconds") == 0
        assert mes.objects == []
    finally:
        goes_on.set()
        mes.answer = None
    eventually(lambda: two.running() and len(mes.objects) == count, DEADLINE_S, "it goes on")
    two.drained()
    ids = sorted(downtime(n, path=str(two.cells[n % 3])).natural_id for n in range(count))
    assert sorted(one["external_id"] for one in mes.objects) == sorted(one["external_id"] for one in erp.objects) == ids

    def level() -> bool:
        code, told = two.uns("sink", "status")
        return (
            code == 0 and [(told[name]["written"], told[name]["lag"]) for name in ("erp", "rest")] == [(count, 0)] * 2
        )

    eventually(level, DEADLINE_S, "both say so")
    place = two.settings.model_copy(update={"state_dir": Path(two._environ["UNS_STATE_DIR"])})
    assert {finding.verdict for finding in _sinks(place)} == {Verdict.OK}


def test_status_names_what_a_sink_waits_for(two: Two, servers: tuple[RestServer, RestServer]) -> None:
    from starlette.responses import PlainTextResponse

    servers[1].answer = lambda: PlainTextResponse("maintenance", 503)
    cell = two.cells[0]
    two.tell(cell, downtime(1, path=str(cell)))
    two.producer.flush()

    def says() -> bool:
        code, told = two.uns("sink", "status")
        return code == 1 and "maintenance" in " ".join(told.get("erp", {}).get("problems", ()))

    eventually(says, DEADLINE_S, "the target's words")
    assert two.uns("sink", "status")[1]["erp"]["retries"] >= 1
