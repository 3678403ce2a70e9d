"""What has to be done to a stack before it can be deployed to, and what is told where that fails."""

from collections.abc import Callable

import boto3
import pytest
from deploy_account import STACK_ID, Stubbed

from imgpipe.deploy.events import Ask, Event, Executing, Step, Waiting
from imgpipe.deploy.readiness import Declined, Need, Ready, make_ready, need
from imgpipe.errors import StackError, UsageError
from imgpipe.remote.events import StackEvent


def yes(question: str) -> bool:
    return True


def no(question: str) -> bool:
    return False


def ready(
    aws: Stubbed, ask: Ask | None = yes, sleep: Callable[[float], None] = lambda _: None
) -> tuple[Ready, list[Event]]:
    """What comes of making the stack ready, and what was told meanwhile."""
    events: list[Event] = []

    def collect() -> Ready:
        steps = make_ready(session, "imgpipe", ask, sleep)
        while True:
            try:
                events.append(next(steps))
            except StopIteration as end:
                result: Ready = end.value
                return result

    with aws as session:
        return collect(), events


def told(events: list[Event]) -> list[str]:
    return [f"{event.resource} {event.status}" for event in events if isinstance(event, StackEvent)]


def test_every_status_of_cloudformation_has_its_need() -> None:
    model = boto3.client("cloudformation", region_name="eu-central-1").meta.service_model
    needs = {status: need(status) for status in model.shape_for("StackStatus").enum}
    assert {status for status, each in needs.items() if each is Need.DELETE} == {
        "CREATE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "DELETE_FAILED",
    }
    assert {status for status, each in needs.items() if each is Need.ROLL_BACK} == {"UPDATE_ROLLBACK_FAILED"}
    waited = {status for status, each in needs.items() if each is Need.WAIT}
    assert waited == {s for s in needs if s.endswith("_IN_PROGRESS")} - {"REVIEW_IN_PROGRESS"}


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_at_rest_is_ready(status: str) -> None:
    aws = Stubbed()
    aws.stack(status)
    (stack, former), events = ready(aws, ask=None)
    assert stack
    assert (stack.id, former, events) == (STACK_ID, None, [])


def test_no_stack_is_ready_to_be_made() -> None:
    aws = Stubbed()
    aws.no_stack()
    assert ready(aws, ask=None) == (Ready(None), [])


def test_what_is_left_of_a_change_set_that_nobody_executed_is_used() -> None:
    aws = Stubbed()
    aws.stack("REVIEW_IN_PROGRESS", Parameters=[])
    assert ready(aws, ask=None) == (Ready(None), [])


def test_a_stack_of_somebody_else_s_is_never_touched() -> None:
    aws = Stubbed()
    aws.stack("ROLLBACK_COMPLETE", Parameters=[])
    with pytest.raises(UsageError, match=r"not one of imgpipe's.*--stack"):
        ready(aws)


def test_what_is_in_progress_is_waited_for_with_its_events() -> None:
    aws = Stubbed()
    aws.stack("UPDATE_IN_PROGRESS")
    before = ("imgpipe", "CREATE_COMPLETE")
    aws.events(before, ("imgpipe", "UPDATE_IN_PROGRESS"))
    aws.stack("UPDATE_IN_PROGRESS")
    aws.events(before, ("imgpipe", "UPDATE_IN_PROGRESS"))
    aws.events(before, ("imgpipe", "UPDATE_IN_PROGRESS"), ("Queue", "UPDATE_COMPLETE"), ("imgpipe", "UPDATE_COMPLETE"))
    aws.stack("UPDATE_COMPLETE")
    (stack, _), events = ready(aws, ask=None)
    assert stack
    assert events[0] == Waiting("UPDATE_IN_PROGRESS")
    assert told(events) == ["imgpipe UPDATE_IN_PROGRESS", "Queue UPDATE_COMPLETE", "imgpipe UPDATE_COMPLETE"]


def test_what_ends_between_two_looks_is_not_waited_for_any_more() -> None:
    aws = Stubbed()
    aws.stack("UPDATE_IN_PROGRESS")
    aws.events(("imgpipe", "UPDATE_IN_PROGRESS"), ("imgpipe", "UPDATE_COMPLETE"))
    aws.stack("UPDATE_COMPLETE")
    aws.stack("UPDATE_COMPLETE")
    (stack, _), events = ready(aws, ask=None)
    assert stack
    assert events == []


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_can_only_be_deleted_is_deleted_and_made_anew(status: str) -> None:
    aws = Stubbed()
    aws.stack(status)
    aws.events(("imgpipe", status))
    aws.answer("delete_stack", StackName=STACK_ID)
    aws.events(("imgpipe", status), ("imgpipe", "DELETE_IN_PROGRESS"), ("imgpipe", "DELETE_COMPLETE"))
    aws.no_stack()
    (stack, former), events = ready(aws)
    assert (stack, former and former.status) == (None, status)
    assert events[:2] == [Step("delete"), Executing("delete")]


def test_a_stack_is_not_deleted_where_the_person_says_no() -> None:
    aws = Stubbed()
    aws.stack("ROLLBACK_COMPLETE")
    with pytest.raises(Declined):
        ready(aws, no)


def test_a_stack_is_not_deleted_where_nobody_can_be_asked() -> None:
    aws = Stubbed()
    aws.stack("ROLLBACK_COMPLETE")
    with pytest.raises(UsageError, match="--yes"):
        ready(aws, None)


def test_a_deletion_that_fails_is_told_by_its_root_cause() -> None:
    aws = Stubbed()
    aws.stack("DELETE_FAILED")
    aws.events(("imgpipe", "DELETE_FAILED"))
    aws.answer("delete_stack")
    aws.events(
        ("imgpipe", "DELETE_FAILED"),
        ("imgpipe", "DELETE_IN_PROGRESS"),
        ("SourceBucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
        ("imgpipe", "DELETE_FAILED", "The following resource(s) failed to delete: [SourceBucket]."),
    )
    with pytest.raises(StackError) as caught:
        ready(aws)
    assert "SourceBucket (AWS::S3::Bucket) is DELETE_FAILED: The bucket you tried" in caught.value.message


def test_a_rollback_that_failed_is_rolled_back_to_the_end() -> None:
    aws = Stubbed()
    aws.stack("UPDATE_ROLLBACK_FAILED")
    aws.events(("imgpipe", "UPDATE_ROLLBACK_FAILED"))
    aws.answer("continue_update_rollback", StackName=STACK_ID)
    aws.events(
        ("imgpipe", "UPDATE_ROLLBACK_FAILED"),
        ("imgpipe", "UPDATE_ROLLBACK_IN_PROGRESS"),
        ("imgpipe", "UPDATE_ROLLBACK_COMPLETE"),
    )
    aws.stack("UPDATE_ROLLBACK_COMPLETE")
    (stack, _), events = ready(aws)
    assert stack
    assert events[:2] == [Step("roll back"), Executing("roll back")]
