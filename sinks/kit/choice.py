"""Options: which records a table or a set of files takes, and whether a row is one of them."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, StringConstraints, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.kit.rows import Row, plain, plain_names, shapes
from sinks.kit.template import MAPS, BadTemplate, check, fields, fill, is_table
from topology.nearest import hint
from topology.vocabulary import checked_field

Maps = dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], dict[int | str, Any]]
"""Tables for templates, by name."""


def checked_tables(maps: Mapping[str, Any], templates: Iterable[Any]) -> None:
    """Raises `ValueError` where a template names a table that `maps` does not have."""
    known = {f"{MAPS}.{name}" for name in maps}
    named = {name for template in templates for name in fields(template) if is_table(name)}
    if unknown := sorted(named - known):
        raise ValueError(f"there is no {unknown[0]}; {hint(unknown[0], sorted(known))}")


def checked_zone(name: str) -> str:
    """The name, where there is such a time zone. Raises `ValueError`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {name!r}; {hint(name, sorted(available_timezones()))}") from None
    return name


class Choice(SinkConfig):
    """Records of one kind, all or some of them. To be subclassed by what takes them."""

    record: str = Field(
        description="kind of record: a class of derived records, `samples`, or a fact (`order`, `shift`, `reason`, …)",
        examples=["downtime", "samples"],
    )
    when: dict[str, Any] | str = Field(
        default_factory=dict,
        description="column → value, or list of values, that a row must have; or an expression",
        examples=["{{ category == 'breakdown' }}"],
    )

    @field_validator("record")
    @classmethod
    def _known_record(cls, text: str) -> str:
        name = text.strip().lower()
        if name not in shapes():
            raise ValueError(f"there are no records {text!r}; {hint(name, sorted(shapes()))}")
        return name

    @model_validator(mode="after")
    def _known_columns(self) -> "Choice":
        known = plain_names(self.record)
        if isinstance(self.when, str):
            self.check_template("when", self.when)
            return self
        if unknown := sorted(set(self.when) - known):
            raise ValueError(f"when: {self.record} has no {', '.join(unknown)}; {hint(unknown[0], sorted(known))}")
        for field, value in self.when.items():
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str):
                    checked_field(field, word)
        return self

    def check_template(self, option: str, template: Any) -> None:
        """Raises `ValueError` where it names what these records do not have."""
        try:
            check(template, plain_names(self.record) | set(filter(is_table, fields(template))))
        except BadTemplate as error:
            raise ValueError(f"{option}: {error}") from None

    def takes(self, row: Row, maps: Any) -> bool:
        """Whether a row fits `when`. Raises `UnfitValue` where its expression cannot be made of it."""
        if isinstance(self.when, str):
            return bool(fill(self.when, {**plain(row), MAPS: maps}))
        told = plain(row) if self.when else row
        return all(told[name] in wanted if isinstance(wanted, list) else told[name] == wanted for name, wanted in self.when.items())  # fmt: skip
