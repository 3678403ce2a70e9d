"""A dry run: what a run would do, told without writing anything."""

from collections.abc import Iterator

import msgspec

from imgpipe.adapters.catalog_file import read_index
from imgpipe.adapters.folder import FolderStore
from imgpipe.local import folders
from imgpipe.local.options import Options
from imgpipe.local.outages import trouble
from imgpipe.local.reconcile import Judge, emptied, known_sources, refuse_collisions, scanned, vanished
from imgpipe.local.run_events import Action, Event, Tick, Would
from imgpipe.local.scan import Found, Scanner
from imgpipe.worker.ports import Entry, Record


def preview(options: Options, trusted_before_ns: int) -> Iterator[Event]:
    """Tell of every source what a run by `options` would do with it; sorted by key, what vanished last.

    Raises UsageError as that run would.
    """
    path = options.out / folders.CATALOG
    lines, _ = read_index(path)
    scanner = Scanner(options.source, options.include, options.exclude)
    store = FolderStore(scanner.root, checksum=options.checksum, trusted_before_ns=trusted_before_ns)

    def read(key: str) -> Entry:
        line = lines[key]
        with path.open("rb") as file:
            file.seek(line.offset)
            return Entry(msgspec.json.decode(file.read(line.length), type=Record), line.revision)

    def is_same(found: Found) -> bool:
        known = lines[found.key].version
        stat = store.stat(found.key, known)
        return bool(stat and stat.version == known)

    scan = scanner.scan(known_sources(lines))
    gone = vanished(scan, scanner, lines)
    refuse_collisions(scan.found, folding=folders.folds_case(options.out))
    if refusal := emptied(options, scan, gone):
        raise refusal
    judge = Judge(options, lines, read, trusted_before_ns)
    actions: dict[str, Action] = {}
    for found in scan.found:
        verdict = judge.verdict(found)
        if verdict == "unsure":
            yield Tick()
            verdict = "unchanged" if is_same(found) else "changed"
        actions[found.key] = "changed" if verdict == "damaged" else verdict
    unchanged = sum(action == "unchanged" for action in actions.values())
    yield scanned(scan, jobs=len(actions) - unchanged, unchanged=unchanged, gone=gone)
    for place, error, file in scan.unread:
        yield trouble(place, error, image=file)
    for name in scan.bad_names:
        yield Would(name, "fail")
    for key, would in actions.items():
        yield Would(key, would)
    for key in gone:
        yield Would(key, "prune" if options.prune else "vanished")
