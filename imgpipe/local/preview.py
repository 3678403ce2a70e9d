"""A dry run: what a run would do, told without writing anything."""

from collections.abc import Iterator

import msgspec

from imgpipe.adapters.catalog_file import read_index
from imgpipe.adapters.folder import FolderStore
from imgpipe.local import folders
from imgpipe.local.options import Options
from imgpipe.local.outages import trouble
from imgpipe.local.reconcile import Judge, known_sources, vanished
from imgpipe.local.run_events import Action, Event, Would
from imgpipe.local.scan import Found, Scanner
from imgpipe.worker.ports import Entry, Record


def preview(options: Options, trusted_before_ns: int) -> Iterator[Event]:
    """Tell of every source what a run by `options` would do with it; sorted by key, what vanished last."""
    path = options.out / folders.CATALOG
    lines, _ = read_index(path)
    scanner = Scanner(options.source, options.include, options.exclude)
    store = FolderStore(scanner.root, checksum=options.checksum, trusted_before_ns=trusted_before_ns)

    def read(key: str) -> Entry:
        line = lines[key]
        with path.open("rb") as file:
            file.seek(line.offset)
            return Entry(msgspec.json.decode(file.read(line.length), type=Record), line.revision)

    def action(found: Found) -> Action:
        verdict = judge.verdict(found)
        if verdict == "unsure":
            known = lines[found.key].version
            stat = store.stat(found.key, known)
            return "unchanged" if stat and stat.version == known else "changed"
        return "changed" if verdict == "damaged" else verdict

    scan = scanner.scan(known_sources(lines))
    gone = vanished(scan, scanner, lines)
    judge = Judge(options, lines, read, trusted_before_ns)
    for key, error in scan.unread:
        yield trouble(key, error)
    for found in scan.found:
        yield Would(found.key, action(found))
    for key in gone:
        yield Would(key, "prune" if options.prune else "vanished")
