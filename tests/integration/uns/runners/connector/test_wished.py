"""A connector that is paused, resumed and begun anew by a wish in its folder, on a real Kafka."""

import asyncio
from pathlib import Path

import pytest

from tests.contract.source_files import FilesSource
from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, NAME, World
from uns.runners.connector.ledger import FOLDER
from uns.runtime import wish
from uns.testing.source import T0


@pytest.mark.long
def test_pause_keeps_over_a_kill_resume_reads_on_and_restart_keeps_the_process(
    tmp_path: Path, kafka: str, registry: str, enterprise: str
) -> None:
    source = FilesSource(tmp_path)
    model = {"protocol": "files", "config": source.config}
    model["config"]["files"][0]["path"] = f"{enterprise}/dallas/packaging/line-1/filler"  # type: ignore[index]
    world = World.make(tmp_path, kafka, registry, enterprise, model)
    own = world.settings.state_dir / FOLDER / NAME

    def say(value: int) -> None:
        asyncio.run(source.say("State", T0 + value * 1000, value))

    def read(number: int) -> None:
        eventually(lambda: world.ledger().published == number, DEADLINE_S, f"{number} published")

    with world.process() as running:
        running.ready()
        say(1)
        read(1)
        wish.write(own, paused=True)
        eventually(lambda: wish.PAUSED in running.reasons(), DEADLINE_S, "paused")
        say(2)
    with world.process() as running:
        eventually(lambda: wish.PAUSED in running.reasons(), DEADLINE_S, "still paused after a kill")
        assert world.ledger().read == 1
        wish.write(own, paused=False)
        read(2)
        running.ready()
        pid, before = running.pid, running.log().count("source open")
        wish.write(own, restart=True)
        eventually(lambda: running.log().count("source open") > before, DEADLINE_S, "begun anew")
        running.ready()
        say(3)
        read(3)
        assert running.pid == pid
        assert running.terminate() == 0
    assert [sample.value for sample in world.samples("State")] == [1, 2, 3]
