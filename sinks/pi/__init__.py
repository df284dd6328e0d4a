"""AVEVA PI by its Web API (beta): samples, and fields of derived records, as values of PI points."""

from sinks.base import SinkSpec
from sinks.pi.config import PiConfig
from sinks.pi.readback import verification
from sinks.pi.sink import PiSink
from sinks.pi.trial import trial

spec = SinkSpec(
    config=PiConfig,
    build=PiSink,
    summary="AVEVA PI by its Web API (beta): samples and fields of derived records as values of PI points",
    trial=trial,
    verification=verification,
)
