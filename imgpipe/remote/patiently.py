"""The same work for many items, a few at a time, and again for those of which it failed by what passes.

Items are taken by rounds, so that there may be any number of them, and few wait to be done again.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from imgpipe.errors import AwsError
from imgpipe.remote.parallel import THREADS, unordered
from imgpipe.remote.patience import Patience
from imgpipe.remote.session import aws_errors

Item = TypeVar("Item")
Result = TypeVar("Result")

_ROUND: Final = 2 * THREADS


def patiently(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    patience: Patience,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Result]:
    """What `work` returns for each of `items`, in no order. Raises AwsError for what does not pass, after the round in
    which it came."""

    def tried(item: Item) -> tuple[Item, Result | AwsError]:
        try:
            with aws_errors():
                return item, work(item)
        except AwsError as error:
            return item, error

    for portion in portions(items, _ROUND):
        left = portion
        while left:
            failed: list[Item] = []
            errors: list[AwsError] = []
            for item, result in unordered(tried, left):
                if isinstance(result, AwsError):
                    failed.append(item)
                    errors.append(result)
                else:
                    yield result
            if errors:
                sleep(patience.after(errors[0]))
            else:
                patience.over()
            left = failed


def portions(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in order, `size` at a time."""
    left = iter(items)
    return iter(lambda: list(islice(left, size)), [])
