"""Which renditions a download wants: those of some images, or all below a prefix.

Everything is known before the first is fetched: how much it is, and whether it can lie in one folder. What is below a
prefix is what lies in the bucket, since the feed is without the images that are being made anew.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from imgpipe.errors import IMAGE_ERRORS, UsageError
from imgpipe.remote.failed import Failed, failed
from imgpipe.remote.objects import folders, objects
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_image
from imgpipe.worker.keys import folded
from imgpipe.worker.ports import Record


class Wanted(NamedTuple):
    """A rendition to be fetched. `etag` is None where no listing told it."""

    key: str
    bytes: int
    etag: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be fetched, sorted by key, and what cannot be."""

    wanted: tuple[Wanted, ...]
    failed: tuple[Failed, ...] = ()


def of_images(pipeline: Pipeline, keys: Iterable[str], presets: Collection[str]) -> Plan:
    """The renditions of the sources at `keys`, of `presets` alone unless there are none. Raises UsageError where no
    rendition of such a preset is there, AwsError."""
    _check(pipeline, presets)

    def look(key: str) -> Record | Failed:
        with aws_errors():
            entry = pipeline.catalog.get(key)
            record = entry.record if entry else None
            if record and record.status == "done":
                return record
            if record and record.error:
                return Failed(key, record.error.code, record.error.message, IMAGE_ERRORS.get(record.error.code, ""))
            if pipeline.sources.stat(key):
                status = pipeline.session.command("status", pipeline.stack.name)
                return Failed(key, "not_made", "Its renditions are not made yet.", f"If it stays so, see: {status}")
            return failed(key, no_image(pipeline, key))

    found = sorted(unordered(look, dict.fromkeys(keys)), key=lambda it: it.key)
    made = [rendition for it in found if isinstance(it, Record) for rendition in it.renditions]
    wanted = (Wanted(it.key, it.bytes) for it in made if not presets or it.preset in presets)
    return Plan(tuple(wanted), tuple(it for it in found if isinstance(it, Failed)))


def of_prefix(pipeline: Pipeline, prefix: str, presets: Collection[str]) -> Plan:
    """The renditions of all sources whose keys begin with `prefix`, also of those that are being made anew: what of
    them is there. Raises as `of_images` does."""
    there = _check(pipeline, presets)
    # A rendition's key begins with the preset and the source's key.
    prefixes = [f"{preset}/{prefix}" for preset in there if not presets or preset in presets]
    listed = (it for begin in prefixes for it in objects(pipeline.session, pipeline.destination_bucket, begin))
    return Plan(tuple(Wanted(*it) for it in listed))


def _check(pipeline: Pipeline, presets: Collection[str]) -> list[str]:
    there = folders(pipeline.session, pipeline.destination_bucket)
    for preset in presets:
        if there and preset not in there:
            raise UsageError(
                f"There is no rendition of a preset {preset}.", f"Name one of these with --preset: {', '.join(there)}."
            )
    return there


def refuse_collisions(wanted: Iterable[Wanted], *, folding: bool) -> None:
    """Raise UsageError where two renditions cannot lie in one folder; `folding` where its file system ignores case."""
    names: dict[str, str] = {}
    for it in wanted:
        other = names.setdefault(folded(it.key) if folding else it.key, it.key)
        if other != it.key:
            raise _collision(other, it.key)
    for name, key in names.items():
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in names:
                raise _collision(names[name], key)


def _collision(one: str, other: str) -> UsageError:
    return UsageError(
        f"{one} and {other} cannot lie in one folder of this file system.",
        "Fetch them into two, by their keys or a longer --prefix.",
    )
