"""The real template deployed, brought up to date and not deployed, into an account by moto."""

import json
from collections.abc import Callable, Iterator

import pytest
import requests
from deploy_account import BUCKET, Recorded, moto_server, small_bundle, wish

from imgpipe.deploy import bundle
from imgpipe.deploy import deploy as deploying
from imgpipe.deploy.deploy import deploy
from imgpipe.deploy.events import Ask, Event, Finished, Preview, Proposed
from imgpipe.deploy.plan import Wish
from imgpipe.deploy.preview import preview
from imgpipe.errors import StackError, UsageError
from imgpipe.remote.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
"""moto knows only some types of resources."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def aws(url: str, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """An empty account."""
    requests.post(f"{url}/moto-api/reset", timeout=10)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(bundle, "build", small_bundle)
    return Recorded(url)


def yes(question: str) -> bool:
    return True


def run(aws: Recorded, asked: Wish, ask: Ask | None = yes) -> list[Event]:
    return list(deploy(aws, asked, ask, lambda _: None))


def ended(events: list[Event]) -> str:
    assert isinstance(events[-1], Finished)
    return events[-1].status


def stacks(aws: Recorded) -> dict[str, str]:
    found = aws.client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found}


def buckets(aws: Recorded) -> list[str]:
    return [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]


def parameters(aws: Recorded) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="imgpipe")["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}


def test_a_deployment_makes_the_stack_with_all_that_was_given(aws: Recorded) -> None:
    events = run(aws, wish(ProcessorMemory="3008"))
    assert ended(events) == "deployed"
    assert stacks(aws) == {"imgpipe": "CREATE_COMPLETE"}
    (proposed,) = (event for event in events if isinstance(event, Proposed))
    assert {change.resource for change in proposed.changes} == wish().template.resources.keys()
    assert parameters(aws)["ProcessorMemory"] == "3008"
    assert parameters(aws)["RecipeHash"] == wish().recipe.hash
    assert aws.client("s3").head_object(Bucket=BUCKET, Key=parameters(aws)["BundleKey"])


def test_a_second_deployment_says_at_once_that_nothing_has_changed(aws: Recorded) -> None:
    run(aws, wish(ProcessorMemory="3008"))
    aws.calls.clear()
    assert ended(run(aws, wish(), ask=None)) == "unchanged"
    assert aws.calls == ["DescribeStacks"]


def test_an_update_changes_what_was_given_and_keeps_the_rest(aws: Recorded) -> None:
    run(aws, wish(ProcessorMemory="3008", MaxConcurrency="300"))
    assert ended(run(aws, wish(ProcessorMemory="1769"))) == "deployed"
    assert stacks(aws) == {"imgpipe": "UPDATE_COMPLETE"}
    assert (parameters(aws)["ProcessorMemory"], parameters(aws)["MaxConcurrency"]) == ("1769", "300")


def test_other_tags_are_a_change_and_none_leave_them(aws: Recorded) -> None:
    tagged = Wish(stack="imgpipe", recipe=wish().recipe, template=wish().template, values={}, tags={"team": "a"})
    run(aws, tagged)
    assert ended(run(aws, wish())) == "unchanged"
    assert ended(run(aws, tagged)) == "unchanged"
    untagged = Wish(stack="imgpipe", recipe=wish().recipe, template=wish().template, values={}, tags={})
    *_, shown, _ = preview(aws, untagged)
    assert isinstance(shown, Preview)
    assert (shown.tags, shown.bundle, shown.template, shown.changed) == ({}, False, False, {})


def test_the_artifact_bucket_is_private_encrypted_versioned_and_made_once(aws: Recorded) -> None:
    run(aws, wish())
    s3 = aws.client("s3")
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    aws.calls.clear()
    run(aws, wish(ProcessorMemory="3008"))
    assert not {"CreateBucket", "PutObject"} & set(aws.calls)


def test_a_bucket_that_was_left_half_made_is_made_whole(aws: Recorded) -> None:
    place = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place, BucketNamespace="account-regional")
    run(aws, wish())
    assert aws.client("s3").get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"


def test_a_template_that_is_too_long_for_a_call_is_fetched_from_the_bucket(
    aws: Recorded, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "INLINE_BYTES", 1000)
    # By its address, moto would take the host for the bucket.
    by_name = Recorded(url.replace("127.0.0.1", "localhost"))
    assert ended(run(by_name, wish())) == "deployed"
    stored = aws.client("s3").get_object(Bucket=BUCKET, Key=f"template/{wish().template.digest}.yaml")
    assert stored["Body"].read().decode() == wish().template.text


def test_a_no_leaves_no_stack(aws: Recorded) -> None:
    assert ended(run(aws, wish(), lambda _: False)) == "cancelled"
    assert stacks(aws) == {}


@pytest.mark.parametrize("deployed", [False, True])
def test_a_dry_run_changes_nothing(aws: Recorded, deployed: bool) -> None:
    if deployed:
        run(aws, wish())
    before = stacks(aws), buckets(aws)
    aws.calls.clear()
    events = list(preview(aws, wish(ProcessorMemory="3008")))
    assert ended(events) == "planned"
    assert aws.changing == []
    assert (stacks(aws), buckets(aws)) == before
    shown = events[-2]
    assert isinstance(shown, Preview)
    assert shown.new is not deployed
    assert shown.changed["ProcessorMemory"] == ("1769" if deployed else None, "3008")
    assert bool(shown.added) is not deployed
    assert not shown.altered
    assert not shown.removed


def test_a_dry_run_of_what_is_deployed_says_so(aws: Recorded) -> None:
    run(aws, wish())
    assert ended(list(preview(aws, wish()))) == "unchanged"


def test_a_dry_run_tells_resources_apart(aws: Recorded) -> None:
    body = {
        "Parameters": {name: {"Type": "String"} for name in ("BundleKey", "DeploymentHash", "RecipeHash")},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, "Old": {"Type": "AWS::SNS::Topic"}},
    }
    aws.client("cloudformation").create_stack(
        StackName="imgpipe",
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": name, "ParameterValue": "x"} for name in body["Parameters"]],
    )
    shown = list(preview(aws, wish()))[-2]
    assert isinstance(shown, Preview)
    assert (shown.altered, shown.removed) == (("Queue",), ("Old",))
    assert set(shown.added) == wish().template.resources.keys() - {"Queue"}


def test_without_a_yes_and_without_anybody_to_ask_nothing_is_changed(aws: Recorded) -> None:
    with pytest.raises(UsageError, match="--yes"):
        run(aws, wish(), ask=None)
    assert aws.changing == []


@pytest.mark.parametrize("deployment", [preview, lambda session, wish: deploy(session, wish, yes)])
def test_what_an_earlier_stack_left_behind_is_found_before_anything_is_changed(
    aws: Recorded, url: str, deployment: Callable[[Session, Wish], Iterator[Event]]
) -> None:
    run(aws, wish())
    names = [bucket for bucket in buckets(aws) if bucket != BUCKET]
    requests.post(f"{url}/moto-api/reset", timeout=10)
    for name in names:
        place = {"LocationConstraint": aws.region}
        aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place, BucketNamespace="account-regional")
    aws.calls.clear()
    with pytest.raises(StackError) as caught:
        list(deployment(aws, wish()))
    assert len(names) == 2
    assert all(name in caught.value.message for name in names)
    again = f"imgpipe destroy --stack imgpipe --delete-data --region {aws.region} --endpoint-url {url}"
    assert caught.value.remedy.endswith(again)
    assert aws.changing == []
