"""`uns run i3x` over a real Kafka, asked by CESMII's own client."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import i3x
import pytest
import yaml

from schemas.records import Sample, Samples
from tests.harness.i3x import snapshot
from tests.harness.line_logs import plant
from tests.harness.own_area import OwnArea
from tests.harness.records import PATH, T
from tests.harness.waiting import eventually
from uns.i3x.space import tag_id
from uns.runtime.ports import free_port

S = 1_000_000


def process(kafka: str, registry: str, folder: Path, model: Path, port: int) -> "subprocess.Popen[bytes]":
    environ = os.environ | {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_STATE_DIR": str(folder),
        "UNS_PLANT": str(model),
    }
    (folder / "credentials").write_text("bearer tok-1\n", encoding="utf-8")
    command = [sys.executable, "-m", "uns", "run", "i3x", "--port", str(port), "--credentials", f"{folder}/credentials"]
    with (folder / "log").open("wb") as output:
        return subprocess.Popen(command, env=environ, stdout=output, stderr=output)


@pytest.mark.long
def test_browse_read_and_hear_by_the_public_client(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    area = OwnArea(kafka, registry, enterprise, tmp_path)
    model = plant().model_dump(mode="json", exclude_unset=True)
    model["namespace"]["enterprise"] = enterprise
    model["kpi_definitions"] = {}
    file = tmp_path / "plant"
    file.mkdir()
    (file / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    area.write(
        [Samples("plc", 1, (Sample("Good", T, 6), Sample("Good", T + S, 7))), snapshot(T + S, Sample("Good", T + S, 7))]
    )
    path, port = PATH.replace("acme", enterprise, 1), free_port()
    good = tag_id(path, "Good")
    running = process(kafka, registry, tmp_path, file, port)
    try:
        client = i3x.Client(f"http://127.0.0.1:{port}/v1", token="tok-1")

        def connected() -> bool:
            assert running.poll() is None, (tmp_path / "log").read_text()
            try:
                client.connect()
            except i3x.I3XError as error:
                raise AssertionError(str(error)) from error
            return True

        eventually(connected, 60, "the server")
        eventually(lambda: client.get_value(path).value is not None, 60, "the first snapshot")
        assert client.get_value(path, max_depth=0).components[good].value == 7
        (root,) = client.get_objects(root=True)
        assert root.element_id == enterprise
        known = {kind.element_id for kind in client.get_object_types()}
        assert {each.type_element_id for each in client.get_objects()} <= known
        history = client.get_history(good, "2026-11-18T11:06:40Z", "2026-11-18T11:10:00Z")
        assert [vqt.value for vqt in history.values] == [6, 7]
        _hears(client, area, good)
        client.disconnect()
        running.terminate()
        assert running.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        running.kill()
        running.wait()


def _hears(client: Any, area: OwnArea, good: str) -> None:
    """By sync, and by the stream."""
    subscription = client.create_subscription("test")
    client.register_items(subscription, [good])
    area.write([snapshot(T + 2 * S, Sample("Good", T + 2 * S, 8), last_seen=T + 2 * S)])
    got: list[Any] = []

    def synced() -> bool:
        for batch in client.sync_subscription(subscription, last_sequence_number=None):
            got[:] = [update.value for update in batch.updates]
        return got[-1:] == [8]

    eventually(synced, 30, "8 by sync")
    client.sync_subscription(subscription, last_sequence_number=-1)
    heard: list[Any] = []
    client.on_value_change = lambda _client, change: heard.append(change.value)
    client.start_stream(subscription)
    area.write([snapshot(T + 3 * S, Sample("Good", T + 3 * S, 9), last_seen=T + 3 * S)])
    eventually(lambda: 9 in heard, 30, "9 by the stream")
    client.stop_stream(subscription)
