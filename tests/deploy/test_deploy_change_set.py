"""Change sets as CloudFormation answers them, page by page, and with every way of saying no."""

from collections.abc import Callable

import pytest
from botocore.stub import ANY
from deploy_account import CHANGE_SET_ID, STACK_ID, Stubbed, plan, stack

from imgpipe.deploy import change_set
from imgpipe.deploy.change_set import Change, ChangeSet
from imgpipe.errors import StackError

NEW = ChangeSet(id=CHANGE_SET_ID, stack_id=STACK_ID, new=True, changes=())
BODY = {"TemplateBody": "Resources: {}"}


def never(seconds: float) -> None:
    raise AssertionError(f"slept {seconds} s")


def resource_change(name: str, action: str = "Add", **more: str) -> dict[str, object]:
    told = {"Action": action, "LogicalResourceId": name, "ResourceType": "AWS::S3::Bucket"}
    return {"Type": "Resource", "ResourceChange": told | more}


def propose(aws: Stubbed, sleep: Callable[[float], None] = never, *, new: bool = True) -> ChangeSet | None:
    with aws as session:
        planned = plan() if new else plan(stack())
        return change_set.propose(session.client("cloudformation"), planned, BODY, sleep)


@pytest.fixture
def aws() -> Stubbed:
    aws = Stubbed()
    aws.answer("create_change_set", {"Id": CHANGE_SET_ID, "StackId": STACK_ID})
    return aws


def test_a_change_set_is_asked_for_whole() -> None:
    aws = Stubbed()
    aws.answer(
        "create_change_set",
        {"Id": CHANGE_SET_ID, "StackId": STACK_ID},
        StackName="imgpipe",
        ChangeSetName=ANY,
        ClientToken=ANY,
        ChangeSetType="UPDATE",
        Parameters=[
            {"ParameterKey": "DeploymentHash", "ParameterValue": "0" * 32},
            {"ParameterKey": "RecipeHash", "ParameterValue": "1" * 16},
        ],
        Tags=[{"Key": "team", "Value": "pictures"}],
        Capabilities=["CAPABILITY_IAM"],
        TemplateBody="Resources: {}",
    )
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE"}, ChangeSetName=CHANGE_SET_ID)
    proposed = propose(aws, new=False)
    assert proposed == ChangeSet(id=CHANGE_SET_ID, stack_id=STACK_ID, new=False, changes=())


def test_a_change_set_is_waited_for_and_read_to_its_last_page(aws: Stubbed) -> None:
    aws.answer("describe_change_set", {"Status": "CREATE_PENDING"})
    aws.answer("describe_change_set", {"Status": "CREATE_IN_PROGRESS"})
    aws.answer(
        "describe_change_set",
        {"Status": "CREATE_COMPLETE", "Changes": [resource_change("A")], "NextToken": "more"},
    )
    aws.answer(
        "describe_change_set",
        {"Status": "CREATE_COMPLETE", "Changes": [resource_change("B", "Modify", Replacement="True")]},
        ChangeSetName=CHANGE_SET_ID,
        NextToken="more",
    )
    slept: list[float] = []
    proposed = propose(aws, slept.append)
    assert proposed
    assert [(change.action, change.resource, change.replacement) for change in proposed.changes] == [
        ("Add", "A", None),
        ("Modify", "B", "True"),
    ]
    assert len(slept) == 2


def expect_withdrawal(aws: Stubbed, *others: str, status: str = "REVIEW_IN_PROGRESS", gone: bool = True) -> None:
    aws.answer("delete_change_set", ChangeSetName=CHANGE_SET_ID)
    summaries = [{"ChangeSetId": each, "StackId": STACK_ID} for each in (CHANGE_SET_ID, *others)]
    aws.answer("list_change_sets", {"Summaries": summaries[:1], "NextToken": "more"})
    aws.answer("list_change_sets", {"Summaries": summaries[1:]})
    aws.stack(status)
    if gone:
        aws.answer("delete_stack", StackName=STACK_ID)


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes_are_no_failure_and_leave_nothing(reason: str, aws: Stubbed) -> None:
    aws.answer("describe_change_set", {"Status": "FAILED", "StatusReason": reason})
    aws.answer("delete_change_set", ChangeSetName=CHANGE_SET_ID)
    assert propose(aws, new=False) is None


def test_a_change_set_that_fails_is_told_by_its_reason_and_leaves_nothing(aws: Stubbed) -> None:
    aws.answer("describe_change_set", {"Status": "FAILED", "StatusReason": "Unresolved resource dependencies [X]."})
    expect_withdrawal(aws)
    with pytest.raises(StackError, match=r"Unresolved resource dependencies \[X\]\. Mend"):
        propose(aws)


def test_an_interrupted_wait_leaves_nothing(aws: Stubbed) -> None:
    def interrupt(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            raise KeyboardInterrupt

    slept: list[float] = []
    # Until it is worked out AWS refuses to delete it.
    aws.answer("describe_change_set", {"Status": "CREATE_PENDING"})
    aws.answer("describe_change_set", {"Status": "CREATE_IN_PROGRESS"})
    aws.answer("describe_change_set", {"Status": "CREATE_COMPLETE"})
    expect_withdrawal(aws)
    with pytest.raises(KeyboardInterrupt):
        propose(aws, interrupt)
    assert len(slept) == 2


def test_an_interruption_while_it_is_asked_for_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**asked: object) -> None:
        raise KeyboardInterrupt

    aws = Stubbed()
    monkeypatch.setattr(aws.client("cloudformation"), "create_change_set", interrupt)
    made = {"ChangeSetId": CHANGE_SET_ID, "StackId": STACK_ID, "Status": "CREATE_COMPLETE"}
    aws.answer("describe_change_set", made, ChangeSetName=ANY, StackName="imgpipe")
    aws.answer("describe_change_set", made, ChangeSetName=CHANGE_SET_ID)
    expect_withdrawal(aws)
    with pytest.raises(KeyboardInterrupt):
        propose(aws)


def test_a_withdrawal_does_not_wait_for_ever_and_hides_no_interruption(aws: Stubbed) -> None:
    def interrupt(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            raise KeyboardInterrupt

    slept: list[float] = []
    for _ in range(1 + change_set.LOOKS):
        aws.answer("describe_change_set", {"Status": "CREATE_IN_PROGRESS"})
    aws.refuse("delete_change_set", "InvalidChangeSetStatus", "cannot be deleted in status CREATE_IN_PROGRESS")
    with pytest.raises(KeyboardInterrupt):
        propose(aws, interrupt)


@pytest.mark.parametrize(("others", "status"), [(("other",), "REVIEW_IN_PROGRESS"), ((), "CREATE_IN_PROGRESS")])
def test_a_stack_that_others_have_to_do_with_is_left_alone(others: tuple[str, ...], status: str) -> None:
    aws = Stubbed()
    expect_withdrawal(aws, *others, status=status, gone=False)
    with aws as session:
        change_set.withdraw(session.client("cloudformation"), NEW)


def test_withdrawing_from_a_stack_that_is_there_touches_the_change_set_alone() -> None:
    aws = Stubbed()
    aws.answer("delete_change_set", ChangeSetName=CHANGE_SET_ID)
    with aws as session:
        old = ChangeSet(id=CHANGE_SET_ID, stack_id=STACK_ID, new=False, changes=())
        change_set.withdraw(session.client("cloudformation"), old)


@pytest.mark.parametrize(
    ("action", "replacement", "policy", "type_", "fate"),
    [
        ("Remove", None, "Delete", "AWS::S3::Bucket", "lost"),
        ("Remove", None, None, "AWS::DynamoDB::Table", "lost"),
        ("Remove", None, "Retain", "AWS::S3::Bucket", "left behind"),
        ("Remove", None, "Delete", "AWS::IAM::Role", "kept"),
        ("Modify", "True", "ReplaceAndDelete", "AWS::SQS::Queue", "lost"),
        ("Modify", "True", "ReplaceAndRetain", "AWS::DynamoDB::Table", "left behind"),
        ("Modify", "Conditional", None, "AWS::Logs::LogGroup", "perhaps lost"),
        ("Modify", "True", None, "AWS::Lambda::Function", "kept"),
        ("Modify", "False", None, "AWS::DynamoDB::Table", "kept"),
        ("Add", None, None, "AWS::S3::Bucket", "kept"),
    ],
)
def test_what_becomes_of_data_is_told(
    action: str, replacement: str | None, policy: str | None, type_: str, fate: str
) -> None:
    change = Change(action=action, resource="X", type=type_, replacement=replacement, policy=policy)
    assert change.fate == fate


def test_an_execution_is_asked_for_once() -> None:
    aws = Stubbed()
    aws.answer("execute_change_set", ChangeSetName=CHANGE_SET_ID, ClientRequestToken="2c3d")
    with aws as session:
        change_set.execute(session.client("cloudformation"), NEW)
