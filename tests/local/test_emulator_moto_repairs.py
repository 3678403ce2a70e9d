"""What moto gets wrong when many threads use it is right once it is repaired."""

import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.sqs.models import Message, Queue, sqs_backends
from moto_cases import REGION

from imgpipe.local.emulator.moto_repairs import repair_moto

ACCOUNT = "123456789012"
THREADS = 4


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """Threads take turns as often as they can, so that what can go wrong does."""
    repair_moto()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def at_once(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_message_is_lost_while_others_are_deleted() -> None:
    queue: Queue = sqs_backends[ACCOUNT][REGION].create_queue(uuid.uuid4().hex, {})
    kept: list[str] = []

    def send_and_delete(number: int) -> None:
        for turn in range(150):
            for body in ("keep", "delete"):
                message = Message(f"{number}-{turn}-{body}", body)
                message.mark_sent()
                message.mark_received()
                queue.add_message(message)
                if body == "keep":
                    kept.append(message.id)
                else:
                    queue.delete_message(str(message.receipt_handle))

    at_once(send_and_delete)
    assert sorted(message.id for message in queue.messages) == sorted(kept)


def test_of_those_that_claim_an_item_at_once_one_has_it() -> None:
    table: Table = dynamodb_backends[ACCOUNT][REGION].create_table(
        uuid.uuid4().hex,
        schema=[{"AttributeName": "key", "KeyType": "HASH"}],
        throughput=None,
        attr=[{"AttributeName": "key", "AttributeType": "S"}],
        global_indexes=None,
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=None,
        warm_throughput=None,
    )
    won: list[int] = []
    ready = threading.Barrier(THREADS)

    def claim(_: int) -> None:
        for turn in range(50):
            ready.wait()
            with suppress(ConditionalCheckFailed):
                table.put_item(
                    {"key": {"S": str(turn)}},
                    condition_expression="attribute_not_exists(#k)",
                    expression_attribute_names={"#k": "key"},
                )
                won.append(turn)

    at_once(claim)
    assert sorted(won) == list(range(50))
