"""Options: the requests that a target is asked by, and how an object is found there."""

from typing import Any, Literal

from pydantic import Field

from sinks.base import SinkConfig

Method = Literal["POST", "PUT", "PATCH"]
PAGING = ("page", "offset")
"""What a lookup's url may name, so that its pages are read one after the other."""


class Call(SinkConfig):
    """One request. Texts are templates over the record's fields; `success` and `id` also over the answer (`status`,
    `headers`, `body` where it is JSON, `text`)."""

    url: str = Field(description="path below base_url", examples=["/work-orders", "/confirmations/{remote_id}"])
    body: dict[str, Any] | list[Any] = Field(default_factory=dict, description="JSON body")
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


class Update(Call):
    """The request that changes an object."""

    method: Method = Field("POST", description="HTTP method")


class Cancel(Call):
    """The request that takes an object back. After a DELETE it is gone, and may be made again."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field("PATCH", description="HTTP method")


class Lookup(SinkConfig):
    """How to find what an earlier, unclear attempt may have created. Only an object that carries our natural id is ours."""

    url: str = Field(
        description="path below base_url that answers with the matching objects; with {page} or {offset} all pages are read",
        examples=["/confirmations?external_id={natural_id}", "/orders?page={page}"],
    )
    items_field: str | None = Field(
        None, description="where the answer carries the list; none: the answer is the list", examples=["data.items"]
    )
    id_field: str = Field("id", description="where each object carries its id; a.b for a nested one")
    key_field: str | None = Field(
        None,
        description="where each object carries our natural id; by default the field of create's body that is `{natural_id}`",
        examples=["external_id"],
    )
    next_field: str | None = Field(
        None,
        description="where the answer carries the address of the next page; `Link: rel=next` is followed anyway",
        examples=["links.next"],
    )
    page_from: int = Field(1, ge=0, description="number of the first {page}")
    whole: bool = Field(False, description="the answer always is the whole list, whatever is asked for")
    absent: tuple[int, ...] = Field((), description="statuses that say that there is none", examples=[[404]])
