"""Options of AVEVA PI."""

from pydantic import Field, model_validator

from schemas.derived import BY_CLASS
from sinks.kit.columns import columns, map_fields
from sinks.kit.http import HttpConfig
from topology.nearest import hint

NAME_PATTERN = r"^[^*'?;{}\[\]|\\`\"\x00-\x1f\x7f]*$"
"""What the name of a PI point may not hold."""


class PiConfig(HttpConfig):
    """One data archive behind one PI Web API. Basic authentication, or a bearer token."""

    data_server: str = Field(
        min_length=1, pattern=NAME_PATTERN, description="name of the data archive", examples=["PI1"]
    )
    point_prefix: str = Field(
        "", max_length=100, pattern=NAME_PATTERN, description="what the names of points begin with", examples=["uns."]
    )
    points: dict[str, str] = Field(
        default_factory=dict,
        description="path/tag, or path/id kind/field, → the name of a point that is there under another name",
        examples=[{"acme/dallas/packaging/line-1/filler/Speed": "PK1-FIL-SPD"}],
    )
    fields: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="class of derived records → fields that are points; by default samples alone",
        examples=[{"state": ["state"], "oee": ["oee", "good", "scrap"]}],
    )
    create: bool = Field(False, description="make points that are missing; else their records go to quarantine")
    point_class: str = Field("classic", min_length=1, description="point class of those that are made")
    values_max: int = Field(1_000, ge=1, le=20_000, description="values of one request")
    bytes_max: int = Field(1_000_000, ge=1_000, le=20_000_000, description="bytes of one request")
    tries: int = Field(
        8, ge=1, description="so often a record is tried over which the target breaks while it takes others"
    )
    tries_s: float = Field(300.0, ge=0, description="and for so long at least; then to quarantine")

    @model_validator(mode="after")
    def _known(self) -> "PiConfig":
        for name, fields in self.fields.items():
            kind = BY_CLASS.get(name)
            if kind is None:
                raise ValueError(f"fields: class {name!r} has no records; {hint(name, sorted(BY_CLASS))}")
            known = sorted(column.name for column in columns(kind))
            for field in fields:
                if field not in known and not any(field.startswith(f"{one}_") for one in map_fields(kind)):
                    raise ValueError(f"fields: {name} has no field {field!r}; {hint(field, known)}")
        return self
