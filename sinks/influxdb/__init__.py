"""InfluxDB 1, 2 and 3: samples and derived records as line protocol, idempotent by time stamp."""

from sinks.base import SinkSpec
from sinks.influxdb.config import InfluxdbConfig
from sinks.influxdb.readback import verification
from sinks.influxdb.sink import InfluxdbSink
from sinks.influxdb.trial import trial

spec = SinkSpec(
    config=InfluxdbConfig,
    build=InfluxdbSink,
    summary="InfluxDB 1, 2 and 3: samples and derived records as line protocol, one point for each, whatever crashes",
    trial=trial,
    verification=verification,
)
