"""QuestDB: samples and derived records as rows of tables with upsert keys."""

from sinks.base import SinkSpec
from sinks.questdb.config import QuestdbConfig
from sinks.questdb.readback import verification
from sinks.questdb.sink import QuestdbSink
from sinks.questdb.trial import trial

spec = SinkSpec(
    config=QuestdbConfig,
    build=QuestdbSink,
    summary="QuestDB: samples and derived records over HTTP, into tables with upsert keys, one row for each",
    trial=trial,
    verification=verification,
)
