"""What the options of the sinks for tables and files refuse, in which words; and what they show before they write."""

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from sinks.files import spec as files_spec
from sinks.sql import spec as sql_spec
from uns.testing import delivery, downtime

URL = "mariadb://db:3306/mes"


def sql(**more: Any) -> dict[str, Any]:
    return {"url": URL, "tables": [{"record": "downtime"}], **more}


def table(**more: Any) -> dict[str, Any]:
    columns = {"id": "{natural_id}", "why": "{reason}"}
    return sql(tables=[{"record": "downtime", "table": "stops", "columns": columns, **more}])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (sql(url="mariadb://uns:hunter2@db/mes"), "use password_file"),
        (sql(url="mariadb://db"), "names no database"),
        (sql(url="sqlite:///mes.db"), "from the root on"),
        (sql(zone="Europe/Berlinn"), "did you mean 'Europe/Berlin'?"),
        (sql(offsets_table=" "), "null keeps none"),
        (sql(tables=[]), "at least 1"),
        (sql(tables=[{"record": "downtimes"}]), "did you mean 'downtime'?"),
        (sql(tables=[{"record": "tick"}]), "there are no records 'tick'"),
        (sql(tables=[{"record": "oee"}, {"record": "oee"}]), "two would be made as 'uns_oee'"),
        (sql(tables=[{"record": "oee", "key": ["id"]}]), "give `columns`, too"),
        (table(columns={"why": "{reason}"}), "key is missing"),
        (table(key=["idd"]), "did you mean 'id'?"),
        (table(revision="rev"), "columns has no rev"),
        (table(columns={"id": "{natural_id}", "why": "{raeson}"}), "did you mean 'reason'?"),
        (table(columns={"id": "{natural_id}", "why": "{{ maps.reasons[reason] }}"}), "there is no maps.reasons"),
        (table(on_withdrawn="mark"), "needs a column that says so"),
        (table(when={"categry": "micro"}), "did you mean 'category'?"),
        (table(when={"category": "Micro"}), "did you mean 'micro'?"),
        (table(when="{{ categry }}"), "no field categry"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sql_refuses(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        sql_spec.config.model_validate({**config, "password": "hunter2"})
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"decimal": ","}, "delimiter: ';'"),
        ({"name": "../x"}, "below the folder"),
        ({"columns": {"漢": "{reason}"}, "encoding": "cp1252"}, "letters that are not in cp1252"),
        ({"columns": {"a": "{raeson}"}}, "did you mean 'reason'?"),
        ({"zone": "Berlin"}, "no time zone"),
        ({"format": "xlsx"}, "'csv', 'jsonl' or 'parquet'"),
        ({"encoding": "klingon"}, "encoding"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_refuse(files: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        files_spec.config.model_validate({"folder": "/srv", "files": [{"record": "downtime", **files}]})
    assert words in str(caught.value)


def test_two_sets_of_one_name_and_a_folder_that_is_relative() -> None:
    with pytest.raises(ValidationError, match="two sets are called"):
        files_spec.config.model_validate({"folder": "/srv", "files": [{"record": "oee"}, {"record": "oee"}]})
    with pytest.raises(ValidationError, match="from the root on"):
        files_spec.config.model_validate({"folder": "srv", "files": [{"record": "oee"}]})


def test_what_would_go_out_is_shown() -> None:
    withdrawn = msgspec.structs.replace(downtime(1, 1), ended_at=downtime(1).started_at)
    assert sql_spec.trial is not None
    config = sql_spec.config.model_validate(table(columns={"id": "{natural_id}", "code": "{{ reason_code * 2 }}"}))
    [told] = sql_spec.trial.tell(config, delivery(downtime(1), 1))
    assert told == {
        "table": "stops",
        "step": "upsert",
        "key": ["id"],
        "row": {"id": downtime(1).natural_id, "code": 202},
    }
    assert [each["step"] for each in sql_spec.trial.tell(config, delivery(withdrawn, 2))] == ["delete"]
    [refused] = sql_spec.trial.tell(config, delivery(msgspec.structs.replace(downtime(1), reason_code=None), 1))
    assert refused["rejected"] == "unfit"
    assert files_spec.trial is not None
    sets = [
        {"record": "downtime", "format": form, "columns": {"a": "{reason}", "b": "{ended_at}"}}
        for form in ("csv", "parquet")
    ]
    both = files_spec.config.model_validate({"folder": "/srv", "files": sets})
    lines = files_spec.trial.tell(both, delivery(downtime(1), 1))
    assert [each["file"] for each in lines] == ["downtime-2026-11-18.NUMBER.csv", "downtime-2026-11-18.NUMBER.parquet"]
    assert lines[0]["row"].startswith("jam,2026-11-18T")
    assert lines[1]["row"]["a"] == "jam"
