"""Following a stack: every event once and in order, whatever the way to AWS does meanwhile."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from imgpipe.errors import AwsError
from imgpipe.remote import events
from imgpipe.remote.events import PATIENCE, StackEvent, cause, follow, last_rest, settled

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/imgpipe/1b2c"


def raw(number: int, status: str, resource: str = "", reason: str = "") -> dict[str, Any]:
    """An event as CloudFormation tells it; without a resource it is of the stack."""
    return {
        "StackId": STACK,
        "StackName": "imgpipe",
        "EventId": str(number),
        "LogicalResourceId": resource or "imgpipe",
        "PhysicalResourceId": f"{resource}-1" if resource else STACK,
        "ResourceType": "AWS::S3::Bucket" if resource else "AWS::CloudFormation::Stack",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": datetime(2026, 11, 22, 10, 0, number, tzinfo=UTC),
    }


class Told:
    """A client that tells what it is given, page by page, and how long was slept between."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self.client = boto3.client("cloudformation", region_name="eu-central-1", **keys)
        self.stubber = Stubber(self.client)
        self.slept: list[float] = []

    def page(self, *newest_first: dict[str, Any], more: str | None = None) -> None:
        answer: dict[str, Any] = {"StackEvents": list(newest_first)}
        self.stubber.add_response("describe_stack_events", answer | ({"NextToken": more} if more else {}))

    def refuse(self, code: str, message: str = "") -> None:
        self.stubber.add_client_error("describe_stack_events", code, message)

    def follow(self, since: str | None) -> list[str]:
        return [event.id for event in follow(self.client, STACK, since, self.slept.append)]


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    with told.stubber:
        yield told
        told.stubber.assert_no_pending_responses()


def test_each_event_comes_once_and_in_order_until_the_stack_rests(told: Told) -> None:
    told.page(raw(2, "DELETE_IN_PROGRESS"), raw(1, "CREATE_COMPLETE"))
    told.page(raw(3, "DELETE_IN_PROGRESS", "Queue"), raw(2, "DELETE_IN_PROGRESS"), raw(1, "CREATE_COMPLETE"))
    told.page(raw(5, "DELETE_COMPLETE"), raw(4, "DELETE_COMPLETE", "Queue"), raw(3, "DELETE_IN_PROGRESS", "Queue"))
    assert told.follow("1") == ["2", "3", "4", "5"]
    assert told.slept == [events.SECONDS] * 2


def test_pages_are_read_back_to_what_was_seen_and_no_further(told: Told) -> None:
    told.page(raw(5, "UPDATE_COMPLETE"), raw(4, "UPDATE_COMPLETE", "Queue"), more="older")
    told.page(raw(3, "UPDATE_IN_PROGRESS"), raw(2, "CREATE_COMPLETE"), more="older still")
    assert told.follow("2") == ["3", "4", "5"]


def test_a_resource_at_rest_is_not_the_stack_at_rest(told: Told) -> None:
    told.page(raw(2, "CREATE_COMPLETE", "Queue"), raw(1, "CREATE_IN_PROGRESS"))
    told.page(raw(3, "CREATE_COMPLETE"), raw(2, "CREATE_COMPLETE", "Queue"))
    assert told.follow(None) == ["1", "2", "3"]


def test_cleaning_up_is_not_yet_the_end(told: Told) -> None:
    told.page(raw(1, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    told.page(raw(2, "UPDATE_COMPLETE"), raw(1, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert told.follow(None) == ["1", "2"]


def test_throttling_is_waited_for_longer_each_time(told: Told) -> None:
    told.page(raw(1, "CREATE_IN_PROGRESS"))
    for _ in range(2):
        told.refuse("Throttling", "Rate exceeded")
    told.page(raw(2, "CREATE_COMPLETE"), raw(1, "CREATE_IN_PROGRESS"))
    assert told.follow(None) == ["1", "2"]
    assert told.slept == [2.0, 4.0, 8.0]


def test_patience_ends(told: Told) -> None:
    for _ in range(PATIENCE + 1):
        told.refuse("Throttling", "Rate exceeded")
    with pytest.raises(AwsError, match="throttling"):
        told.follow(None)
    assert max(told.slept) == events.LONGEST


def test_expired_credentials_are_not_waited_for(told: Told) -> None:
    told.refuse("ExpiredToken")
    with pytest.raises(AwsError, match="expired"):
        told.follow(None)
    assert told.slept == []


def test_a_stack_that_is_forgotten_is_the_end(told: Told) -> None:
    told.page(raw(1, "DELETE_IN_PROGRESS"))
    told.refuse("ValidationError", f"Stack [{STACK}] does not exist")
    assert told.follow(None) == ["1"]


@pytest.mark.parametrize("now", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_what_goes_on_began_where_the_stack_last_rested(now: str, told: Told) -> None:
    told.page(raw(3, now), raw(2, "CREATE_COMPLETE"), raw(1, "CREATE_IN_PROGRESS"))
    assert last_rest(told.client, STACK) == "2"


def test_a_stack_that_never_rested_began_at_its_beginning(told: Told) -> None:
    told.page(raw(1, "CREATE_IN_PROGRESS"))
    assert last_rest(told.client, STACK) is None


@pytest.mark.parametrize(
    ("status", "rests"),
    [
        ("REVIEW_IN_PROGRESS", True),
        ("ROLLBACK_COMPLETE", True),
        ("DELETE_FAILED", True),
        ("ROLLBACK_IN_PROGRESS", False),
    ],
)
def test_a_stack_rests_where_cloudformation_does(status: str, rests: bool) -> None:
    assert settled(status) is rests


def test_the_cause_is_the_first_failure_that_is_not_another_s_doing(told: Told) -> None:
    told.page(
        raw(4, "ROLLBACK_COMPLETE"),
        raw(3, "CREATE_FAILED", "Queue", "No such key"),
        raw(2, "CREATE_FAILED", "Table", "Resource creation cancelled"),
        raw(1, "CREATE_IN_PROGRESS"),
    )
    found: list[StackEvent] = list(follow(told.client, STACK, None))
    culprit = cause(found)
    assert culprit
    assert (culprit.resource, culprit.reason) == ("Queue", "No such key")
    assert cause(found[:1]) is None
