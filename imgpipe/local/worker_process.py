"""A worker process of a folder run: takes one job at a time from its parent and gives it to the worker's handler.

The parent alone holds the catalog, so a claim is on disk before a rendition is. A worker ends with its parent, even in
the middle of a job: what it still wrote after that could meet the next run.
"""

import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec

from imgpipe.errors import Conflict
from imgpipe.local import wire
from imgpipe.local.outages import trouble
from imgpipe.worker.events import envelope
from imgpipe.worker.ports import Entry, Record

LEASE: Final = 24 * 3600.0
"""Seconds. The folder's lock and the parent's deadline hold a source here; a stopped and continued run must not lose
its claims to the clock."""
OVERHEAD_MEGABYTES: Final = 256
"""What a job may take beyond the decoder: the source's bytes, resized copies, encoders."""


class PipeCatalog:
    """The parent's catalog, asked over the connection."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent

    def get(self, key: str) -> Entry | None:
        return self._ask(wire.Get(key), key).entry

    def put(self, record: Record, revision: int | None) -> int:
        return self._ask(wire.Put(record, revision), record.key).revision

    def _ask(self, question: wire.Get | wire.Put, key: str) -> wire.Answer:
        wire.send(self._parent, question)
        answer = wire.answer(self._parent)
        if answer.conflict:
            raise Conflict(key)
        if answer.errno:
            raise OSError(answer.errno, answer.message)
        return answer


def main(descriptor: int, setup_path: str) -> None:
    """Work until the parent hangs up. `descriptor` is the connection to it, inherited open."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they may reach the whole group, and the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    parent = Connection(descriptor)
    try:
        work = _prepare(parent, setup_path)
    except Exception as error:
        wire.send(parent, wire.Ended(trouble=trouble("", error)))
        return
    wire.send(parent, wire.Ready())
    with suppress(EOFError, OSError):
        while True:
            wire.send(parent, work(wire.next_job(parent)))


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent does."""
    os.read(0, 1)
    os._exit(1)


def _prepare(parent: Connection, setup_path: str) -> Callable[[wire.Job], wire.Ended]:
    from imgpipe.adapters.folder import FolderStore
    from imgpipe.worker.handler import handle
    from imgpipe.worker.memory import bound

    setup = msgspec.msgpack.decode(Path(setup_path).read_bytes(), type=wire.Setup)
    sources = FolderStore(
        Path(os.fsdecode(setup.sources)),
        checksum=setup.checksum,
        trusted_before_ns=setup.trusted_before_ns,
    )
    renditions = FolderStore(Path(os.fsdecode(setup.renditions)), Path(os.fsdecode(setup.staging)))
    catalog = PipeCatalog(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash costs an image, not a disk
    bound(setup.recipe.limits.max_memory_megabytes + OVERHEAD_MEGABYTES)

    def work(job: wire.Job) -> wire.Ended:
        settled: list[Record] = []
        outages: list[Exception] = []
        handle(
            envelope("local", job.key, removed=job.removed, force=job.force, message_id=job.key),
            sources,
            renditions,
            catalog,
            setup.recipe,
            lease=LEASE,
            report=settled.append,
            on_error=lambda _, error: outages.append(error),
        )
        if not outages:
            return wire.Ended(record=settled[-1].public() if settled else None)
        if isinstance(outages[0], MemoryError):
            return wire.Ended(out_of_memory=True)
        return wire.Ended(trouble=trouble(job.key, outages[0]))

    return work
