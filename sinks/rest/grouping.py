"""Options: records that belong together, which have one object between them, and sums over them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from sinks.base import SinkConfig
from sinks.kit.answer import ANSWER_NAMES
from sinks.kit.template import Template
from sinks.rest.calls import Create, Lookup, Update

GROUP_NAMES = ("times", "minutes", "first_at", "last_at", "withheld")
"""What templates of an object that many records share may name, beside the fields of the record that is on its way."""
PAGE = "page_url"
"""Names our page of the record's path in templates."""
SumName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Sums(SinkConfig):
    """Sums over records, each counted once, as its newest revision has it."""

    by: str = Field(
        "{path}",
        description="which records are summed up: those that make the same of this; of an `object`, its records",
    )
    of: dict[SumName, str] = Field(
        min_length=1,
        description="name → what a record adds, a number; templates have `{{ sums.NAME }}` of it and all before it",
        examples=[{"run_h": "{{ element_us.get('APT', 0) / 3600000000 }}", "cycles": "{{ good + scrap }}"}],
    )


class OpenThere(SinkConfig):
    """How to see whether an object is still open at the target."""

    url: str = Field(
        description="path below base_url that answers with the object", examples=["/work-orders/{remote_id}"]
    )
    open: str = Field(
        description="what is true of the answer while it is open",
        examples=["{{ body.status not in ['DONE', 'CANCELED'] }}"],
    )
    absent: tuple[int, ...] = Field((404, 410), description="statuses that say that it is gone")


class Comment(Create):
    """The request by which a later record is told of at the object. It counts as made once success is proven; it needs no
    id of its own."""

    lookup: Lookup | None = Field(None, description="finds it; without one a lost answer may make it twice")

    @property
    def known_by(self) -> Create:
        """As a request that makes an object; where the answer names none, our natural id is its id."""
        ours = self.id or (None if self.lookup is not None or "id_field" in self.model_fields_set else "{natural_id}")
        return Create(
            url=self.url,
            body=self.body,
            headers=self.headers,
            success=self.success,
            method=self.method,
            id_field=self.id_field,
            id=ours,
            repeatable=self.repeatable,
        )


class Grouped(SinkConfig):
    """One object for many records: the first makes it, later ones are told of there, until it is closed."""

    key: str = Field(
        description="records that make the same of this have one object while it is open",
        examples=["{path}/{reason_code|unknown}"],
    )
    comment: Comment | None = Field(None, description="tells of each later record, once; none: `update` alone")
    there: OpenThere | None = Field(
        None, description="asked before anything is sent for it: one that was closed there takes no more"
    )
    closed_when: dict[str, Any] | str | None = Field(
        None,
        description="what a record fits that is over, as `when` has it; once all are over, the object is closed",
        examples=["{{ ended_at is not none }}"],
    )
    close: Update | None = Field(None, description="the request that closes it then; none: only here")
    idle_h: float | None = Field(
        None,
        gt=0,
        description="no record for so long, by the times of the records: what comes then makes a new object",
        examples=[72],
    )
    creates_per_h_max: int | None = Field(
        None,
        ge=1,
        description="objects of one path within an hour, by the times of the records; what is over it is told at another "
        "open object of that path, else it is counted",
        examples=[4],
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, options: Any) -> Any:
        """A text is the key alone."""
        return {"key": options} if isinstance(options, str) else options

    @model_validator(mode="after")
    def _goes_together(self) -> "Grouped":
        if self.close is not None and self.closed_when is None:
            raise ValueError("object: `close` needs `closed_when`: what is true of a record that is over?")
        return self

    def templates(self) -> list[tuple[Template, frozenset[str]]]:
        """All but urls, `key` and `closed_when`, each with what it may name beside the record's fields and the group's."""
        remote, answer = frozenset({"remote_id"}), frozenset(ANSWER_NAMES)
        found: list[tuple[Template, frozenset[str]]] = []
        for call in (self.comment, self.close):
            if call is not None:
                found += [(call.body, remote), (call.success, remote | answer)]
        if self.comment is not None:
            found.append((self.comment.id, remote | answer))
        if self.there is not None:
            found.append((self.there.open, remote | answer))
        return found

    def urls(self) -> list[str]:
        """Of requests that name an object: each may have `{remote_id}`."""
        calls = (self.comment, self.close, self.there)
        return [call.url for call in calls if call is not None]
