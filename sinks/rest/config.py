"""Options of a REST target."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from schemas.derived import BY_CLASS, Derived
from sinks.base import SinkConfig
from sinks.rest.answer import ANSWER_NAMES
from sinks.rest.auth.options import AuthOptions, CsrfOptions, is_header_name
from sinks.rest.profiles import merged
from sinks.rest.template import MAPS, BadTemplate, check, check_url, fields, is_table
from topology.endpoint import Trust, address, header_value
from topology.nearest import hint
from topology.vocabulary import checked_field

Method = Literal["POST", "PUT", "PATCH"]
BY_NAME = {kind.__name__: kind.message_class for kind in BY_CLASS.values()}
"""Record type → its class."""
PAGING = ("page", "offset")
"""What a lookup's url may name, so that its pages are read one after the other."""
MapName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not is_header_name(name):
            raise ValueError(f"headers: {name[:40]!r} is no name of a header")
        header_value(value, f"headers: the value of {name}")
    return headers


HeaderLines = Annotated[dict[str, str], AfterValidator(_sendable)]


class Call(SinkConfig):
    """One request. Texts are templates over the record's fields; `success` and `id` also over the answer (`status`,
    `headers`, `body` where it is JSON, `text`)."""

    url: str = Field(description="path below base_url", examples=["/work-orders", "/confirmations/{remote_id}"])
    body: dict[str, Any] | list[Any] = Field(default_factory=dict, description="JSON body")
    headers: HeaderLines = Field(default_factory=dict, description="more headers for this request")
    success: str | None = Field(
        None,
        description="what must be true of a 2xx; by default JSON without a member that says error, or nothing at all",
        examples=["{{ body.result == 'OK' }}"],
    )


class Create(Call):
    """The request that makes an object. It counts as made once success and an id are proven."""

    method: Method = Field("POST", description="HTTP method")
    id_field: str = Field(
        "id", description="where the answer carries the target's id, a.b for a nested one; else `Location` ends with it"
    )
    id: str | None = Field(
        None,
        description="the id, where it stands elsewhere or is ours",
        examples=["{natural_id}", "{{ body.d[0].key }}"],
    )
    repeatable: bool = Field(
        False,
        description="sent twice it makes one object, for the target knows our key: after a lost answer it is sent again",
    )


class Update(Call):
    """The request that changes an object."""

    method: Method = Field("POST", description="HTTP method")


class Cancel(Call):
    """The request that takes an object back. After a DELETE it is gone, and may be made again."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field("PATCH", description="HTTP method")
    gone: bool = Field(False, description="the object is gone after it, though the method is no DELETE")

    @property
    def deletes(self) -> bool:
        """Whether nothing is there afterwards."""
        return self.gone or self.method == "DELETE"


class Lookup(SinkConfig):
    """How to find what an earlier, unclear attempt may have created. Only an object that carries our natural id is ours."""

    method: Literal["GET", "POST"] = Field("GET", description="HTTP method")
    url: str = Field(
        description="path below base_url that answers with the matching objects; with {page} or {offset} all pages are read",
        examples=["/confirmations?external_id={natural_id}", "/orders?page={page}"],
    )
    body: dict[str, Any] | list[Any] = Field(
        default_factory=dict, description="JSON body of a POST; {page} and {offset} may stand there as well"
    )
    success: str | None = Field(
        None, description="what must be true of a 2xx, as in create", examples=["{{ body.error is none }}"]
    )
    items_field: str | None = Field(
        None, description="where the answer carries the list; none: the answer is the list", examples=["data.items"]
    )
    id_field: str = Field("id", description="where each object carries its id; a.b for a nested one")
    id: str | None = Field(
        None, description="the id, made of the found object, `item`", examples=["{{ item.group ~ '-' ~ item.number }}"]
    )
    key: str = Field(
        "{natural_id}",
        description="what makes our object known, of what no revision changes",
        examples=["{{ natural_id | digest }}"],
    )
    key_field: str | None = Field(
        None,
        description="where each object carries the key; by default the field of create's body that is the same template",
        examples=["external_id"],
    )
    key_within: bool = Field(
        False,
        description="the field has it among other text: choose a key that is no part of another, e.g. `[{natural_id}]`",
    )
    next_field: str | None = Field(
        None,
        description="where the answer carries the address of the next page; `Link: rel=next` is followed anyway",
        examples=["links.next"],
    )
    page_from: int = Field(1, ge=0, description="number of the first {page}")
    whole: bool = Field(False, description="the answer always is the whole list, whatever is asked for")
    absent: tuple[int, ...] = Field((), description="statuses that say that there is none", examples=[[404]])


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
    def key_field(self) -> str | None:
        """Where an object carries our key."""
        if self.lookup is None or self.lookup.key_field is not None:
            return self.lookup.key_field if self.lookup is not None else None
        return next(_places(self.create.body, self.lookup.key), None)

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
        if isinstance(self.when, dict):
            self._check_when(self.when)
        if self.lookup is not None and self.key_field is None:
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

    def templates(self) -> Iterator[tuple[Any, set[str]]]:
        """All of them but urls, each with the names that may stand in it."""
        known = self._names()
        if isinstance(self.when, str):
            yield self.when, known
        for call in (self.create, self.update, self.cancel):
            if call is not None:
                its = known if call is self.create else known | {"remote_id"}
                yield call.body, its
                yield call.success, its.union(ANSWER_NAMES)
        yield self.create.id, known.union(ANSWER_NAMES)
        if self.lookup is not None:
            yield self.lookup.key, known
            yield self.lookup.id, known | {"item"}
            yield self.lookup.body, known.union(PAGING)
            yield self.lookup.success, known.union(ANSWER_NAMES)

    def urls(self) -> Iterator[tuple[str, set[str]]]:
        """Likewise the urls."""
        yield self.create.url, self._names()
        for call in (self.update, self.cancel):
            if call is not None:
                yield call.url, self._names() | {"remote_id"}
        if self.lookup is not None:
            yield self.lookup.url, self._names().union(PAGING)

    def _names(self) -> set[str]:
        return {*self.kind.__struct_fields__, "natural_id"}

    @property
    def tables(self) -> set[str]:
        """The tables of `maps` that its templates name."""
        return {
            name for template, _ in (*self.templates(), *self.urls()) for name in fields(template) if is_table(name)
        }


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
        return self

    @field_validator("base_url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), "http://host or https://host", instead="auth"))
        if parts.query or parts.fragment or text[-1] in "?#":
            raise ValueError("base_url takes no ? and no #: the urls of the requests are appended to it")
        return text.rstrip("/")
