"""Options: the requests that a target is asked by, and how an object is found there."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sinks.base import SinkConfig
from topology.endpoint import header_value, is_header_name

Method = Literal["POST", "PUT", "PATCH"]
PAGING = ("page", "offset")
"""What a lookup may name, so that its pages are read one after the other."""


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
