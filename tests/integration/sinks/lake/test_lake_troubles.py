"""What may go wrong around a lake: the words say what to do, and nothing is lost, doubled or written into strangers' tables."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import sinks.lake.format
import sinks.lake.table
from sinks.base import Retryable, Sink, Taken
from sinks.lake import spec
from tests.integration.sinks.lake.log import RAW
from tests.integration.sinks.lake.test_lake import lake, offsets, one
from uns.testing import delivery, downtime


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system of our own needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


async def opened(url: str, name: str = "lake", **config: Any) -> Sink:
    sink = lake(url, name, **config)
    await sink.open()
    return sink


def test_a_full_disk_is_waited_for(disk: Path) -> None:
    url = str(disk / "lake")
    ballast = disk / "ballast"

    async def go() -> None:
        sink = await opened(url)
        assert await sink.write([one(0)], {(RAW, 0): 1}) == []
        ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - 4096))
        batch = [one(number, number / 3) for number in range(1, 2000)]
        for _ in range(3):
            with pytest.raises(Retryable, match="make room"):
                await sink.write(batch, {(RAW, 0): 2000})
            await sink.open()
        assert offsets(url) == [0]
        ballast.unlink()
        assert await sink.write(batch, {(RAW, 0): 2000}) == []
        assert offsets(url) == list(range(2000))
        assert await sink.positions() == {(RAW, 0): 2000}
        await sink.close()

    asyncio.run(go())


def test_a_folder_that_becomes_read_only_is_waited_for(disk: Path) -> None:
    url = str(disk / "lake")

    async def go() -> None:
        sink = await opened(url)
        assert await sink.write([one(0)], {(RAW, 0): 1}) == []
        remount(disk, "ro")
        with pytest.raises(Retryable, match="read-only"):
            await sink.write([one(1)], {(RAW, 0): 2})
        await sink.open()
        with pytest.raises(Retryable, match="read-only"):
            await sink.write([delivery(downtime(1), 0)], {})  # and a table that is not there yet
        remount(disk, "rw")
        await sink.open()
        assert await sink.write([one(1), one(2)], {(RAW, 0): 3}) == []
        assert (offsets(url), offsets(url, "downtime")) == ([0, 1, 2], [0])
        await sink.close()

    asyncio.run(go())


def test_a_disk_that_is_not_mounted_is_not_written_beside(tmp_path: Path) -> None:
    async def go() -> None:
        sink = await opened(str(tmp_path / "mnt" / "lake"))
        with pytest.raises(Retryable, match="is its disk mounted"):
            await sink.write([one(0)], {})
        await sink.close()

    asyncio.run(go())
    assert not (tmp_path / "mnt").exists()


@pytest.mark.parametrize(
    ("table", "partitions", "words"),
    [
        ({"a": [1]}, [], "partitioned by nothing"),
        ({"site": ["x"], "day": ["2026"], "path": [1]}, ["site", "day"], "column day is string"),
        ({"site": ["x"], "day": pa.array([1], pa.date32()), "at": [1.5]}, ["site", "day"], "column at is double"),
        ({"site": ["x"], "day": pa.array([1], pa.date32()), "v": [1.5]}, ["site", "day"], "somebody else made it"),
    ],
    ids=["partitions", "partition_type", "column_type", "columns"],
)
def test_a_strangers_table_is_not_touched(tmp_path: Path, table: Any, partitions: list[str], words: str) -> None:
    url = str(tmp_path / "lake")
    write_deltalake(f"{url}/samples", pa.table(table), partition_by=partitions)

    async def go() -> None:
        sink = lake(url)
        with pytest.raises(Retryable, match=words) as caught:
            await sink.open()
        assert "another url" in str(caught.value)
        with pytest.raises(Retryable):
            await sink.write([one(0)], {})
        await sink.close()

    asyncio.run(go())
    assert DeltaTable(f"{url}/samples").version() == 0


def test_two_instances_collide_and_two_sinks_do_not(tmp_path: Path) -> None:
    url = str(tmp_path / "lake")

    async def go() -> None:
        old = await opened(url)
        assert await old.write([one(0)], {(RAW, 0): 1}) == []
        new = await opened(url)
        assert await new.write([one(1)], {(RAW, 0): 2}) == []
        with pytest.raises(Taken, match="another instance"):
            await old.write([one(1)], {(RAW, 0): 2})
        with pytest.raises(Retryable):
            await old.write([one(1)], {(RAW, 0): 2})
        assert await new.write([one(2)], {(RAW, 0): 3}) == []  # who was told goes on nowhere, the other one does
        other = await opened(url, "other")
        assert await other.positions() == {}
        assert await other.write([one(0)], {(RAW, 0): 1}) == []
        assert await new.write([one(3)], {(RAW, 0): 4}) == []
        assert offsets(url) == [0, 0, 1, 2, 3]  # two sinks of one lake: each has its rows
        await old.open()
        assert await old.positions() == {(RAW, 0): 4}
        for sink in (old, new, other):
            await sink.close()

    asyncio.run(go())


def test_what_an_old_instance_had_gathered_is_not_written_beside_the_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = str(tmp_path / "lake")
    now = [0.0]
    monkeypatch.setattr(sinks.lake.sink, "monotonic", lambda: now[0])

    async def go() -> None:
        old = await opened(url, commit_s=60)
        assert await old.write([one(0), one(1)], {(RAW, 0): 2}) == []
        new = await opened(url)
        assert await new.write([one(0)], {(RAW, 0): 1}) == []
        await old.close()
        with pytest.raises(Taken):
            await old.open()
        await old.open()  # it begins anew
        assert await old.positions() == {(RAW, 0): 1}
        now[0] = 61
        assert await old.write([one(1)], {(RAW, 0): 2}) == []
        now[0] = 122
        assert await old.write([], {}) == []
        assert offsets(url) == [0, 1]
        await old.close()
        await new.close()

    asyncio.run(go())


def test_a_commit_whose_answer_was_lost_is_found_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = str(tmp_path / "lake")

    def lost(*args: Any, **options: Any) -> None:
        write_deltalake(*args, **options)
        raise OSError("Generic S3 error: error sending request: timed out")

    async def go() -> None:
        sink = await opened(url)
        for number in range(4):
            monkeypatch.setattr(sinks.lake.table, "write_deltalake", lost if number % 2 else write_deltalake)
            batch, end = [one(number), one(number + 10)], {(RAW, 0): number + 11}
            if number % 2:
                with pytest.raises(Retryable, match="does not answer"):
                    await sink.write(batch, end)
                await sink.open()
            assert await sink.write(batch, end) == []
        assert await sink.positions() == {(RAW, 0): 14}
        await sink.close()

    asyncio.run(go())
    # Of one partition, offsets come in order: 10 is seen before 1, which then is a repetition.
    assert offsets(url) == [0, 10, 11, 12, 13]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks.lake.format, "find_spec", lambda name: None)
    with pytest.raises(Retryable, match=re.escape("pip install 'uns-backbone[lake]'")):
        asyncio.run(lake(str(tmp_path / "lake")).open())


def test_the_package_loads_without_the_extra() -> None:
    code = "import sys; sys.modules.update(deltalake=None, pyarrow=None); import sinks.lake; print(sinks.lake.spec.summary)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "Delta Lake" in done.stdout


def test_a_secret_that_cannot_be_read_is_waited_for(tmp_path: Path) -> None:
    config = {"url": "s3://lake", "secret_files": {"aws_secret_access_key": tmp_path / "no"}}
    sink = spec.build("lake", spec.config.model_validate(config), tmp_path)
    with pytest.raises(Retryable, match="secret cannot be used"):
        asyncio.run(sink.open())


def test_a_topic_that_was_made_anew_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(tmp_path / "lake")

    async def go() -> None:
        sink = await opened(url)
        assert await sink.write([one(0), one(9)], {(RAW, 0): 10}) == []
        assert await sink.write([one(9)], {(RAW, 0): 10}) == []  # as after a commit that failed
        assert "made anew" not in capsys.readouterr().out
        await sink.close()
        second = await opened(url)
        for _ in range(2):
            assert await second.write([one(0)], {(RAW, 0): 1}) == []
        await second.close()

    asyncio.run(go())
    assert capsys.readouterr().out.count("made anew") == 1
    assert offsets(url) == [0, 9]
