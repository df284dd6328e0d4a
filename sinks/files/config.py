"""Options of the files sink."""

from pathlib import Path as FilePath
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.files.names import NAMES, checked_name
from sinks.kit.choice import Choice, Maps, checked_tables, checked_zone
from topology.endpoint import Login, address

Encoding = Literal["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-15"]


class FileSet(Choice):
    """Records of one kind, as rows of files of one form."""

    format: Literal["csv", "jsonl", "parquet"] = Field(
        "csv", description="CSV, JSON lines, or Parquet (extra `parquet`)"
    )
    name: str = Field(
        "{record}-{day}",
        description=f"name of the files below the folder, without number and ending; of {', '.join(NAMES)}",
        examples=["{site}/{record}-{day}"],
    )
    columns: dict[str, Any] = Field(
        default_factory=dict,
        description="column → template; none: a column for each field",
        examples=[{"machine": "{path[4]}", "begin": "{started_at}", "good": "{good}"}],
    )
    zone: str = Field("UTC", description="zone of times in text, and of days in names", examples=["Europe/Berlin"])
    time_format: str | None = Field(
        None, description="how text says a time (strftime); None: ISO 8601 with offset", examples=["%d.%m.%Y %H:%M:%S"]
    )
    delimiter: Literal[",", ";", "\t", "|"] = Field(",", description="between the cells of CSV")
    decimal: Literal[".", ","] = Field(".", description="decimal sign of CSV")
    header: bool = Field(True, description="whether the first line of CSV names the columns")
    encoding: Encoding = Field(
        "utf-8", description="of CSV; utf-8-sig and utf-16 begin with a byte order mark, for Excel"
    )
    every_s: float = Field(3_600.0, ge=1, le=31 * 86_400, description="a file is complete so long after its first row")
    rows_max: int = Field(1_000_000, ge=1, description="or with so many rows")
    bytes_max: int = Field(64_000_000, ge=1_000, description="or with so many bytes")
    keep_days: float | None = Field(
        None, gt=0, description="complete files of ours are deleted so long after; None: never", examples=[90]
    )

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return checked_zone(name)

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return checked_name(name)

    @model_validator(mode="after")
    def _consistent(self) -> "FileSet":
        if self.format == "csv" and self.delimiter == self.decimal:
            raise ValueError("delimiter and decimal are both a comma; write delimiter: ';'")
        for column, template in self.columns.items():
            if not column.strip():
                raise ValueError("columns: a column has no name")
            self.check_template(f"columns: {column}", template)
            self._check_letters(column)
        return self

    def _check_letters(self, column: str) -> None:
        try:
            column.encode(self.encoding if self.format == "csv" else "utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"columns: {column!a} has letters that are not in {self.encoding}") from None

    @property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Upload(Login, SinkConfig):
    """A folder of another machine that complete files are copied to."""

    to: str = Field(description="folder that is there, over SFTP (extra `sftp`)", examples=["sftp://10.0.0.7/import"])
    key_file: FilePath | None = Field(
        None, description="our private key, for SFTP without a password", examples=["/run/secrets/uns-sftp"]
    )
    known_hosts_file: FilePath = Field(
        description="keys of SFTP servers, as ssh-keyscan writes them", examples=["/etc/uns/known_hosts"]
    )
    timeout_s: float = Field(30.0, gt=0, le=600, description="longest wait for an answer; then it is away")
    waiting_max: int = Field(
        10_000,
        ge=1,
        description="complete files that wait for a server which is away; with more the sink takes no rows",
    )

    @field_validator("to")
    @classmethod
    def _to(cls, text: str) -> str:
        return address(text, ("sftp",), "sftp://10.0.0.7/import")

    @model_validator(mode="after")
    def _login(self) -> "Upload":
        if self.username is None:
            raise ValueError("upload needs a username")
        return self


class FilesSinkConfig(SinkConfig):
    """One folder, and which records go into which of its files."""

    folder: FilePath = Field(
        description="folder that is there, on this machine or mounted; it is not made", examples=["/srv/export"]
    )
    upload: Upload | None = Field(
        None,
        description="where complete files are copied to, each under its name and at once; they lie in `folder`, too",
        examples=[
            {
                "to": "sftp://10.0.0.7/import",
                "username": "uns",
                "key_file": "/run/secrets/uns-sftp",
                "known_hosts_file": "/etc/uns/known_hosts",
            }
        ],
    )
    maps: Maps = Field(
        default_factory=dict,
        description="tables for templates: {{ maps.reasons[reason] }}, {{ maps.reasons.get(reason, 'other') }}",
        examples=[{"reasons": {"jam": "R17", "drive": "R20"}}],
    )
    files: tuple[FileSet, ...] = Field(min_length=1, max_length=128, description="which records go where")

    @field_validator("folder")
    @classmethod
    def _from_the_root_on(cls, folder: FilePath) -> FilePath:
        if not folder.is_absolute():
            raise ValueError(f"folder {str(folder)!r}: name it from the root on")
        return folder

    @model_validator(mode="after")
    def _apart(self) -> "FilesSinkConfig":
        for each in self.files:
            checked_tables(self.maps, [each.when, *each.columns.values()])
        names = [(each.name.replace("{record}", each.record), each.format) for each in self.files]
        if twice := sorted({name for name, form in names if names.count((name, form)) > 1}):
            raise ValueError(f"files: two sets are called {twice[0]!r}; give one of them another name")
        return self
