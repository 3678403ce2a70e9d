"""A deployment that is refused, throttled, interrupted or rolled back, from its first step to its last."""

from collections.abc import Callable
from typing import Any

import pytest
from deploy_account import CHANGE_SET_ID, STACK_ID, Stubbed, small_bundle, wish

from imgpipe.deploy import artifacts, bundle, change_set, kept, limits, parameters
from imgpipe.deploy.deploy import deploy
from imgpipe.deploy.events import Ask, Event, Executing, Finished, Preview, Proposed
from imgpipe.deploy.preview import preview
from imgpipe.errors import AwsError, StackError, UsageError
from imgpipe.remote.events import StackEvent

REVIEW = ("imgpipe", "REVIEW_IN_PROGRESS")


@pytest.fixture(autouse=True)
def nothing_but_cloudformation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "build", small_bundle)
    monkeypatch.setattr(artifacts, "store", lambda session, key, data: True)
    monkeypatch.setattr(kept, "refuse", lambda session, stack: None)
    monkeypatch.setattr(limits, "unreserved_concurrency", lambda session: 1000)


def expect_proposal(aws: Stubbed) -> None:
    aws.no_stack()
    aws.answer("create_change_set", {"Id": CHANGE_SET_ID, "StackId": STACK_ID})
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE"})


def expect_execution(aws: Stubbed) -> None:
    expect_proposal(aws)
    aws.events(REVIEW)
    aws.answer("execute_change_set")


def expect_withdrawal(aws: Stubbed) -> None:
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"})
    aws.answer("delete_change_set", ChangeSetName=CHANGE_SET_ID)
    aws.answer("list_change_sets", {"Summaries": []})
    aws.stack("REVIEW_IN_PROGRESS")
    aws.answer("delete_stack", StackName=STACK_ID)


def run(
    aws: Stubbed, events: list[Event], ask: Ask | None = None, sleep: Callable[[float], None] | None = None
) -> None:
    with aws as session:
        # Not list(): what was told before an error counts too.
        events.extend(deploy(session, wish(), ask or (lambda _: True), sleep or (lambda _: None)))


def test_a_failure_ends_with_its_root_cause() -> None:
    aws = Stubbed()
    expect_execution(aws)
    aws.events(
        REVIEW,
        ("imgpipe", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_FAILED", "Resource creation cancelled"),
        ("Catalog", "CREATE_FAILED", "Too many tables."),
        ("Processor", "CREATE_FAILED", "Something that came of it"),
        ("imgpipe", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Queue, Catalog, Processor]."),
        ("imgpipe", "ROLLBACK_COMPLETE"),
    )
    events: list[Event] = []
    with pytest.raises(StackError) as caught:
        run(aws, events)
    assert caught.value.message == (
        "Catalog (AWS::S3::Bucket) is CREATE_FAILED: Too many tables. The stack is in ROLLBACK_COMPLETE."
    )
    assert caught.value.exit_code == 1
    assert not any(isinstance(event, Finished) for event in events)


def test_a_rollback_without_a_failed_resource_is_told_too() -> None:
    aws = Stubbed()
    expect_execution(aws)
    aws.events(REVIEW, ("imgpipe", "ROLLBACK_COMPLETE", "A hook said no"))
    with pytest.raises(StackError, match="A hook said no"):
        run(aws, [])


def test_throttling_pages_and_repeats_lose_and_double_no_event() -> None:
    aws = Stubbed()
    expect_execution(aws)
    aws.refuse("describe_stack_events", "Throttling", "Rate exceeded")
    aws.events(REVIEW, ("imgpipe", "CREATE_IN_PROGRESS"))
    aws.refuse("describe_stack_events", "ThrottlingException", "Rate exceeded")
    told = [REVIEW, ("imgpipe", "CREATE_IN_PROGRESS"), ("Queue", "CREATE_COMPLETE"), ("imgpipe", "CREATE_COMPLETE")]
    aws.events(*told)
    aws.stack("CREATE_COMPLETE", Outputs=[{"OutputKey": "Version", "OutputValue": "0.1.0"}])
    events: list[Event] = []
    slept: list[float] = []
    run(aws, events, sleep=slept.append)
    assert [event.status for event in events if isinstance(event, StackEvent)] == [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "CREATE_COMPLETE",
    ]
    assert events[-1] == Finished(status="deployed", outputs={"Version": "0.1.0"})
    assert len(slept) == 3


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_no_leaves_neither_change_set_nor_stack(interrupted: bool) -> None:
    def answer(question: str) -> bool:
        if interrupted:
            raise KeyboardInterrupt
        return False

    aws = Stubbed()
    expect_proposal(aws)
    expect_withdrawal(aws)
    events: list[Event] = []
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            run(aws, events, answer)
    else:
        run(aws, events, answer)
        assert events[-1] == Finished(status="cancelled", new=True)
    assert any(isinstance(event, Proposed) for event in events)
    assert not any(isinstance(event, Executing) for event in events)


def test_an_interruption_while_it_is_carried_out_stops_nothing() -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    aws = Stubbed()
    expect_execution(aws)
    aws.events(REVIEW, ("imgpipe", "CREATE_IN_PROGRESS"))
    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        run(aws, events, sleep=interrupt)
    assert Executing("deploy") in events


@pytest.mark.parametrize("failure", [KeyboardInterrupt, None])
def test_what_cloudformation_did_not_begin_is_withdrawn_and_not_told_to_go_on(
    failure: type[BaseException] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    aws = Stubbed()
    expect_proposal(aws)
    aws.events(REVIEW)
    if failure:
        monkeypatch.setattr(change_set, "execute", interrupt)
    else:
        aws.refuse("execute_change_set", "AccessDenied", "not authorized to perform: cloudformation:ExecuteChangeSet")
    expect_withdrawal(aws)
    events: list[Event] = []
    with pytest.raises(failure or AwsError):
        run(aws, events)
    assert isinstance(events[-1], Proposed)


def test_an_execution_whose_answer_was_lost_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    aws = Stubbed()
    expect_proposal(aws)
    aws.events(REVIEW)
    monkeypatch.setattr(change_set, "execute", interrupt)
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE", "ExecutionStatus": "EXECUTE_IN_PROGRESS"})
    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        run(aws, events)
    assert events[-1] == Executing("deploy")


def test_a_withdrawal_that_is_refused_hides_no_answer() -> None:
    aws = Stubbed()
    expect_proposal(aws)
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE"})
    aws.refuse("delete_change_set", "AccessDenied")
    events: list[Event] = []
    run(aws, events, lambda _: False)
    assert events[-1] == Finished(status="cancelled", new=True)


def test_a_stack_that_is_made_anew_keeps_what_it_was_given() -> None:
    aws = Stubbed()
    given = {
        "BundleKey": "x",
        "DeploymentHash": "x",
        "RecipeHash": "x",
        "ApiAuth": "jwt",
        "JwtIssuer": "https://id.example.com",
        "JwtAudience": "app",
        "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1",
    }
    told = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    aws.stack("ROLLBACK_COMPLETE", Parameters=told, Tags=[{"Key": "team", "Value": "pictures"}])
    aws.events(("imgpipe", "ROLLBACK_COMPLETE"))
    aws.answer("delete_stack")
    aws.events(("imgpipe", "ROLLBACK_COMPLETE"), ("imgpipe", "DELETE_COMPLETE"))
    aws.no_stack()
    asked: dict[str, Any] = {}
    with aws as session:
        client = session.client("cloudformation")
        client.meta.events.register("provide-client-params.*.CreateChangeSet", lambda params, **_: asked.update(params))
        aws.refuse("create_change_set", "AccessDenied")
        with pytest.raises(AwsError):
            list(deploy(session, wish(), lambda _: True, lambda _: None))
    sent = {each["ParameterKey"]: each["ParameterValue"] for each in asked["Parameters"]}
    kept_ones = given.keys() - parameters.OWN
    assert {name: sent[name] for name in kept_ones} == {name: given[name] for name in kept_ones}
    assert asked["ChangeSetType"] == "CREATE"
    assert asked["Tags"] == [{"Key": "team", "Value": "pictures"}]


def test_a_region_without_names_for_its_buckets_is_refused_at_once() -> None:
    with Stubbed(region="me-south-1") as session, pytest.raises(UsageError, match=r"me-south-1 .*--region"):
        list(deploy(session, wish(), lambda _: True))


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "expired"),
        (
            "AccessDenied",
            f"User: a is not authorized to perform: cloudformation:CreateChangeSet on resource: {STACK_ID}",
            "cloudformation:CreateChangeSet",
        ),
        ("InvalidClientTokenId", "The security token included in the request is invalid", "credentials"),
    ],
)
def test_what_aws_refuses_is_one_sentence(code: str, message: str, told: str) -> None:
    aws = Stubbed()
    aws.no_stack()
    aws.refuse("create_change_set", code, message)
    with pytest.raises(AwsError, match=told) as caught:
        run(aws, [])
    assert caught.value.exit_code == 3
    assert caught.value.message.count(". ") == 0


@pytest.mark.parametrize(
    ("status", "first", "new"),
    [
        ("ROLLBACK_COMPLETE", "delete it", True),
        ("DELETE_IN_PROGRESS", "wait until its operation has ended", True),
        ("UPDATE_IN_PROGRESS", "wait until its operation has ended", False),
        ("UPDATE_ROLLBACK_FAILED", "roll its last update back to the end", False),
    ],
)
def test_a_dry_run_tells_what_would_have_to_be_done_first(status: str, first: str, new: bool) -> None:
    aws = Stubbed()
    aws.stack(status)
    if not new:
        aws.answer("get_template", {"TemplateBody": "Resources: {}"})
    with aws as session:
        *_, shown, ended = preview(session, wish())
    assert isinstance(shown, Preview)
    assert (shown.first, shown.new) == (first, new)
    assert isinstance(ended, Finished)
    assert ended.status == "planned"
