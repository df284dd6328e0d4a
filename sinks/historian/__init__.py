"""Historian: raw samples and every derived record in PostgreSQL, with the views that people read."""

from sinks.base import SinkSpec
from sinks.historian.config import HistorianConfig
from sinks.historian.plant import knows
from sinks.historian.readback import verification
from sinks.historian.sink import Historian
from sinks.historian.trial import trial

spec = SinkSpec(
    config=HistorianConfig,
    build=Historian,
    verification=verification,
    summary="PostgreSQL: samples and derived records, with their offsets in one transaction, and views of them",
    trial=trial,
    knows=knows,
)
