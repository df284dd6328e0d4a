"""Options: what the rows of a table look like. To be mixed into the options of whatever brings them."""

import re
from typing import Literal

import msgspec
from pydantic import Field, field_validator, model_validator

from connectors.kit.cells import Cells
from connectors.kit.levels import Levels, checked_template
from connectors.kit.message import FACTS
from connectors.kit.qualities import Qualities
from connectors.kit.times import TimeFormat, Unit
from connectors.kit.zone import Zoned
from topology.namespace.path import Path

PLACE = re.compile(r"\{([^{}]+)\}")
ATTRIBUTE = "attributes."
"""What the name of a fact's attribute begins with among its fields."""
"""A column of a template."""
Kind = Literal[
    "wide",
    "long",
    "order",
    "lot",
    "shift",
    "reason",
    "gap",
    "inspection",
    "acknowledge",
    "work_order",
    "shelve",
    "out_of_service",
    "limits",
]


class RowShape(Levels, Qualities, Zoned):
    """What a row is, and which column is what. A column is named alone, or in a template: `{Date} {Time}`."""

    row: Kind = Field(
        "wide",
        description="what a row is: values of several tags (wide), the value of one tag that it names (long), or one fact",
    )
    path: str = Field(
        description="path of a row, of fixed text and {columns}", examples=["acme/dallas/packaging/{line}/{machine}"]
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="tag → column, of a fact field → column (`attributes.NAME` for an attribute). Empty: every other column is a tag; columns are named as fields",
        examples=[{"Power": "Leistung [kW]"}, {"id": "{AUFNR}-{VORNR}", "product": "MATNR"}],
    )
    constants: dict[str, str | int | float] = Field(
        default_factory=dict, description="fields of a fact that no column has", examples=[{"by": "qms"}]
    )
    at: str | None = Field(
        None, description="column with the time of a row's values", examples=["Zeitstempel", "{Datum} {Uhrzeit}"]
    )
    tag: str | None = Field(
        None, description="of long rows the tag, of fixed text and {columns}", examples=["{signal}", "{unit}.{signal}"]
    )
    value: str | None = Field(None, description="of long rows the column with the value", examples=["value"])
    quality: str | None = Field(None, description="column with the quality of a row's values", examples=["quality"])
    time: Unit = Field("ms", description="what times that are numbers count since 1970")
    time_format: TimeFormat | None = Field(
        None,
        description="how times that are text are written, as Python's strptime has it. None: ISO 8601",
        examples=["%d.%m.%Y %H:%M:%S"],
    )
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers that are text")
    thousands: Literal["", ".", ",", " ", "'"] = Field("", description="what stands between thousands of such numbers")
    text_numbers: bool = Field(True, description='whether text that is a number ("12.5") is one')
    texts: tuple[str, ...] = Field(
        (), description="columns whose text stays text, even if it is a number", examples=[["Charge"]]
    )
    words: dict[str, bool | int | float | str | None] = Field(
        default_factory=dict,
        description="texts that mean something else; null: the cell is empty",
        examples=[{"EIN": True, "AUS": False, "---": None}],
    )
    empty: Literal["nothing", "null"] = Field(
        "nothing", description="what an empty cell (NULL, NaN) says of its tag: nothing, or that its value is null"
    )

    @field_validator("path")
    @classmethod
    def _path(cls, text: str) -> str:
        return checked_template(text, PLACE)

    @model_validator(mode="after")
    def _goes_together(self) -> "RowShape":
        if self.decimal == self.thousands:
            raise ValueError("`decimal` and `thousands` are the same: nobody knows what 1.234 is")
        if self.row in FACTS:
            self._check_fact()
            return self
        if self.at is None:
            raise ValueError(f"{self.row} rows need `at`, the column with their time: none is invented here")
        if (self.row == "long") != (self.tag is not None) or (self.row == "long") != (self.value is not None):
            raise ValueError("long rows need `tag` and `value`, others have neither")
        if self.constants or (self.fields and self.row == "long"):
            raise ValueError("`constants` are of facts, `fields` of wide rows and facts")
        return self

    def _check_fact(self) -> None:
        known = {field.name: field.required for field in msgspec.structs.fields(FACTS[self.row])}
        if self.at is not None or self.tag is not None or self.value is not None or self.quality is not None:
            raise ValueError("`at`, `tag`, `value` and `quality` are of tags; of a fact, times are `fields` as others")
        named = {
            "attributes" if name.startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE) else name for name in self.fields
        }
        if strange := {*named, *self.constants} - set(known):
            raise ValueError(f"a {self.row} has no field {', '.join(sorted(strange))}; it has {', '.join(known)}")
        given = {*self.fields, *self.constants}
        if self.fields and (missing := [name for name, required in known.items() if required and name not in given]):
            raise ValueError(f"a {self.row} needs {', '.join(missing)}, too: name their columns in `fields`")

    @property
    def columns_named(self) -> frozenset[str]:
        """The columns that the options name: those that must be there."""
        named = [self.at, self.tag and _template(self.tag), self.value, self.quality, *self.fields.values()]
        names = {column for text in named if text for column in columns_of(text)}
        return frozenset(names | set(PLACE.findall(self.path)))

    @property
    def cells(self) -> Cells:
        return Cells(
            self.decimal, self.thousands, self.text_numbers, self.words, self.time, self.time_format, self.zone_info
        )

    def literal_paths(self) -> tuple[Path, ...]:
        """The path, where no column is in it."""
        return () if PLACE.search(self.path) else (Path.parse(self.path),)


def columns_of(text: str) -> list[str]:
    """The columns of a template; of any other text, itself."""
    return PLACE.findall(text) or [text]


def _template(text: str) -> str | None:
    """A tag is a template even without columns: then it is fixed text, and names none."""
    return text if PLACE.search(text) else None
