"""Which renditions a download wants: those of some images, or all below a prefix.

Everything is known before the first is fetched: how much it is, and whether it can lie in one folder. Records tell
what there should be, so that what is missing is said, and what no record names is no rendition.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from imgpipe.adapters.dynamodb import BATCH
from imgpipe.errors import UsageError, image_remedy
from imgpipe.remote.failed import Failed, failed
from imgpipe.remote.objects import folders, objects
from imgpipe.remote.parallel import unordered
from imgpipe.remote.patiently import portions
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_images
from imgpipe.worker.keys import folded
from imgpipe.worker.ports import Entry, Record, Rendition


class Wanted(NamedTuple):
    """A rendition of `source` to be fetched. `etag` is None where no listing told it."""

    key: str
    source: str
    bytes: int
    etag: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be fetched of `images` images, sorted by their keys, and what cannot be; `without` counts sources
    below a prefix of which nothing is made, or could be."""

    wanted: tuple[Wanted, ...]
    failed: tuple[Failed, ...] = ()
    images: int = 0
    without: int = 0


def of_images(pipeline: Pipeline, keys: Iterable[str], presets: Collection[str]) -> Plan:
    """The renditions of the sources at `keys`, of `presets` alone unless there are none; of an image that is being made
    anew, those that it has. Raises UsageError where no rendition of such a preset is there, AwsError."""
    _check(pipeline, presets)

    def look(key: str) -> Record | Failed | str:
        with aws_errors():
            entry = pipeline.catalog.get(key)
            record = entry.record if entry else None
            if record and record.renditions:
                return record
            if record and record.error:
                return Failed(key, record.error.code, record.error.message, image_remedy(record.error.code))
            if pipeline.sources.stat(key):
                status = pipeline.session.command("status", pipeline.stack.name)
                return Failed(key, "not_made", "Its renditions are not made yet.", f"If it stays so, see: {status}")
            return key

    found = list(unordered(look, dict.fromkeys(keys)))
    records = sorted((it for it in found if isinstance(it, Record)), key=lambda it: it.key)
    absent = sorted(it for it in found if isinstance(it, str))
    refused = [it for it in found if isinstance(it, Failed)]
    refused += [failed(key, error) for key, error in zip(absent, no_images(pipeline, absent), strict=True)]
    wanted = (Wanted(made.key, record.key, made.bytes) for record in records for made in _of(record, presets))
    return Plan(tuple(wanted), tuple(sorted(refused, key=lambda it: it.key)), len(records))


def of_prefix(pipeline: Pipeline, prefix: str, presets: Collection[str]) -> Plan:
    """As `of_images`, of all sources whose keys begin with `prefix`; those of which nothing is made fail nothing, and
    are counted."""
    there = _check(pipeline, presets)
    # A rendition's key begins with the preset and the source's key.
    prefixes = [f"{preset}/{prefix}" for preset in there if not presets or preset in presets]
    listed = {it.key: it for begin in prefixes for it in objects(pipeline.session, pipeline.destination_bucket, begin)}
    wanted: list[Wanted] = []
    refused: list[Failed] = []
    images = without = 0
    sources = (it.key for it in objects(pipeline.session, pipeline.source_bucket, prefix))

    def read(keys: list[str]) -> list[tuple[str, Entry | None]]:
        with aws_errors():
            entries = pipeline.catalog.entries(keys)
        return [(key, entries.get(key)) for key in keys]

    for batch in unordered(read, portions(sources, BATCH)):
        for key, entry in batch:
            if not entry or not entry.record.renditions:
                without += 1
                continue
            images += 1
            for made in _of(entry.record, presets):
                if it := listed.get(made.key):
                    wanted.append(Wanted(it.key, key, it.bytes, it.etag))
                else:
                    refused.append(missing(pipeline, made.key, key))
    return Plan(tuple(sorted(wanted)), tuple(sorted(refused, key=lambda it: it.key)), images, without)


def missing(pipeline: Pipeline, key: str, source: str) -> Failed:
    """The failure that the rendition `key` of `source` is not where its record has it."""
    again = pipeline.session.command("reprocess", pipeline.stack.name, source)
    return Failed(key, "missing", "It is missing, though its record names it.", f"To make it again: {again}")


def _of(record: Record, presets: Collection[str]) -> Iterator[Rendition]:
    return (made for made in record.renditions if not presets or made.preset in presets)


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
