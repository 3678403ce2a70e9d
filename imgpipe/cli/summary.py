"""The last line of a stream for a program: what was done, and how it ended."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from imgpipe.cli import lines


@contextmanager
def summarised(counts: Callable[[], Mapping[str, object]], *, json: bool) -> Iterator[None]:
    """With `json`, print the summary when what is in here ends, and however it does: `status` is `ended`, `interrupted`
    or `failed`, `counts` may tell another, and `error` what it failed by."""
    status, broken = "ended", None
    try:
        yield
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    except Exception as error:
        status, broken = "failed", error
        raise
    finally:
        if json:
            told = lines.describe(broken) if broken else None
            lines.print_line({"type": "summary", "status": status, **counts(), "error": told})
