"""What an upload says while it works: one frozen event for each file, in the order in which they end.

The command line draws these and nothing else. `key` is the source's, `path` the file's as a person is shown it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Uploaded:
    """A file is whole in the bucket: `version` as its record will name it (VersionId, or the ETag of a bucket without
    versions)."""

    key: str
    path: str
    bytes: int
    version: str


@dataclass(frozen=True)
class Unchanged:
    """The bucket holds these very bytes under this key already; its version only where results are waited for."""

    key: str
    path: str
    bytes: int
    version: str | None = None


@dataclass(frozen=True)
class Failed:
    """A file that could not be read or stored, `key` None where it has none yet: why, and what to do. `outage` where
    AWS failed, so that the next file may fare no better."""

    key: str | None
    path: str
    code: str
    message: str
    remedy: str
    outage: bool = False


@dataclass(frozen=True)
class Would:
    """What a dry run found: the file is not there (`new`), is there with other content (`changed`), or as it is, to be
    left (`unchanged`) or to be sent all the same (`again`)."""

    key: str | None
    path: str
    bytes: int
    action: str


Event = Uploaded | Unchanged | Failed | Would
