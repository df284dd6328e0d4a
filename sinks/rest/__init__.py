"""REST targets: MES, CMMS, QMS and anything else that speaks JSON over HTTP; a target is configuration."""

from sinks.base import SinkSpec
from sinks.rest.config import RestConfig
from sinks.rest.profiles import shown
from sinks.rest.readback import verification
from sinks.rest.sink import RestSink
from sinks.rest.trial import trial

spec = SinkSpec(
    config=RestConfig,
    build=RestSink,
    summary="JSON over HTTP with templates: one remote object for each record, whatever crashes",
    trial=trial,
    verification=verification,
    profiles=shown,
)
