"""Options of a REST target."""

import functools
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.derived import BY_CLASS
from schemas.envelope import Derived
from sinks.base import SinkConfig
from sinks.kit.answer import ANSWER_NAMES
from sinks.kit.template import MAPS, SUMS, BadTemplate, Template, check, check_url, fields, is_table
from sinks.rest.auth.options import AuthOptions, CsrfOptions
from sinks.rest.calls import PAGING, Cancel, Create, HeaderLines, Lookup, Update
from sinks.rest.grouping import GROUP_NAMES, PAGE, Grouped, Sums
from sinks.rest.profiles import merged
from topology.endpoint import Trust, address
from topology.nearest import hint
from topology.vocabulary import checked_field

BY_NAME = {kind.__name__: kind.message_class for kind in BY_CLASS.values()}
"""Record type → its class."""
COMMENT = "/comment"
"""What the ledger knows comments by, behind their request's name."""
MapName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class RequestMapping(SinkConfig):
    """Which records make which object."""

    message_class: str = Field(alias="class", description="message class of the records", examples=["oee"])
    name: str = Field(
        "",
        pattern=r"^[a-z0-9_-]{0,40}$",
        description="name in the ledger, to be kept; by default the class, which one request alone may have",
        examples=["confirmation"],
    )
    when: dict[str, Any] | str = Field(
        default_factory=dict,
        description="field → value, or list of values, that a record must have; or an expression",
        examples=["{{ status != 'provisional' and good > 0 }}"],
    )
    create: Create = Field(description="makes the object")
    lookup: Lookup | None = Field(None, description="finds it; without one a lost answer may make it twice")
    update: Update | None = Field(
        None, description="changes it when the record is revised; none: later revisions are counted as left behind"
    )
    cancel: Cancel | None = Field(
        None,
        description="takes it back when a revision does not fit `when` any more, or was withdrawn; none: update",
    )
    object: Grouped | None = Field(
        None, description="one object for many records, told apart by a key of your own; a text is the key alone"
    )
    sums: Sums | None = Field(None, description="sums over records, for a meter for example")

    replace: bool = Field(
        False,
        description="a revision goes out as cancel and create: for documents that are booked and never changed",
    )

    @property
    def kind(self) -> type[Derived]:
        """The record type."""
        return BY_CLASS[self.message_class]

    @property
    def known_as(self) -> str:
        """Its name in the ledger."""
        return self.name or self.message_class

    @property
    def key_suffix(self) -> str:
        """What the Idempotency-Key of a create has behind the record's id: a record may make its object and a comment."""
        return COMMENT if self.known_as.endswith(COMMENT) else ""

    @property
    def key_field(self) -> str | None:
        """Where an object carries our key."""
        if self.lookup is None or self.lookup.key_field is not None:
            return self.lookup.key_field if self.lookup is not None else None
        return next(_places(self.create.body, self.lookup.key), None)

    @functools.cached_property
    def comments(self) -> "RequestMapping | None":
        """The comments of a shared object: objects of their own, one for each record that is told of there."""
        comment = None if self.object is None else self.object.comment
        if comment is None:
            return None
        return RequestMapping.model_construct(
            message_class=self.message_class,
            name=f"{self.known_as}{COMMENT}",
            when={},
            create=comment.known_by,
            lookup=comment.lookup,
        )

    @model_validator(mode="before")
    @classmethod
    def _by_record(cls, options: Any) -> Any:
        """`record: Pilot` says what `class: pilot` says; a class has one record type."""
        if not isinstance(options, dict) or "record" not in options:
            return options
        name = options["record"]
        its = BY_NAME.get(name) if isinstance(name, str) else None
        if its is None:
            raise ValueError(f"record {name!r} is no derived record; there are {', '.join(BY_NAME)}")
        if options.get("class", its) != its:
            raise ValueError(f"record {name} has a class of its own: write class: {its}")
        return {key: value for key, value in options.items() if key != "record"} | {"class": its}

    @model_validator(mode="after")
    def _known(self) -> "RequestMapping":
        if self.message_class not in BY_CLASS:
            raise ValueError(f"class {self.message_class!r} has no records; there are {', '.join(BY_CLASS)}")
        for fits in (self.when, None if self.object is None else self.object.closed_when):
            if isinstance(fits, dict):
                self._check_when(fits)
        for each in (self, self.comments):
            if each is not None and each.lookup is not None and each.key_field is None:
                raise ValueError(
                    "lookup: key_field is missing: which field of a found object carries the natural id that create sends?"
                )
        if self.replace and (self.cancel is None or self.update is not None):
            raise ValueError("replace: it takes a cancel, and no update")
        try:
            for template, known in self.templates():
                check(template, known | set(filter(is_table, fields(template))))
            for url, known in self.urls():
                check_url(url, known | set(filter(is_table, fields(url))))
        except BadTemplate as error:
            raise ValueError(str(error)) from None
        return self

    def _check_when(self, when: dict[str, Any]) -> None:
        known = self.kind.__struct_fields__
        if unknown := sorted(set(when) - set(known)):
            raise ValueError(
                f"when: {self.kind.__name__} has no field {', '.join(unknown)}; {hint(unknown[0], sorted(known))}"
            )
        for field, value in when.items():
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str):
                    checked_field(field, word)

    def templates(self) -> Iterator[tuple[Template, set[str]]]:
        """All of them but urls, each with the names that may stand in it."""
        record, known = self._fields(), self._names()
        if isinstance(self.when, str):
            yield self.when, record
        for call in (self.create, self.update, self.cancel):
            if call is not None:
                its = known if call is self.create else known | {"remote_id"}
                yield call.body, its
                yield call.success, its.union(ANSWER_NAMES)
        yield self.create.id, known.union(ANSWER_NAMES)
        if self.sums is not None:
            yield self.sums.by, record
            yield list(self.sums.of.values()), record
        if self.object is not None:
            yield self.object.key, record
            if isinstance(self.object.closed_when, str):
                yield self.object.closed_when, record
            yield from ((template, known | more) for template, more in self.object.templates())
        if self.lookup is not None:
            yield self.lookup.key, known
            yield self.lookup.id, known | {"item"}
            yield self.lookup.body, known.union(PAGING)
            yield self.lookup.success, known.union(ANSWER_NAMES)

    def urls(self) -> Iterator[tuple[str, set[str]]]:
        """Likewise the urls."""
        known = self._names()
        yield self.create.url, known
        for call in (self.update, self.cancel):
            if call is not None:
                yield call.url, known | {"remote_id"}
        if self.lookup is not None:
            yield self.lookup.url, self._fields().union(PAGING)
        if self.object is not None:
            yield from ((url, known | {"remote_id"}) for url in self.object.urls())
            if self.object.comment is not None and self.object.comment.lookup is not None:
                yield self.object.comment.lookup.url, self._fields().union(PAGING, ("remote_id",))

    def _fields(self) -> set[str]:
        """What a record says by itself."""
        return {*self.kind.__struct_fields__, "natural_id", PAGE}

    def _names(self) -> set[str]:
        """Likewise, with what is known of others."""
        sums = {f"{SUMS}.{name}" for name in self.sums.of} if self.sums is not None else set()
        return self._fields() | sums | (set(GROUP_NAMES) if self.object is not None else set())

    @property
    def tables(self) -> set[str]:
        """The tables of `maps` that its templates name."""
        return {name for template in self.every_template for name in fields(template) if is_table(name)}

    @property
    def every_template(self) -> tuple[Template, ...]:
        """Urls, too."""
        return tuple(template for template, _ in (*self.templates(), *self.urls()))


def _places(body: Any, template: str, inside: str = "") -> Iterator[str]:
    """Where in a body a template stands, as a.b."""
    if isinstance(body, dict):
        for name, part in body.items():
            if part == template:
                yield f"{inside}{name}"
            else:
                yield from _places(part, template, f"{inside}{name}.")


class RestConfig(Trust, SinkConfig):
    """One target."""

    profile: str | None = Field(
        None,
        description="a profile, whose options hold where none are given here: `uns sink profiles` has them",
        examples=["odoo-cmms"],
    )
    without: tuple[str, ...] = Field(
        (), description="requests of the profile, by name, that are left out", examples=[["downtime"]]
    )
    base_url: str = Field(description="http(s)://host[:port][/prefix]", examples=["https://mes.example.com/api"])
    auth: AuthOptions | None = Field(None, description="how the target knows us")
    csrf: CsrfOptions | None = Field(None, description="beside auth: a token that each change must carry")
    headers: HeaderLines = Field(default_factory=dict, description="more headers for every request")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for an answer")
    settle_s: float = Field(
        5.0,
        ge=0,
        description="how long an object may take to show in a lookup: an unclear one is not made again before",
    )
    tries: int = Field(
        8,
        ge=1,
        description="so often a record is tried over which the target breaks while it takes others; then to quarantine",
    )
    tries_s: float = Field(300.0, ge=0, description="and for so long at least")
    maps: dict[MapName, dict[int | str, Any]] = Field(
        default_factory=dict,
        description="tables for templates: {{ maps.reasons[reason] }}, {{ maps.reasons.get(reason, 'other') }}",
        examples=[{"reasons": {"jam": "R17", "drive": "R20"}}],
    )
    page_url: str | None = Field(
        None,
        description="address of a screen of our page; templates name that of the record's path by {page_url}",
        examples=["https://uns.example.com/line"],
    )
    requests: tuple[RequestMapping, ...] = Field(min_length=1, description="which records make which objects")

    @model_validator(mode="before")
    @classmethod
    def _over_profile(cls, options: Any) -> Any:
        return merged(options, cls.__name__) if isinstance(options, dict) else options

    @model_validator(mode="after")
    def _consistent(self) -> "RestConfig":
        names = [mapping.known_as for mapping in self.requests]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"requests: several are called {twice[0]!r}; give each a name, by which the ledger knows it"
            )
        known = {f"{MAPS}.{name}" for name in self.maps}
        if unknown := sorted(set().union(*(mapping.tables for mapping in self.requests)) - known):
            raise ValueError(f"requests: there is no {unknown[0]}; {hint(unknown[0], sorted(known))}")
        if self.page_url is None and any(PAGE in fields(each) for one in self.requests for each in one.every_template):
            raise ValueError("page_url is missing: templates name our page by {page_url}; where is it?")
        return self

    @field_validator("page_url")
    @classmethod
    def _page(cls, text: str | None) -> str | None:
        return None if text is None else address(text, ("http", "https"), "https://uns.example.com/line").rstrip("/")

    @field_validator("base_url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), "http://host or https://host", instead="auth"))
        if parts.query or parts.fragment or text[-1] in "?#":
            raise ValueError("base_url takes no ? and no #: the urls of the requests are appended to it")
        return text.rstrip("/")
