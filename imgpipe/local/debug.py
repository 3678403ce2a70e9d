"""What the pipeline makes of one image, made here by the same handler from the same source and recipe.

The source is read where it lies, and so by the calls that the function makes; the claim, the record and the renditions
stay in memory. Nothing of the stack is written.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from imgpipe.adapters.folder import FolderStore
from imgpipe.adapters.memory import MemoryCatalog, MemoryStore
from imgpipe.core.recipe import Recipe
from imgpipe.errors import UsageError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_image
from imgpipe.worker.events import envelope
from imgpipe.worker.handler import handle
from imgpipe.worker.memory import Memory
from imgpipe.worker.ports import Record
from imgpipe.worker.process import Render

LEASE: Final = 3600.0
"""Seconds; nobody else can claim a record in memory."""
_OF_A_RUN: Final = frozenset({"key", "milliseconds", "updated", "claim"})
"""What differs between two runs that do the same."""


class Difference(Struct, frozen=True):
    """A field of the record, as renditions.web.bytes, with its value here and in the stack's; None where it is not."""

    field: str
    here: object
    stack: object


class Debugged(Struct, frozen=True):
    """The record that was made here, the stack's as it is now, where the two differ, and the files that were written,
    by preset."""

    here: Record
    stack: Record | None
    differences: tuple[Difference, ...]
    files: dict[str, str]


def debug(pipeline: Pipeline, recipe: Recipe, key: str, out: Path | None = None) -> Debugged:
    """Make the image at `key` here, with as much memory as the function has, and write its renditions below `out`.

    What would let the message come again is raised: AwsError, or whatever it is. Raises NoImageError where nothing
    lies at `key`, UsageError where its renditions cannot lie in a folder.
    """
    with aws_errors():
        if pipeline.sources.stat(key) is None:
            raise no_image(pipeline, key)
        entry = pipeline.catalog.get(key)
        renditions = MemoryStore()
        with _function_memory(pipeline) as render:
            here = _made(pipeline, recipe, key, renditions, render)
    stack = entry.record.public() if entry else None
    files = _write(here, renditions, out) if out else {}
    return Debugged(here, stack, differences(here, stack) if stack else (), files)


def differences(here: Record, stack: Record) -> tuple[Difference, ...]:
    """Where the two records differ in more than when and how fast they were made."""
    one, other = _flat(here), _flat(stack)
    fields = dict.fromkeys((*one, *other))
    return tuple(
        Difference(field, one.get(field), other.get(field)) for field in fields if one.get(field) != other.get(field)
    )


def _made(pipeline: Pipeline, recipe: Recipe, key: str, renditions: MemoryStore, render: Render) -> Record:
    records: list[Record] = []
    outages: list[Exception] = []
    handle(
        envelope(pipeline.source_bucket, key),
        pipeline.sources,
        renditions,
        MemoryCatalog(),
        recipe,
        lease=LEASE,
        report=records.append,
        on_error=lambda _, error: outages.append(error),
        render=render,
    )
    if outages:
        raise outages[0]
    if not records:
        raise no_image(pipeline, key)
    return records[0].public()


@contextmanager
def _function_memory(pipeline: Pipeline) -> Iterator[Render]:
    """Rendering within the function's memory, which also the rest of this process has no more than meanwhile."""
    memory = Memory(int(pipeline.stack.parameters["ProcessorMemory"]) * 1.048576)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    memory.bound()
    try:
        yield memory.render
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _write(record: Record, renditions: MemoryStore, out: Path) -> dict[str, str]:
    out.mkdir(parents=True, exist_ok=True)
    store = FolderStore(out, out)
    files = {}
    for made in record.renditions:
        blob = renditions.read(made.key, made.bytes)
        if blob is None:
            continue
        try:
            store.write(made.key, blob.data, f"image/{made.format}")
        except ValueError as error:
            raise UsageError(f"{made.key} cannot lie in a folder: {error}", "Leave out --out.") from error
        files[made.preset] = str(out / made.key)
    return files


def _flat(record: Record) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(record)
    flat = {name: value for name, value in facts.items() if name not in _OF_A_RUN | {"renditions", "builds"}}
    for made in facts["renditions"]:
        flat |= {f"renditions.{made['preset']}.{name}": value for name, value in made.items() if name != "preset"}
    return flat | {f"builds.{name}": value for name, value in facts["builds"].items()}
