"""Repairs of moto, which is made for tests: for many threads at once, and for many messages.

Its queues delete by making the list of messages anew, without the lock under which others are added to it: what arrives
meanwhile is lost. Between a put's condition and the put itself another may have written the item. For each message
that it hands out it counts all others, several times and with a slow clock, which takes 40 milliseconds with a thousand
waiting; and for each request it lists its own folder on the disk.
"""

import threading
import time
from typing import Any, Final

from moto import backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.sqs import models
from moto.sqs.exceptions import ReceiptHandleIsInvalid

_writing: Final = threading.Lock()
_put_item: Final = Table.put_item


def repair_moto() -> None:
    """From now on moto, in this process, loses no message, keeps every condition, and hardly slows down."""
    Table.put_item = _put_one_by_one  # type: ignore[method-assign, assignment]
    models.Queue.delete_message = _delete_message  # type: ignore[method-assign, assignment]
    models.SQSBackend.is_message_valid_based_on_retention_period = _is_retained  # type: ignore[method-assign, assignment]
    models.unix_time_millis = lambda *_: time.time() * 1000  # type: ignore[attr-defined]
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules


def _put_one_by_one(table: Table, *args: Any, **options: Any) -> Item:
    with _writing:
        return _put_item(table, *args, **options)


def _delete_message(queue: models.Queue, receipt_handle: str) -> None:
    with queue._messages_lock:
        if receipt_handle in queue.deleted_messages:
            return
        for message in queue._messages:
            if message.had_receipt_handle(receipt_handle):
                queue.pending_messages.discard(message)
                queue.deleted_messages.update(message.all_receipt_handles)  # type: ignore[arg-type]
                queue._messages.remove(message)
                return
    raise ReceiptHandleIsInvalid


def _is_retained(backend: models.SQSBackend, queue_name: str, message: models.Message) -> bool:
    age: float = time.time() - message.sent_timestamp / 1000  # type: ignore[operator]
    retained: int = backend.get_queue(queue_name).message_retention_period  # type: ignore[attr-defined]
    return age < retained
