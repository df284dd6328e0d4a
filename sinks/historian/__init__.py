"""Historian: raw samples and every derived record in PostgreSQL, hypertables where TimescaleDB is there."""

from sinks.base import SinkSpec
from sinks.historian.config import HistorianConfig
from sinks.historian.readback import verification
from sinks.historian.sink import Historian

spec = SinkSpec(
    config=HistorianConfig,
    build=Historian,
    summary="PostgreSQL or TimescaleDB: samples and derived records, with their offsets in one transaction",
    verification=verification,
)
