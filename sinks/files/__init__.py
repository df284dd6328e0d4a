"""Files: records as CSV, JSON lines and Parquet in a folder, complete or not there at all."""

from sinks.base import SinkSpec
from sinks.files.config import FilesSinkConfig
from sinks.files.readback import verification
from sinks.files.sink import FilesSink
from sinks.files.trial import trial

spec = SinkSpec(
    config=FilesSinkConfig,
    build=FilesSink,
    summary="CSV, JSON lines and Parquet in a folder, by day and size; each row once, and no file half",
    trial=trial,
    verification=verification,
)
