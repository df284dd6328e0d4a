"""Options of the files connector."""

import codecs
import re
from pathlib import Path as FilePath
from typing import Literal

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.row_shape import RowShape
from topology.endpoint import Login, address
from topology.namespace.path import Path

Format = Literal["csv", "json_lines", "excel", "parquet"]


_ASCII = bytes(letter for letter in range(128) if letter not in b"\\~")
"""What every encoding that is read here holds as it is; Japanese ones have other letters for the two left out."""


class FileSet(RowShape):
    """Files of one kind. {file} and {folder} of a file's place may stand where a column may."""

    pattern: str = Field(
        description="which files, below the folder: * and ? within a name, ** for any folders",
        examples=["*.csv", "line-*/log-????.csv", "**/*.csv"],
    )
    format: Format = Field("csv", description="what the files are")
    complete: Literal["growing", "settled", "marker"] | None = Field(
        None,
        description="when a file is read: its whole lines as they come; once it has not changed for `settle_s`; or once a "
        "file of its name and `marker` stands beside it. None: growing, of Excel and Parquet settled",
    )
    settle_s: float = Field(5.0, gt=0, le=86_400, description="how long a file that is complete has not changed")
    marker: str = Field(".done", min_length=1, description="what a marker's name has behind the name of its file")
    encoding: str = Field(
        "utf-8", description="of text without a byte order mark; one that is there counts", examples=["cp1252"]
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="between the columns of CSV", examples=[";"])
    quote: Literal['"', "'", ""] = Field('"', description="around cells of CSV; empty: none, a quote is a letter")
    sheet: str | None = Field(None, description="sheet of an Excel workbook; None: the first", examples=["Export"])
    file_max_mb: int = Field(50, ge=1, le=1_000, description="largest Excel or Parquet file: it is read whole")
    skip_lines: int = Field(0, ge=0, le=1_000, description="lines (rows) before the header, which say nothing")
    columns: tuple[str, ...] = Field(
        (), description="names of the columns, of files that have no header", examples=[["Zeit", "Druck"]]
    )

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, text: str) -> str:
        parts = text.split("/")
        if not text or "\\" in text or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{text!r} is no pattern below the folder; line-*/log-*.csv is one")
        return text

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, name: str) -> str:
        try:
            known = codecs.lookup(name).name
            plain = _ASCII.decode("ascii").encode(known) == _ASCII
        except (LookupError, ValueError, TypeError):
            raise ValueError(f"{name!r} is no encoding of text; utf-8 and cp1252 are") from None
        if not plain and known not in ("utf-16-le", "utf-16-be", "utf-16"):
            raise ValueError(f"{name!r} is not read here; utf-8, utf-16 and those that hold ASCII as it is are")
        return "utf-16-le" if known == "utf-16" else "utf-8" if known == "utf-8-sig" else known

    @field_validator("columns")
    @classmethod
    def _columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a column stands twice")
        return names

    @model_validator(mode="after")
    def _is_readable(self) -> "FileSet":
        if self.delimiter in "\r\n\0" or self.delimiter == self.quote or not self.delimiter.isascii():
            raise ValueError(f"{self.delimiter!r} cannot be the delimiter; , ; | and a tab can")
        if self.whole and self.rule == "growing":
            raise ValueError(f"{self.format} cannot be read while it grows; `complete` is settled or marker")
        if self.columns and (missing := self.columns_of_files - set(self.columns)):
            raise ValueError(f"`columns` lacks {', '.join(sorted(missing))}, which other options name")
        return self

    @property
    def whole(self) -> bool:
        """Whether such a file can only be read whole."""
        return self.format in ("excel", "parquet")

    @property
    def rule(self) -> Literal["growing", "settled", "marker"]:
        """`complete`, or what it is without being said."""
        return self.complete or ("settled" if self.whole else "growing")

    @property
    def columns_of_files(self) -> frozenset[str]:
        """The columns that a file must have."""
        return self.columns_named - {"file", "folder"}


class FilesConfig(Login, ConnectorConfig):
    """One folder, and what is read in it."""

    folder: str = Field(
        description="the folder, on this machine or over SFTP", examples=["/mnt/mes/export", "sftp://10.0.0.7/export"]
    )
    key_file: FilePath | None = Field(
        None, description="our private key, for SFTP without a password", examples=["/run/secrets/uns-sftp"]
    )
    known_hosts_file: FilePath | None = Field(
        None, description="keys of SFTP servers, as ssh-keyscan writes them", examples=["/etc/uns/known_hosts"]
    )
    poll_s: float = Field(2.0, gt=0, le=3_600, description="how often the folder is looked at")
    timeout_s: float = Field(
        30.0, gt=0, le=600, description="longest wait for an answer of the folder; then it is away"
    )
    files: tuple[FileSet, ...] = Field(min_length=1, description="which files, and what they hold")

    @field_validator("folder")
    @classmethod
    def _absolute(cls, text: str) -> str:
        if "://" in text:
            return address(text, ("sftp",), "sftp://10.0.0.7/export")
        if not FilePath(text).is_absolute():
            raise ValueError(f"{text!r} is not absolute; /mnt/mes/export is")
        return text

    @model_validator(mode="after")
    def _sftp(self) -> "FilesConfig":
        ours = (self.username, self.password, self.password_file, self.key_file, self.known_hosts_file)
        if not self.remote and any(option is not None for option in ours):
            raise ValueError("user, password, key and known hosts are for folders over SFTP")
        if self.remote and (self.known_hosts_file is None or self.username is None):
            raise ValueError("SFTP needs `username` and `known_hosts_file`: nothing is read from whoever answers")
        return self

    @property
    def remote(self) -> bool:
        return self.folder.startswith("sftp://")

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(path for entry in self.files for path in entry.literal_paths())


def matcher(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern, over names with slashes."""
    parts = []
    for part in pattern.split("/"):
        if part == "**":
            parts.append(r"(?:[^/]+/)*")
        else:
            letters = (
                r"[^/]*" if letter == "*" else r"[^/]" if letter == "?" else re.escape(letter) for letter in part
            )
            parts.append("".join(letters) + "/")
    return re.compile("".join(parts).removesuffix("/"))
