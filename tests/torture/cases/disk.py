"""Disks that are full: the broker's, and a worker's."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.waiting import eventually
from tests.torture.broker import Broker
from tests.torture.case import Skipped, Stage, case, needs
from tests.torture.room import Room

FILLER = "filler"
CHUNK = bytes(64 * 1024)


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A file system of its own at `folder`, in memory. Raises `Skipped` where root may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "none", str(folder)]
    if (done := subprocess.run(mount, capture_output=True, text=True)).returncode:
        raise Skipped(f"needs to mount a file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Takes all the space there is."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        try:
            while True:
                file.write(CHUNK)
        except OSError:
            pass
        try:
            while True:
                file.write(b"\0")
        except OSError:
            pass


@case("disk-full-broker")
def disk_full_broker(stage: Stage) -> None:
    """The broker's log disk is full, then freed: sources wait, it is said, nothing is lost, everything goes on."""
    needs("mount", "umount")
    folder = stage.folder("disk-full-broker")
    with (
        small_disk(folder / "data", 300) as disk,
        Broker(folder) as broker,
        Room(stage.services, seed=stage.seed, bootstrap=broker.address) as room,
        room.load() as load,
    ):
        with room.supervised(0):
            room.area.passed()
            fill(disk)
            # Kafka cannot trust a log it cannot write: it stops, and says why.
            eventually(lambda: not broker.running, 120, "the broker stops")
            assert "No space left on device" in broker.log.read_text(encoding="utf-8", errors="replace")
            broker.kill()
            said, acknowledged = load.said, load.acknowledged
            eventually(lambda: load.said > said + 100, 60, "the sources talk on")
            assert load.acknowledged == acknowledged, "what nobody wrote nobody acknowledges"
            (disk / FILLER).unlink()
            broker.start()
            eventually(lambda: load.acknowledged > said, 60, "the load goes on")
            room.area.passed(180)
            load.stop()
            room.area.passed()
        room.exact()


@case("disk-full-worker")
def disk_full_worker(stage: Stage) -> None:
    """The worker's state folder has no space at all: it works on, for its state is in Kafka."""
    needs("mount", "umount")
    with Room(stage.services, seed=stage.seed) as room, small_disk(room.folder / "state", 1) as disk:
        fill(disk)
        assert os.statvfs(disk).f_bavail == 0
        with room.load() as load:
            room.worker()
            room.area.passed()
            room.workers[0].kill()
            room.worker()
            load.stop()
        room.exact()
        assert "Traceback" not in room.workers[-1].text()
