"""A folder run as a person or a program sees it: what goes to stderr while it works, and to stdout at its end.

stderr carries the bar and the lines of `--verbose`; stdout the report, or with `--json` a line for each record.
"""

import sys
from collections.abc import Generator
from contextlib import closing

from imgpipe.cli import console, run_lines
from imgpipe.cli.run_progress import Progress
from imgpipe.cli.run_report import Report
from imgpipe.local.options import Options
from imgpipe.local.run_events import Event, Idle, Tally, Trouble, Would

INTERRUPTED = 130


def show(events: Generator[Event], options: Options, *, verbose: bool, json: bool, sample_mark: bool) -> int:
    """Show a run from its first event to its last, and return the exit code.

    `sample_mark` tells that the person has chosen no mark yet.
    """
    tally = Tally()
    report = Report(options, sample_mark=sample_mark)
    told = False
    try:
        # A bar would run through results on the same terminal. Colours may be forced without a terminal, a bar may not.
        animated = sys.stderr.isatty() and not ((json or options.dry_run) and sys.stdout.isatty())
        progress = Progress(console.talk(), tally, animated=animated)
        with closing(progress), closing(events):
            for event in events:
                tally.add(event)
                report.add(event)
                progress.show(event)
                if json:
                    _print_json(event)
                elif isinstance(event, Would) and (verbose or event.action != "unchanged"):
                    print(run_lines.line(event))  # noqa: T201
                if not isinstance(event, Would) and (verbose or options.watch) and (line := run_lines.line(event)):
                    progress.say(line)
                if isinstance(event, Trouble) and event.traceback and options.debug:
                    sys.stderr.write(event.traceback)
                if isinstance(event, Idle) and not told:
                    progress.say(f"Up to date. Watching {options.source} until Ctrl-C.")
                    told = True
        summary = tally.summary()
        if not json:
            report.print(summary)
    except KeyboardInterrupt:
        summary = tally.summary()
        if json:
            _print_json(summary)
        report.print_interrupted(summary)
        return INTERRUPTED
    return 1 if summary.failed or summary.troubles or summary.other_troubles else 0


def _print_json(event: Event) -> None:
    document = run_lines.document(event)
    if document:
        sys.stdout.buffer.write(document + b"\n")
        sys.stdout.buffer.flush()
