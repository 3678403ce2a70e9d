"""A batch of messages in, the ids of those that must come again out: the function that Lambda calls, in every place.

One bad message never takes others with it (AWS Lambda, "Reporting batch item failures").
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from imgpipe.core import pipeline
from imgpipe.core.recipe import Recipe
from imgpipe.worker.claims import Clock
from imgpipe.worker.events import Job, Message, messages
from imgpipe.worker.ports import Catalog, Record, Store
from imgpipe.worker.process import Render, process

Answer = dict[str, list[dict[str, str]]]


def _ignore(*_: object) -> None: ...


def handle(
    event: Mapping[str, Any],
    sources: Store,
    renditions: Store,
    catalog: Catalog,
    recipe: Recipe,
    *,
    lease: float,
    report: Callable[[Record], None],
    on_error: Callable[[Message, Exception], None],
    on_nothing: Callable[[Message, Job], None] = _ignore,
    clock: Clock = time.time,
    render: Render = pipeline.render,
) -> Answer:
    """Do every job of every message; `report` gets each record that is up to date now, `on_error` each job's exception,
    `on_nothing` each job at whose key nothing lies and of which nothing is known.

    `lease` is in seconds. Raises MessageError where the event as a whole is no batch.
    """
    failed: dict[str, None] = {}

    def fail(message: Message, error: Exception) -> None:
        failed[message.id] = None
        on_error(message, error)

    for message in messages(event):
        try:
            jobs = message.jobs()
        except Exception as error:
            fail(message, error)
            continue
        for job in jobs:
            try:
                record = process(job, sources, renditions, catalog, recipe, lease=lease, clock=clock, render=render)
                if record:
                    report(record)
                else:
                    on_nothing(message, job)
            except Exception as error:
                fail(message, error)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
