"""What the registry serves: one table, of which the application makes its routes and `uns export openapi` the document."""

from typing import NamedTuple


class Operation(NamedTuple):
    """One method of one path. `handler`: the method of `Operations` that does it. `takes`: the schema of its body."""

    method: str
    path: str
    handler: str
    summary: str
    takes: str | None = None


ROUTES = (
    Operation("GET", "/", "root", "That a registry is here"),
    Operation("GET", "/subjects", "subjects", "Names of the subjects"),
    Operation("POST", "/subjects/{subject}", "look_up", "The version of a subject that has a schema", "Schema"),
    Operation("DELETE", "/subjects/{subject}", "delete_subject", "Delete a subject"),
    Operation("GET", "/subjects/{subject}/versions", "versions", "Numbers of a subject's versions"),
    Operation("POST", "/subjects/{subject}/versions", "register", "Register a schema, and get its id", "Schema"),
    Operation("GET", "/subjects/{subject}/versions/{version}", "version", "A version with its schema and id"),
    Operation("DELETE", "/subjects/{subject}/versions/{version}", "delete_version", "Delete a version"),
    Operation("GET", "/subjects/{subject}/versions/{version}/schema", "version_schema", "A version's schema alone"),
    Operation("GET", "/subjects/{subject}/versions/{version}/referencedby", "referenced_by", "Always nothing: there are no references"),
    Operation("GET", "/schemas/types", "types", "Always AVRO alone"),
    Operation("GET", "/schemas/ids/{id:int}", "by_id", "The schema of an id"),
    Operation("GET", "/schemas/ids/{id:int}/schema", "by_id_schema", "The schema of an id alone"),
    Operation("GET", "/schemas/ids/{id:int}/subjects", "by_id_subjects", "Subjects that have an id's schema"),
    Operation("GET", "/schemas/ids/{id:int}/versions", "by_id_versions", "Versions that have an id's schema"),
    Operation("POST", "/compatibility/subjects/{subject}/versions", "compatible", "Whether a schema fits all versions", "Schema"),
    Operation("POST", "/compatibility/subjects/{subject}/versions/{version}", "compatible", "Whether a schema fits a version", "Schema"),
    Operation("GET", "/config", "config", "The level for all subjects"),
    Operation("PUT", "/config", "set_config", "Set the level for all subjects", "Config"),
    Operation("DELETE", "/config", "delete_config", "Back to the default level"),
    Operation("GET", "/config/{subject}", "config", "A subject's own level"),
    Operation("PUT", "/config/{subject}", "set_config", "Set a subject's own level", "Config"),
    Operation("DELETE", "/config/{subject}", "delete_config", "Take a subject's own level away"),
    Operation("GET", "/mode", "mode", "Whether it takes schemas now"),
    Operation("GET", "/mode/{subject}", "mode", "The same"),
)  # fmt: skip
