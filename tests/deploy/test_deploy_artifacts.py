"""The artifact bucket as S3 is asked for it."""

import json
from typing import Any

import pytest
from botocore.stub import ANY
from deploy_account import ACCOUNT, BUCKET, REGION, Stubbed

from imgpipe.deploy import artifacts

KEY = "bundle/0a1b.zip"


def store(s3: Stubbed, slept: list[float] | None = None) -> bool:
    with s3 as session:
        return artifacts.store(session, KEY, lambda: b"zip", (slept if slept is not None else []).append)


def expect_settings(s3: Stubbed) -> None:
    """The calls that make a bucket whole, its policy last."""
    for call in ("public_access_block", "bucket_encryption", "bucket_versioning", "bucket_lifecycle_configuration"):
        s3.answer(f"put_{call}")
    policy = json.dumps(artifacts.tls_only("aws", f"imgpipe-artifacts-{ACCOUNT}-{s3.region}-an"))
    s3.answer("put_bucket_policy", Bucket=ANY, ExpectedBucketOwner=ACCOUNT, Policy=policy)


@pytest.mark.parametrize(
    ("region", "place"),
    [(REGION, {"CreateBucketConfiguration": {"LocationConstraint": REGION}}), ("us-east-1", {})],
)
def test_a_bucket_that_is_not_there_is_made_whole(region: str, place: dict[str, Any]) -> None:
    s3 = Stubbed("s3", region)
    s3.refuse("get_bucket_policy", "NoSuchBucket")
    s3.answer(
        "create_bucket",
        Bucket=f"imgpipe-artifacts-{ACCOUNT}-{region}-an",
        BucketNamespace="account-regional",
        ObjectOwnership="BucketOwnerEnforced",
        **place,
    )
    expect_settings(s3)
    s3.refuse("head_object", "404")
    s3.answer("put_object", Body=b"zip", Bucket=ANY, Key=KEY, ExpectedBucketOwner=ACCOUNT, ChecksumAlgorithm="SHA256")
    assert store(s3)


def test_a_bucket_that_another_first_deployment_made_meanwhile_is_used() -> None:
    s3 = Stubbed("s3")
    s3.refuse("get_bucket_policy", "NoSuchBucket")
    s3.refuse("create_bucket", "BucketAlreadyOwnedByYou")
    expect_settings(s3)
    s3.answer("head_object")
    assert not store(s3)


@pytest.mark.parametrize("call", ["create_bucket", "put_public_access_block"])
def test_a_bucket_that_another_deployment_is_busy_with_is_tried_again(call: str) -> None:
    s3 = Stubbed("s3")
    s3.refuse("get_bucket_policy", "NoSuchBucket" if call == "create_bucket" else "NoSuchBucketPolicy")
    s3.refuse(call, "OperationAborted", "A conflicting conditional operation is currently in progress")
    s3.answer("get_bucket_policy")
    s3.answer("head_object")
    slept: list[float] = []
    assert not store(s3, slept)
    assert slept == [artifacts.SECONDS]


def test_a_bucket_that_stays_busy_is_told() -> None:
    s3 = Stubbed("s3")
    for _ in range(artifacts.TRIES):
        s3.refuse("get_bucket_policy", "NoSuchBucket")
        s3.refuse("create_bucket", "OperationAborted")
    with pytest.raises(Exception, match="OperationAborted"):
        store(s3)


def test_a_bucket_without_its_policy_is_made_whole() -> None:
    s3 = Stubbed("s3")
    s3.refuse("get_bucket_policy", "NoSuchBucketPolicy")
    expect_settings(s3)
    s3.answer("head_object", Bucket=BUCKET, Key=KEY, ExpectedBucketOwner=ACCOUNT)
    assert not store(s3)


def test_what_is_there_is_left_as_it_is() -> None:
    s3 = Stubbed("s3")
    s3.answer("get_bucket_policy", Bucket=BUCKET, ExpectedBucketOwner=ACCOUNT)
    s3.answer("head_object", Bucket=BUCKET, Key=KEY, ExpectedBucketOwner=ACCOUNT)
    assert not store(s3)


@pytest.mark.parametrize("call", ["get_bucket_policy", "head_object"])
def test_a_bucket_that_is_another_s_is_not_written_to(call: str) -> None:
    s3 = Stubbed("s3")
    if call == "head_object":
        s3.answer("get_bucket_policy")
    s3.refuse(call, "AccessDenied")
    with pytest.raises(Exception, match="AccessDenied"):
        store(s3)


def test_a_template_s_address_is_one_that_cloudformation_can_fetch() -> None:
    with Stubbed("s3") as session:
        assert artifacts.url(session, "template/a.yaml") == (
            f"https://s3.{REGION}.amazonaws.com/{BUCKET}/template/a.yaml"
        )


def test_the_policy_refuses_what_is_not_encrypted() -> None:
    (statement,) = artifacts.tls_only("aws-cn", "b")["Statement"]
    assert statement["Resource"] == ["arn:aws-cn:s3:::b", "arn:aws-cn:s3:::b/*"]
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
