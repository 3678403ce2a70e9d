"""Hold what a scan found against the catalog and OUT: which sources are up to date, and which are a job.

Size and modification time decide without reading a file. Where they cannot, since the record's version is a hash (the
time was too fresh to trust, or content was asked for), the source becomes a job all the same, and its worker finds out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imgpipe.adapters.catalog_file import Line
from imgpipe.errors import UsageError
from imgpipe.local.options import Options
from imgpipe.local.run_events import Scanned
from imgpipe.local.scan import Found, Scan, Scanner
from imgpipe.local.wire import Job
from imgpipe.worker.keys import collisions
from imgpipe.worker.ports import Entry

Verdict = Literal["new", "changed", "damaged", "unsure", "unchanged"]
"""What a source is to the catalog; `damaged` is one whose renditions are not as they were made, `unsure` one whose
content must be read to tell."""


@dataclass(frozen=True)
class Judge:
    """Decides about one source at a time. `lines` is the catalog's index, `read` gives a key's entry; times from
    `trusted_before_ns` on (nanoseconds since the epoch) are too fresh to trust."""

    options: Options
    lines: Mapping[str, Line]
    read: Callable[[str], Entry | None]
    trusted_before_ns: int

    def job(self, found: Found) -> Job | None:
        """What is to be done about a source; None where it is up to date."""
        verdict = self.verdict(found)
        if verdict == "unchanged":
            return None
        trusted = not self.options.checksum and found.modified_ns < self.trusted_before_ns
        return Job(
            found.key,
            force=self.options.force or verdict == "damaged",
            version=found.version if verdict == "unsure" and trusted else None,
        )

    def verdict(self, found: Found) -> Verdict:
        """What a source is, as far as can be told without reading it."""
        line = self.lines.get(found.key)
        if not line or line.status == "deleted":
            return "new"
        if self.options.force or line.status != "done" or line.recipe != self.options.recipe.hash:
            return "changed"
        decided = not self.options.checksum and not (line.version or "").startswith("sha256:")
        if decided and line.version != found.version:
            return "changed"
        if not self._is_made(found.key):
            return "damaged"
        return "unchanged" if decided else "unsure"

    def _is_made(self, key: str) -> bool:
        """Whether every rendition of the record lies in OUT, as large as it was made."""
        entry = self.read(key)
        try:
            return entry is not None and all(
                (self.options.out / made.key).stat().st_size == made.bytes for made in entry.record.renditions
            )
        except OSError:
            return False


def vanished(scan: Scan, scanner: Scanner, lines: Mapping[str, Line]) -> list[str]:
    """Sorted keys that are in the catalog but not in IN; not what patterns hide or a failed look may have missed."""
    if scanner.lone:
        return []
    present = {found.key for found in scan.found}.union(scan.bad_names)
    missing = known_sources(lines).difference(present)
    return sorted(key for key in missing if scanner.wants(key) and not scan.may_hold(key))


def known_sources(lines: Mapping[str, Line]) -> set[str]:
    """The keys that the catalog knows as sources."""
    return {key for key, line in lines.items() if line.status != "deleted"}


def scanned(scan: Scan, *, jobs: int, unchanged: int, gone: Sequence[str]) -> Scanned:
    """What a look found, in numbers: `jobs` of its sources are to be looked into, `unchanged` are up to date."""
    broken = len(scan.bad_names) + sum(unread.file for unread in scan.unread)
    return Scanned(
        total=len(scan.found) + broken,
        todo=jobs + broken,
        unchanged=unchanged,
        other=scan.other,
        vanished=len(gone),
        unmatched=scan.unmatched,
        linked=scan.linked,
    )


def emptied(options: Options, scan: Scan, gone: Sequence[str]) -> UsageError | None:
    """The refusal to prune everything, as would be done where an unmounted disk leaves an empty folder behind."""
    if not gone or scan.found or not options.prune or options.force:
        return None
    return UsageError(
        f"IN is empty, and --prune would remove all renditions of what it held: {options.source}.",
        "Is its disk mounted? If so, add --force to remove them.",
    )


def refuse_collisions(found: Iterable[Found], *, folding: bool) -> None:
    """Raise UsageError where two sources' renditions cannot lie in one folder; `folding` where it ignores case."""
    for one, other in collisions((source.key for source in found), folding=folding):
        raise UsageError(
            f"The renditions of {one} and {other} cannot lie in one folder of this file system.",
            "Rename one of the two, or leave it out with --exclude.",
        )
