"""Options: what the payloads of a source look like. To be mixed into the options of whatever brings them."""

import functools
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from connectors.kit.qualities import Qualities
from connectors.kit.selector import Selector, SelectorText
from connectors.kit.times import TimeFormat, Unit
from connectors.kit.zone import Zoned

Payload = Literal[
    "samples",
    "object",
    "value",
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
_OF_OBJECTS = ("fields", "at", "select", "name", "value", "quality")


class Selectors(NamedTuple):
    """What an object's options select, compiled."""

    select: Selector | None
    at: Selector | None
    quality: Selector | None
    name: Selector | None
    value: Selector | None
    fields: tuple[tuple[str, Selector], ...]
    told: frozenset[str]
    """Names of the object itself that are time and quality, and no tags."""


class Shape(Qualities, Zoned):
    """What a payload is, and how its names, times and numbers are read. What is meant of an object is said in JMESPath."""

    payload: Payload = Field(
        "samples",
        description="what a message is: our JSON of samples, an object whose fields are tags, one bare value, or one fact",
    )
    select: SelectorText | None = Field(
        None,
        description="of an object, the part that is read: an object, or a list of objects each with a time of its own. "
        "JMESPath, as all that follows. None: the whole of it",
        examples=["readings", "metrics[?name != 'heartbeat']"],
    )
    fields: dict[str, SelectorText] = Field(
        default_factory=dict,
        description="of an object, tag → what its value is. None: every field is a tag, those inside others by dots",
        examples=[{"Power": "ENERGY.Power", "Relay": '"switch:0".output', "Worst": "max(temps)"}],
    )
    name: SelectorText | None = Field(
        None, description="of an object that is one reading, its tag; with `value`", examples=["id", "tag.name"]
    )
    value: SelectorText | None = Field(
        None, description="of an object that is one reading, its value; with `name`", examples=["v"]
    )
    quality: SelectorText | None = Field(
        None, description="of an object, its quality, in the words of `qualities`. None: Good", examples=["q"]
    )
    at: SelectorText | None = Field(
        None,
        description="of an object, its time; where it has none, that of the whole message. None: the time of its arrival",
        examples=["timestamp_ms", "Time"],
    )
    no_time: Literal["refused", "arrival"] = Field(
        "refused", description="what becomes of an object in which `at` finds nothing, or null"
    )
    time: Unit = Field("ms", description="what times that are numbers count since 1970")
    time_format: TimeFormat | None = Field(
        None,
        description="how times that are text are written, as Python's strptime has it. None: ISO 8601",
        examples=["%d.%m.%Y %H:%M:%S"],
    )
    text_numbers: bool = Field(False, description='whether text that is a number ("12.5") is one')
    unknown: tuple[str, ...] = Field(
        (),
        description="texts of an object or a bare value that mean that no value is known: null, of quality BadNoData",
        examples=[["unavailable", "unknown"]],
    )

    def check_tag(self, tag: str | None) -> None:
        """Raises `ValueError` where a tag that the message's address gives does not go with the payload."""
        if self.payload == "value" and tag is None:
            raise ValueError("payload `value` needs `tag`: a bare value does not say whose it is")
        if tag and self.payload not in ("value", "object"):
            raise ValueError(f"`tag` goes with payload value or object, not with {self.payload}")

    @model_validator(mode="after")
    def _goes_with_an_object(self) -> "Shape":
        for name in _OF_OBJECTS:
            if getattr(self, name) and self.payload != "object":
                raise ValueError(f"`{name}` goes with payload object, not with {self.payload}")
        if (self.name is None) != (self.value is None):
            raise ValueError("`name` and `value` go together: of an object that says both; else name its `fields`")
        if self.name is not None and self.fields:
            raise ValueError("the tags are named by `fields`, or by the objects themselves (`name` and `value`)")
        return self

    @functools.cached_property
    def selectors(self) -> Selectors:
        def compiled(text: str | None) -> Selector | None:
            return None if text is None else Selector(text)

        at, quality = compiled(self.at), compiled(self.quality)
        own = (one.chain[0] for one in (at, quality) if one and one.chain and len(one.chain) == 1)
        return Selectors(
            compiled(self.select),
            at,
            quality,
            compiled(self.name),
            compiled(self.value),
            tuple((tag, Selector(text)) for tag, text in self.fields.items()),
            frozenset(name for name in own if isinstance(name, str)),
        )
