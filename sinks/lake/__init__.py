"""Lake: Delta Lake or Iceberg tables, one a class, in a folder or an object store; data and offsets in one commit. Extra `lake`
or `iceberg`."""

from sinks.base import SinkSpec
from sinks.lake.config import LakeConfig
from sinks.lake.readback import verification
from sinks.lake.sink import Lake
from sinks.lake.trial import trial

spec = SinkSpec(
    config=LakeConfig,
    build=Lake,
    summary="Delta Lake or Iceberg tables in a folder or an object store: samples, facts and derived records, with their offsets in the same commits",
    trial=trial,
    verification=verification,
)
