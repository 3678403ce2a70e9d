"""One run at work: holds IN against the catalog, gives the jobs to the pool, and tells what came of them."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

from msgspec.structs import replace

from imgpipe.adapters.catalog_file import FileCatalog
from imgpipe.adapters.folder import FolderStore, folds_case
from imgpipe.errors import Retry
from imgpipe.local import contact_sheet, folders, settling
from imgpipe.local.options import Options
from imgpipe.local.outages import trouble
from imgpipe.local.pool import Lost, Pool, Settled, usable_cores
from imgpipe.local.reconcile import Judge, emptied, known_sources, refuse_collisions, scanned, vanished
from imgpipe.local.run_events import Event, Finished, Postponed, Pruned, Tick, Trouble, Unchanged, Vanished
from imgpipe.local.scan import Found, Scan, Scanner
from imgpipe.local.wire import Job, Setup
from imgpipe.worker.ports import Record

TICK: Final = 0.1
"""Seconds without an event after which there is one all the same."""


class Session:
    """The state of one run, for `with`, whose end ends the workers; `stopped` once no further job is to be begun."""

    def __init__(self, options: Options, trusted_before_ns: int) -> None:
        self.stopped = False
        self.options = options
        self._trusted_before_ns = trusted_before_ns
        self._scanner = Scanner(options.source, options.include, options.exclude)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            try:
                self._open(resources)
            except OSError as error:
                raise folders.unwritable(self.options.out, error) from error
            self._resources = resources.pop_all()
        return self

    def _open(self, resources: ExitStack) -> None:
        options, out = self.options, self.options.out
        folders.prepare(out)
        self._catalog = resources.enter_context(FileCatalog(out / folders.CATALOG))
        staging, hold = resources.enter_context(folders.staging(out))
        self._renditions = FolderStore(out, staging)
        self._folds_case = folds_case(staging)
        setup = Setup(
            sources=bytes(self._scanner.root),
            renditions=bytes(out),
            staging=bytes(staging),
            recipe=options.recipe,
            checksum=options.checksum,
            trusted_before_ns=self._trusted_before_ns,
        )
        self._pool = Pool(
            setup,
            staging,
            self._catalog,
            options.workers or usable_cores(),
            deadline=options.deadline,
            hold=hold,
            debug=options.debug,
        )
        resources.callback(self._pool.close)

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def look(self) -> tuple[Scan, list[str]]:
        """Scan IN: what is there, and the keys that vanished from it."""
        lines = self._catalog.lines
        scan = self._scanner.scan(known_sources(lines))
        return scan, vanished(scan, self._scanner, lines)

    def update(self, scan: Scan, found: Sequence[Found], gone: Sequence[str]) -> Iterator[Event]:
        """Bring `found`, a part of what was scanned, up to date, and tell of what vanished or prune it.

        Raises UsageError where the renditions of two sources in `scan` cannot lie in one folder, or where to prune
        is to remove everything.
        """
        refuse_collisions(scan.found, folding=self._folds_case)
        if refusal := emptied(self.options, scan, gone):
            raise refusal
        yield from map(Vanished, gone)
        if self.options.prune:
            # Before anything is made: where the file system folds case, a renamed source has the same renditions.
            yield from self._work(Job(key, removed=True) for key in gone)
        judge = Judge(self.options, self._catalog.lines, self._catalog.get, self._trusted_before_ns)
        jobs = [job for job in map(judge.job, found) if job]
        yield scanned(scan, jobs=len(jobs), unchanged=len(found) - len(jobs), gone=gone)
        for place, error, file in scan.unread:
            yield self._noted(trouble(place, error, image=file))
        for name in scan.bad_names:
            yield self._fail(name, "bad_key", f"The name {name} is not valid UTF-8.")
        yield from self._work(jobs)

    def finish(self) -> Iterator[Event]:
        """Leave the catalog compact and the contact sheet true to it."""
        for name, leave in ((folders.CATALOG, self._catalog.compact), (folders.SHEET, self._draw)):
            try:
                leave()
            except OSError as error:
                yield self._noted(trouble(name, error, image=False))

    def _draw(self) -> None:
        out = self.options.out
        if _is_older(out / folders.SHEET, out / folders.CATALOG):
            contact_sheet.write(out, self._catalog.records(), recipe=self.options.recipe)

    def _work(self, jobs: Iterable[Job]) -> Iterator[Event]:
        waiting = iter(jobs)
        while True:
            while self._pool.free and not self.stopped and (job := next(waiting, None)):
                if not job.removed and _is_gone(self._scanner.root / job.key):
                    yield Vanished(job.key, late=True)
                else:
                    self._pool.submit(job)
            if not self._pool.busy:
                return
            outcomes = self._pool.wait(TICK)
            for outcome in outcomes:
                yield from map(self._noted, self._told(outcome))
            if not outcomes:
                yield Tick()

    def _told(self, outcome: Settled | Lost) -> Iterator[Event]:
        if isinstance(outcome, Lost):
            yield self._fail(outcome.job.key, outcome.code, outcome.message)
            return
        job, ended, wrote = outcome
        if ended.trouble:
            yield ended.trouble
        elif ended.record is None or ended.record.status == "deleted":
            if not job.removed:
                yield Vanished(job.key, late=True)
            if ended.record:
                yield Pruned(job.key)
        elif ended.record.status == "done" and not wrote:
            self._note_version(job)
            yield Unchanged(job.key)
        elif self.options.watch and settling.may_be_half_written(self._scanner.root / job.key, ended.record):
            yield Postponed(job.key)
        else:
            yield Finished(ended.record)

    def _note_version(self, job: Job) -> None:
        """Spare the next run the reading of a source whose time is old enough by now to tell."""
        entry = self._catalog.get(job.key)
        if job.version and entry:
            with suppress(OSError):
                self._catalog.put(replace(entry.record, version=job.version), entry.revision)

    def _fail(self, key: str, code: str, message: str) -> Event:
        """End the source in the place of a worker that cannot."""
        from imgpipe.worker.process import give_up  # it loads the image libraries, which are the workers' else

        try:
            record = give_up(key, code, message, self._renditions, self._catalog, self.options.recipe)
        except (OSError, Retry) as error:
            return trouble(key, error)
        return Finished(record.public())

    def _noted(self, event: Event) -> Event:
        """`event`, once it is known whether it ends the run."""
        match event:
            case Trouble(ends_run=True):
                self.stopped = True
            case Trouble(image=True) | Finished(record=Record(status="failed")):
                self.stopped = self.stopped or self.options.fail_fast
        return event


def _is_gone(path: Path) -> bool:
    """Whether no file can lie at `path`. What cannot be looked at is not gone: the worker says why."""
    try:
        path.stat()  # and not `exists`, which since Python 3.14 answers False to whatever it cannot look at
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return False


def _is_older(path: Path, than: Path) -> bool:
    """Whether the file at `path` is missing, or was written before the one at `than`."""
    try:
        return path.stat().st_mtime_ns < than.stat().st_mtime_ns
    except FileNotFoundError:
        return True
