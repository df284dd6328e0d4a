"""Two registries over one topic: the second fences the first. A broker of its own topic keeps the session's registry out of it."""

from uns.registry.log import NotWritten, SchemaLog
from uns.registry.store import Version, schema_record
from uns.settings import Settings

SCHEMA = '{"type": "record", "name": "T", "fields": []}'


def test_the_second_writer_fences_the_first_and_knows_what_it_wrote(kafka: str, enterprise: str) -> None:
    settings = Settings(bootstrap=kafka)
    topic = f"_schemas-{enterprise}"
    first, second = SchemaLog(settings, topic), SchemaLog(settings, topic)
    try:
        first.open()
        first.write([schema_record(Version("s", 1, 1, SCHEMA))])
        assert first.store.next_id() == 2, "a write is answered after it was read back"
        second.open()
        assert second.store.versions("s") == [Version("s", 1, 1, SCHEMA)]
        second.write([schema_record(Version("s", 2, second.store.next_id(), SCHEMA))])
        try:
            first.write([schema_record(Version("s", 3, 9, SCHEMA))])
        except NotWritten:
            pass
        else:
            raise AssertionError("the fenced writer wrote")
        assert first.fenced
        assert [one.version for one in second.store.versions("s")] == [1, 2]
    finally:
        first.close()
        second.close()
