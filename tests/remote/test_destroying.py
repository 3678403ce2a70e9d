"""Taking a stack down: nothing but what was agreed to, everything of that, and the reason where it cannot be."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from stack_account import CATALOG, DESTINATION, SOURCE, Account

from imgpipe.deploy import kept as kept_data
from imgpipe.errors import StackError, UsageError
from imgpipe.remote import holdings
from imgpipe.remote.destroy import Deleted, Deleting, Emptied, Lifted, Plan, Step, carry_out, prepare
from imgpipe.remote.holdings import Holding, Size, names

STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/imgpipe/1b2c"
EMPTY = Size(items=0, older=0, bytes=0, counted=None)


def plan(account: Account, *, delete_data: bool = False) -> Plan:
    return prepare(account.session, "imgpipe", delete_data=delete_data)


def run(account: Account, told: Plan) -> list[Step]:
    return list(carry_out(account.session, told, sleep=lambda _: None))


def make_table(account: Account, *, protected: bool = False) -> None:
    account.client("dynamodb").create_table(
        TableName=CATALOG,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("key", "shard", "feed")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "feed",
                "KeySchema": [
                    {"AttributeName": "shard", "KeyType": "HASH"},
                    {"AttributeName": "feed", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=protected,
    )


def make_foreign_table(account: Account, key: str) -> None:
    account.client("dynamodb").create_table(
        TableName=CATALOG,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def kept(account: Account) -> Account:
    """What a stack that is gone left behind: a source twice overwritten, one removed, one rendition, a table."""
    account.make_bucket(SOURCE, versioned=True)
    account.make_bucket(DESTINATION)
    make_table(account, protected=True)
    s3 = account.client("s3")
    for body in (b"1", b"22", b"333"):
        s3.put_object(Bucket=SOURCE, Key="a.jpg", Body=body)
    s3.put_object(Bucket=SOURCE, Key="b.jpg", Body=b"4444")
    s3.delete_object(Bucket=SOURCE, Key="b.jpg")
    s3.put_object(Bucket=DESTINATION, Key="web/a.jpg", Body=b"55555")
    return account


def test_names_are_computed_as_the_template_computes_them(account: Account) -> None:
    outputs = account.make_stack()
    told = {
        "source": outputs["SourceBucket"],
        "destination": outputs["DestinationBucket"],
        "catalog": outputs["CatalogTable"],
    }
    assert names(account.session, "imgpipe", {}) == told


def test_looking_at_what_would_be_lost_changes_nothing(account: Account) -> None:
    outputs = account.make_stack()
    account.client("sqs").send_message(QueueUrl=outputs["DeadLetterQueueUrl"], MessageBody="{}")
    account.client("s3").put_object(Bucket=SOURCE, Key="a.jpg", Body=b"123")
    told = plan(account, delete_data=True)
    assert (told.messages, told.is_empty) == (1, False)
    assert [(held.kind, held.name, held.size.items, held.size.bytes) for held in told.holdings] == [
        ("source", SOURCE, 1, 3),
        ("destination", DESTINATION, 0, 0),
        ("catalog", CATALOG, 0, 0),
    ]
    assert account.session.changing == []


def test_data_is_not_touched_unless_that_was_said(kept: Account) -> None:
    kept.make_small_stack()
    steps = run(kept, plan(kept))
    assert steps[-1] == Deleted("stack", "imgpipe")
    assert kept.session.changing == ["DeleteStack"]
    assert kept.buckets() == {SOURCE, DESTINATION}


def test_a_kept_bucket_is_counted_version_by_version(kept: Account) -> None:
    source, destination, catalog = plan(kept).holdings
    assert (source.size.items, source.size.older, source.size.bytes) == (1, 4, 10)
    assert (destination.size.items, destination.size.older, destination.size.bytes) == (1, 0, 5)
    assert source.size.counted
    assert catalog.protected


def test_kept_data_is_deleted_to_the_last_version_also_where_the_stack_is_gone(kept: Account) -> None:
    told = plan(kept, delete_data=True)
    assert told.stack is None
    assert run(kept, told) == [
        Lifted(CATALOG),
        Emptied(SOURCE, 5),
        Deleted("source", SOURCE),
        Emptied(DESTINATION, 1),
        Deleted("destination", DESTINATION),
        Deleted("catalog", CATALOG),
    ]
    assert kept.buckets() == set()
    assert kept.client("dynamodb").list_tables()["TableNames"] == []
    assert plan(kept, delete_data=True).is_empty


@pytest.mark.parametrize("key", ["sku", "key"])
def test_a_table_of_somebody_else_s_is_left_alone_and_named_by_a_deployment(key: str, account: Account) -> None:
    make_foreign_table(account, key)
    told = plan(account, delete_data=True)
    assert (told.holdings, told.is_empty) == ((), True)
    with pytest.raises(StackError, match=rf"somebody else's .*{CATALOG}\. .*--stack"):
        kept_data.refuse(account.session, "imgpipe")
    assert account.client("dynamodb").list_tables()["TableNames"] == [CATALOG]


@pytest.mark.parametrize(
    ("tags", "ours"),
    [
        ({"aws:cloudformation:stack-name": "imgpipe", "aws:cloudformation:logical-id": "SourceBucket"}, True),
        ({"team": "pictures"}, True),
        ({"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "SourceBucket"}, False),
        ({"aws:cloudformation:stack-name": "imgpipe", "aws:cloudformation:logical-id": "Orders"}, False),
    ],
)
def test_a_bucket_that_cloudformation_made_for_something_else_is_left_alone(
    tags: dict[str, str], ours: bool, account: Account, s3: Stubber
) -> None:
    s3.add_response("head_bucket", {})
    s3.add_response("get_bucket_tagging", {"TagSet": [{"Key": name, "Value": tags[name]} for name in tags]})
    if ours:
        s3.add_response("list_object_versions", page(0, 1, more=False))
    s3.add_client_error("head_bucket", "404")
    assert [holding.name for holding in plan(account, delete_data=True).holdings] == [SOURCE] * ours


def test_kept_data_alone_is_nothing_to_do(kept: Account) -> None:
    assert plan(kept).is_empty


def test_stack_and_data_go_together(account: Account) -> None:
    account.make_stack()
    account.client("s3").put_object(Bucket=DESTINATION, Key="web/a.jpg", Body=b"1")
    steps = run(account, plan(account, delete_data=True))
    assert steps[0] == Lifted(CATALOG)
    assert {step.kind for step in steps if isinstance(step, Deleted)} == {"stack", "source", "destination", "catalog"}
    assert account.buckets() == set()
    assert account.client("dynamodb").list_tables()["TableNames"] == []


def test_a_table_s_protection_does_not_matter_where_it_is_kept(kept: Account) -> None:
    assert plan(kept).protected == ()
    assert [protected.name for protected in plan(kept, delete_data=True).protected] == [CATALOG]


@pytest.fixture
def s3(account: Account) -> Iterator[Stubber]:
    """S3 as it is told to answer."""
    with Stubber(account.session.client("s3")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def page(first: int, count: int, *, more: bool) -> dict[str, Any]:
    versions = [{"Key": str(n), "VersionId": f"v{n}", "IsLatest": True, "Size": 2} for n in range(first, first + count)]
    cursor = {"NextKeyMarker": str(first + count), "NextVersionIdMarker": "v"} if more else {}
    return {"Versions": versions, "IsTruncated": more} | cursor


def batch(first: int, count: int) -> dict[str, Any]:
    objects = [{"Key": str(n), "VersionId": f"v{n}"} for n in range(first, first + count)]
    return {"Bucket": SOURCE, "Delete": {"Objects": objects, "Quiet": True}, "ExpectedBucketOwner": ANY}


def held() -> Plan:
    return Plan(
        name="imgpipe",
        stack=None,
        messages=None,
        holdings=(Holding(kind="source", name=SOURCE, size=EMPTY),),
        delete_data=True,
    )


def test_a_large_bucket_is_emptied_in_batches_and_again_where_something_arrived(account: Account, s3: Stubber) -> None:
    s3.add_response("list_object_versions", page(0, 1000, more=True))
    s3.add_response("delete_objects", {}, batch(0, 1000))
    s3.add_response("list_object_versions", page(1000, 500, more=False))
    s3.add_response("delete_objects", {}, batch(1000, 500))
    s3.add_client_error("delete_bucket", "BucketNotEmpty")
    s3.add_response("list_object_versions", page(1500, 1, more=False))
    s3.add_response("delete_objects", {}, batch(1500, 1))
    s3.add_response("delete_bucket", {})
    assert run(account, held()) == [
        Emptied(SOURCE, 1000),
        Emptied(SOURCE, 1500),
        Emptied(SOURCE, 1501),
        Deleted("source", SOURCE),
    ]


def test_a_version_that_stays_is_named(account: Account, s3: Stubber) -> None:
    s3.add_response("list_object_versions", page(0, 2, more=False))
    s3.add_response("delete_objects", {"Errors": [{"Key": "1", "Code": "AccessDenied", "Message": "Access Denied"}]})
    with pytest.raises(StackError, match=f"did not delete 1 of {SOURCE}: Access Denied"):
        run(account, held())


def test_a_bucket_that_went_meanwhile_is_gone(account: Account, s3: Stubber) -> None:
    s3.add_client_error("list_object_versions", "NoSuchBucket")
    assert run(account, held()) == [Deleted("source", SOURCE)]


def test_a_large_bucket_is_measured_by_what_s3_counted_and_when(account: Account, s3: Stubber) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    s3.add_response("head_bucket", {})
    s3.add_client_error("get_bucket_tagging", "NoSuchTagSet")
    for number in range(holdings.LISTED):
        s3.add_response("list_object_versions", page(1000 * number, 1000, more=True))
    s3.add_client_error("head_bucket", "404")
    counted = {
        "MetricDataResults": [
            {"Id": "items", "Values": [2_000_000.0], "Timestamps": [day]},
            {"Id": "bytes", "Values": [4e12], "Timestamps": [day]},
        ]
    }
    with Stubber(account.session.client("cloudwatch")) as cloudwatch:
        cloudwatch.add_response("get_metric_data", counted)
        (source,) = plan(account).holdings
    assert source.size == Size(items=2_000_000, older=0, bytes=4_000_000_000_000, counted="2026-11-21T00:00:00.000Z")


def test_a_large_bucket_that_was_not_counted_yet_holds_at_least_what_was_listed(account: Account, s3: Stubber) -> None:
    s3.add_response("head_bucket", {})
    s3.add_client_error("get_bucket_tagging", "NoSuchTagSet")
    for number in range(holdings.LISTED):
        s3.add_response("list_object_versions", page(1000 * number, 1000, more=True))
    s3.add_client_error("head_bucket", "404")
    with Stubber(account.session.client("cloudwatch")) as cloudwatch:
        cloudwatch.add_client_error("get_metric_data", "AccessDenied")
        (source,) = plan(account).holdings
    assert (source.size.items, source.size.bytes, source.size.at_least) == (5000, 10_000, True)


def test_a_table_is_deleted_when_it_is_gone(account: Account) -> None:
    told = Plan(
        name="imgpipe",
        stack=None,
        messages=None,
        holdings=(Holding(kind="catalog", name=CATALOG, size=EMPTY),),
        delete_data=True,
    )
    slept: list[float] = []
    with Stubber(account.session.client("dynamodb")) as dynamodb:
        dynamodb.add_client_error("delete_table", "ResourceInUseException", "It is being updated")
        dynamodb.add_response("delete_table", {})
        dynamodb.add_client_error("delete_table", "ResourceInUseException", "It is being deleted")
        dynamodb.add_client_error("delete_table", "ResourceNotFoundException")
        assert list(carry_out(account.session, told, slept.append)) == [Deleted("catalog", CATALOG)]
        dynamodb.assert_no_pending_responses()
    assert len(slept) == 2


def described(status: str, **more: object) -> dict[str, Any]:
    parameters = [{"ParameterKey": key, "ParameterValue": "x"} for key in ("BundleKey", "DeploymentHash", "RecipeHash")]
    stack = {
        "StackId": STACK_ID,
        "StackName": "imgpipe",
        "StackStatus": status,
        "CreationTime": datetime(2026, 11, 22, tzinfo=UTC),
        "Parameters": parameters,
    }
    return {"Stacks": [stack | more]}


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "StackName": "imgpipe",
        "EventId": str(number),
        "LogicalResourceId": resource,
        "PhysicalResourceId": STACK_ID if resource == "imgpipe" else resource,
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": datetime(2026, 11, 22, 10, 0, number, tzinfo=UTC),
    }


def test_what_cloudformation_cannot_delete_is_named_with_its_reason(account: Account) -> None:
    rest = event(1, "imgpipe", "CREATE_COMPLETE")
    failed = [
        event(4, "imgpipe", "DELETE_FAILED", "The following resource(s) failed to delete: [Queue]. "),
        event(3, "Queue", "DELETE_FAILED", "Access to the resource is denied."),
        event(2, "imgpipe", "DELETE_IN_PROGRESS"),
        rest,
    ]
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", described("CREATE_COMPLETE"))
        cloudformation.add_response("describe_stack_events", {"StackEvents": [rest]})
        cloudformation.add_response("delete_stack", {}, {"StackName": STACK_ID})
        cloudformation.add_response("describe_stack_events", {"StackEvents": failed})
        cloudformation.add_response("describe_stacks", described("DELETE_FAILED"))
        with pytest.raises(StackError, match=r"Queue \(AWS::S3::Bucket\): Access to the resource is denied\. Mend"):
            run(account, plan(account))
        cloudformation.assert_no_pending_responses()


def test_a_deletion_that_goes_on_is_joined_and_not_begun_again(account: Account) -> None:
    goes_on = [event(2, "imgpipe", "DELETE_IN_PROGRESS"), event(1, "imgpipe", "CREATE_COMPLETE")]
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", described("DELETE_IN_PROGRESS"))
        cloudformation.add_response("describe_stack_events", {"StackEvents": goes_on})
        cloudformation.add_response(
            "describe_stack_events", {"StackEvents": [event(3, "imgpipe", "DELETE_COMPLETE"), *goes_on]}
        )
        cloudformation.add_response("describe_stacks", described("DELETE_COMPLETE"))
        told = plan(account)
        assert told.is_underway
        steps = run(account, told)
        assert (steps[0], steps[-1]) == (Deleting("imgpipe"), Deleted("stack", "imgpipe"))
        cloudformation.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("change_set", "ours"), [("imgpipe-0a1b", True), (None, True), ("awscli-cloudformation", False)]
)
def test_what_a_killed_deployment_left_under_review_can_be_removed(
    change_set: str | None, ours: bool, account: Account
) -> None:
    summaries = [{"ChangeSetName": change_set}] if change_set else []
    review = described("REVIEW_IN_PROGRESS", Parameters=[])
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", review)
        cloudformation.add_response("list_change_sets", {"Summaries": summaries})
        if ours:
            cloudformation.add_response("describe_stack_events", {"StackEvents": []})
            cloudformation.add_response("delete_stack", {}, {"StackName": STACK_ID})
            assert run(account, plan(account)) == [Deleted("stack", "imgpipe")]
        else:
            with pytest.raises(UsageError, match="not one of imgpipe's"):
                plan(account)
        cloudformation.assert_no_pending_responses()


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_is_left_alone(status: str, account: Account) -> None:
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", described(status))
        with pytest.raises(StackError, match=status):
            plan(account)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED", "CREATE_IN_PROGRESS"])
def test_a_stack_that_failed_can_be_taken_down(status: str, account: Account) -> None:
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", described(status))
        assert not plan(account).is_empty


def test_termination_protection_is_seen_and_lifted_first(account: Account) -> None:
    ended = [event(2, "imgpipe", "DELETE_COMPLETE"), event(1, "imgpipe", "CREATE_COMPLETE")]
    with Stubber(account.session.client("cloudformation")) as cloudformation:
        cloudformation.add_response("describe_stacks", described("CREATE_COMPLETE", EnableTerminationProtection=True))
        lifted = {"StackName": STACK_ID, "EnableTerminationProtection": False}
        cloudformation.add_response("update_termination_protection", {}, lifted)
        cloudformation.add_response("describe_stack_events", {"StackEvents": ended[1:]})
        cloudformation.add_response("delete_stack", {}, {"StackName": STACK_ID})
        cloudformation.add_response("describe_stack_events", {"StackEvents": ended})
        cloudformation.add_client_error(
            "describe_stacks", "ValidationError", f"Stack with id {STACK_ID} does not exist"
        )
        told = plan(account)
        assert [protected.name for protected in told.protected] == ["imgpipe"]
        steps = run(account, told)
        assert (steps[0], steps[-1]) == (Lifted("imgpipe"), Deleted("stack", "imgpipe"))
        cloudformation.assert_no_pending_responses()
