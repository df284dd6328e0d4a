"""Each format needs the libraries of its own extra, and none of the other's."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("other", "modules"),
    [
        ("deltalake", "iceberg.reading, sinks.lake.iceberg.table, sinks.lake.iceberg.catalog"),
        ("pyiceberg", "delta_reading, sinks.lake.table, sinks.lake.store"),
    ],
)
def test_a_format_does_without_the_library_of_the_other(other: str, modules: str) -> None:
    code = (
        f"import sys; sys.modules[{other!r}] = None; import sinks.lake.sink, sinks.lake.readback, sinks.lake.{modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
