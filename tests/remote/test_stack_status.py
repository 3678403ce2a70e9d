"""A stack's state: what is counted, what is said where a part cannot be read, and that no table is scanned."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from stack_account import CATALOG, Account

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.errors import StackError, UsageError
from imgpipe.remote.figures import LastHour
from imgpipe.remote.outages import Outage
from imgpipe.remote.stack import find_ours
from imgpipe.remote.status import Queue, Status, status
from imgpipe.worker.ports import Failure, Record, rfc3339


def state(account: Account, recipe: Callable[[], str] = lambda: "0" * 16) -> Status:
    return status(account.session, find_ours(account.session, "imgpipe"), recipe)


def count(account: Account, metric: str, value: float, minutes_ago: int) -> None:
    told = {
        "MetricName": metric,
        "Dimensions": [{"Name": "Stack", "Value": "imgpipe"}],
        "Value": value,
        "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
    }
    account.client("cloudwatch").put_metric_data(Namespace="imgpipe", MetricData=[told])


def forbid(account: Account, service: str) -> None:
    """Have every call of `service` refused."""

    def refuse(model: object, **_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, service)

    account.session.client(service).meta.events.register("before-call", refuse)


def test_everything_that_is_counted_is_told(account: Account) -> None:
    outputs = account.make_stack()
    sqs = account.client("sqs")
    for url, number in ((outputs["QueueUrl"], 3), (outputs["DeadLetterQueueUrl"], 2)):
        for _ in range(number):
            sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=900 if number == 3 else 0)
    for metric, value in (("Images", 7), ("Failures", 1), ("SourceBytes", 5e9), ("RenditionBytes", 4e8)):
        count(account, metric, value, 50)
        count(account, metric, value, 5)
        count(account, metric, 1000, 70)
    told = state(account)
    assert told.outputs == outputs
    assert (told.stack.name, told.stack.account, told.stack.region) == ("imgpipe", "123456789012", "eu-central-1")
    assert told.queue == Queue(waiting=3, in_flight=0, oldest_seconds=None)
    assert told.dead_letters == 2
    assert told.last_hour == LastHour(14, 2, 10_000_000_000, 800_000_000)
    assert told.unread == ()
    assert account.session.changing == []
    assert "Scan" not in account.session.calls


def test_the_newest_failures_are_told_first(account: Account) -> None:
    account.make_stack()
    catalog = DynamoDBCatalog(account.client("dynamodb"), CATALOG)
    for second in range(40):
        failed = second % 2
        record = Record(
            key=f"{second}.jpg",
            status="failed" if failed else "done",
            error=Failure("truncated", "The end is missing.") if failed else None,
            updated=rfc3339(second),
        )
        catalog.put(record, None)
    errors = state(account).last_errors
    assert errors
    assert [error.key for error in errors] == ["39.jpg", "37.jpg", "35.jpg", "33.jpg", "31.jpg"]
    assert (errors[0].code, errors[0].updated) == ("truncated", rfc3339(39))


def test_outages_are_told_once_each_with_their_number(account: Account) -> None:
    group = account.make_stack()["ProcessorLogGroup"]
    logs = account.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(time.time() * 1000)
    died = {"log_level": "ERROR", "errorType": "Runtime.ExitError", "errorMessage": "it died"}
    lines: list[tuple[int, object]] = [
        (now - 3_600_000, {"level": "ERROR", "message": "long ago"}),
        (now - 60_000, died),
        *((now - 10_000 + n, {"level": "ERROR", "message": "no\npermission"}) for n in range(3)),
        (now, {"level": "INFO", "message": "a.jpg is done."}),
    ]
    told = [{"timestamp": at, "message": json.dumps(line)} for at, line in lines]
    told.append({"timestamp": now, "message": "START RequestId: 1"})
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=told)
    assert state(account).outages == (
        Outage("no permission", 3, rfc3339((now - 10_000 + 2) / 1000)),
        Outage("Runtime.ExitError: it died", 1, rfc3339((now - 60_000) / 1000)),
    )


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ({"status": "success"}, None),
        ({"status": "timeout", "errorType": "Sandbox.Timedout"}, "The function ran into its time limit."),
        ({"status": "failure"}, "Lambda itself failed to run the function."),
        ({"status": "error", "errorType": "Runtime.ExitError"}, "The function failed: Runtime.ExitError."),
        (
            {
                "status": "error",
                "errorType": "Runtime.ExitError",
                "metrics": {"memorySizeMB": 512, "maxMemoryUsedMB": 512},
            },
            "The function ran out of its 512 MB of memory.",
        ),
    ],
)
def test_a_worker_that_could_log_nothing_is_told_by_lambda_s_report(
    report: dict[str, object], message: str | None, account: Account
) -> None:
    group = account.make_stack()["ProcessorLogGroup"]
    logs = account.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(time.time() * 1000)
    line = json.dumps({"time": rfc3339(now / 1000), "type": "platform.report", "record": {"requestId": "1"} | report})
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[{"timestamp": now, "message": line}])
    assert state(account).outages == ((Outage(message, 1, rfc3339(now / 1000)),) if message else ())


@pytest.mark.parametrize(("here", "same"), [("0" * 16, True), ("1" * 16, False)])
def test_the_recipe_here_is_compared_with_the_deployed_one(here: str, same: bool, account: Account) -> None:
    account.make_stack()
    recipe = state(account, lambda: here).recipe
    assert (recipe.deployed, recipe.local, recipe.same) == ("0" * 16, here, same)


def test_a_recipe_that_cannot_be_read_keeps_nothing_back(account: Account) -> None:
    account.make_stack()

    def broken() -> str:
        raise UsageError("The recipe is broken.", "Mend it.")

    told = state(account, broken)
    assert (told.recipe.deployed, told.recipe.local, told.recipe.same) == ("0" * 16, None, None)
    assert "recipe" in {part.part for part in told.unread}
    assert told.dead_letters == 0


@pytest.mark.parametrize(
    ("service", "parts"),
    [
        ("sqs", {"queue", "dead letters"}),
        ("dynamodb", {"last errors"}),
        ("cloudwatch", {"last hour"}),
        ("sts", {"account"}),
    ],
)
def test_what_may_not_be_read_is_said_and_the_rest_is_told(service: str, parts: set[str], account: Account) -> None:
    account.make_stack()
    count(account, "Images", 1, 5)
    forbid(account, service)
    told = state(account)
    assert {part.part for part in told.unread} == parts
    assert {part.code for part in told.unread} == {"denied"}
    fields: dict[str, object] = {
        "queue": told.queue,
        "dead letters": told.dead_letters,
        "last errors": told.last_errors,
        "last hour": told.last_hour,
        "account": told.stack.account,
        "outages": told.outages,
    }
    assert {name for name, value in fields.items() if value is None} == parts


def test_no_figures_are_not_the_figure_nought(account: Account) -> None:
    account.make_stack()
    told = state(account)
    assert told.last_hour is None
    assert [part.message for part in told.unread] == ["CloudWatch has no figures of this stack."]
    count(account, "Images", 1, 120)
    assert state(account).last_hour == LastHour(0, 0, 0, 0)


def test_a_stack_without_outputs_says_what_it_lacks(account: Account) -> None:
    account.make_stack()
    stack = find_ours(account.session, "imgpipe")
    stack.outputs.clear()
    told = status(account.session, stack, lambda: "0" * 16)
    assert told.queue is None
    assert {"queue", "dead letters", "last errors"} <= {part.part for part in told.unread}
    assert {part.code for part in told.unread} == {StackError.code}
