"""What the emulator tells a queue of the objects in a bucket: what S3 would, and nothing twice."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError
from front_case import QUEUE, Fronted, fronted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

OTHER = "arn:aws:sqs:us-east-1:123456789012:other"


@pytest.fixture(scope="module")
def aws() -> Iterator[Fronted]:
    with fronted() as started:
        yield started


def told(aws: Fronted) -> list[tuple[str, str, Any]]:
    """Event, key and version of each record since the last look."""
    records = aws.records
    aws.sent.clear()
    return [
        (record["eventName"], unquote_plus(record["s3"]["object"]["key"]), record["s3"]["object"].get("versionId"))
        for record in records
    ]


def test_an_event_has_the_shape_of_s3s(aws: Fronted) -> None:
    bucket = aws.bucket("shape")
    stored = aws.client().put_object(Bucket=bucket, Key="a b/é+.jpg", Body=b"pixels")
    ((queue, body),) = aws.sent
    (record,) = json.loads(body)["Records"]
    described = record["s3"]["object"]
    assert queue == QUEUE
    assert record["s3"]["bucket"]["name"] == bucket
    assert record["responseElements"]["x-amz-request-id"] == stored["ResponseMetadata"]["RequestId"]
    assert int(described.pop("sequencer"), 16) > 0
    assert described == {
        "key": "a+b/%C3%A9%2B.jpg",
        "size": 6,
        "eTag": stored["ETag"].strip('"'),
        "versionId": stored["VersionId"],
    }
    assert {
        "eventVersion",
        "eventSource",
        "awsRegion",
        "eventTime",
        "eventName",
        "userIdentity",
        "requestParameters",
    } <= set(record)


def test_each_way_to_create_an_object_is_told_once_by_its_name(aws: Fronted) -> None:
    bucket, client = aws.bucket("creations"), aws.client()
    copied = {"Bucket": bucket, "Key": "put"}
    versions = [client.put_object(Bucket=bucket, Key="put", Body=b"12")["VersionId"]]
    versions.append(client.copy_object(Bucket=bucket, Key="copy", CopySource=copied)["VersionId"])
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    parts = [
        client.upload_part(**part, PartNumber=1, Body=bytes(5 << 20))["ETag"],
        client.upload_part_copy(**part, PartNumber=2, CopySource=copied)["CopyPartResult"]["ETag"],
    ]
    assert [event for event, _, _ in told(aws)] == ["ObjectCreated:Put", "ObjectCreated:Copy"]
    listed = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(parts, 1)]}
    made = client.complete_multipart_upload(**part, MultipartUpload=listed)
    (record,) = aws.records
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert record["s3"]["object"]["size"] == (5 << 20) + 2
    assert record["s3"]["object"]["eTag"] == made["ETag"].strip('"')
    assert told(aws)[0][2] == made["VersionId"]


def test_each_way_to_remove_an_object_is_told_with_its_version(aws: Fronted) -> None:
    bucket, client = aws.bucket("removals"), aws.client()
    version = client.put_object(Bucket=bucket, Key="cat", Body=b"1")["VersionId"]
    told(aws)
    marker = client.delete_object(Bucket=bucket, Key="cat")["VersionId"]
    client.delete_object(Bucket=bucket, Key="cat", VersionId=marker)
    client.delete_object(Bucket=bucket, Key="cat", VersionId=version)
    assert told(aws) == [
        ("ObjectRemoved:DeleteMarkerCreated", "cat", marker),
        ("ObjectRemoved:Delete", "cat", marker),
        ("ObjectRemoved:Delete", "cat", version),
    ]


@pytest.mark.parametrize("quiet", [True, False])
def test_a_removal_of_many_is_told_key_by_key(aws: Fronted, quiet: bool) -> None:
    bucket, client = aws.bucket(f"many-{quiet}".lower()), aws.client()
    names = ("a&b <c>", " é/+ ", "old")
    version = [client.put_object(Bucket=bucket, Key=name, Body=b"1")["VersionId"] for name in names][-1]
    told(aws)
    keys = [{"Key": names[0]}, {"Key": names[1]}, {"Key": "old", "VersionId": version}]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": quiet})
    first, second, third = told(aws)
    assert ("Deleted" in answer) is not quiet
    assert first[:2] == ("ObjectRemoved:DeleteMarkerCreated", "a&b <c>")
    assert second[:2] == ("ObjectRemoved:DeleteMarkerCreated", " é/+ ")
    assert third == ("ObjectRemoved:Delete", "old", version)
    markers = {marker["VersionId"] for marker in client.list_object_versions(Bucket=bucket)["DeleteMarkers"]}
    assert markers == {first[2], second[2]}


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("key", ["a\rb", "a\nb"])
def test_a_removal_takes_the_key_that_was_named_and_no_other(aws: Fronted, quiet: bool, key: str) -> None:
    bucket, client = aws.bucket(f"returns-{quiet}-{ord(key[1])}".lower()), aws.client()
    for name in ("a\rb", "a\nb"):
        client.put_object(Bucket=bucket, Key=name, Body=b"1")
    told(aws)
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}], "Quiet": quiet})
    assert [removed for _, removed, _ in told(aws)] == [key]
    (left,) = client.list_objects_v2(Bucket=bucket, EncodingType="url")["Contents"]
    assert {unquote_plus(left["Key"]), key} == {"a\rb", "a\nb"}


def test_without_versions_none_is_told(aws: Fronted) -> None:
    bucket, client = aws.bucket("unversioned", versioned=False), aws.client()
    client.put_object(Bucket=bucket, Key="cat", Body=b"1")
    client.delete_object(Bucket=bucket, Key="cat")
    assert told(aws) == [("ObjectCreated:Put", "cat", None), ("ObjectRemoved:Delete", "cat", None)]


def test_what_fails_or_changes_no_object_is_not_told(aws: Fronted) -> None:
    bucket, client = aws.bucket("silence"), aws.client()
    client.put_object(Bucket=bucket, Key="cat", Body=b"1")
    told(aws)
    client.put_object_tagging(Bucket=bucket, Key="cat", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    client.delete_object_tagging(Bucket=bucket, Key="cat")
    client.put_object_acl(Bucket=bucket, Key="cat", ACL="private")
    client.get_object(Bucket=bucket, Key="cat")
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"1")
    client.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
    put = {"Bucket": bucket, "Key": "cat", "Body": b"2"}
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(**put, IfNoneMatch="*")
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "missing"})
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.put_object(**{**put, "Bucket": "no-such-bucket"})
    assert told(aws) == []


def test_rules_choose_by_event_prefix_and_suffix(aws: Fronted) -> None:
    filter_ = {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]}}
    rules = [
        {"Event": "s3:ObjectCreated:Put", "Queue": QUEUE, "Filter": filter_},
        {"Event": "s3:ObjectRemoved:*", "Queue": OTHER},
    ]
    bucket, client = aws.bucket("rules", NotificationConfiguration={"QueueConfigurations": rules}), aws.client()
    for key in ("in/a.jpg", "in/a.png", "a.jpg"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    client.copy_object(Bucket=bucket, Key="in/b.jpg", CopySource={"Bucket": bucket, "Key": "a.jpg"})
    client.delete_object(Bucket=bucket, Key="a.jpg")
    assert [queue for queue, _ in aws.sent] == [QUEUE, OTHER]
    assert [key for _, key, _ in told(aws)] == ["in/a.jpg", "a.jpg"]


def test_a_queue_is_tried_when_a_bucket_comes_to_tell_it(aws: Fronted) -> None:
    bucket = aws.bucket("tried", NotificationConfiguration={})
    rules = {
        "NotificationConfiguration": {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": QUEUE}] * 2}
    }
    aws.front.realise(bucket, rules)
    aws.front.realise(bucket, rules)
    ((queue, body),) = aws.sent
    assert (queue, json.loads(body)["Event"], json.loads(body)["Bucket"]) == (QUEUE, "s3:TestEvent", bucket)


def test_the_templates_rules_are_the_only_ones(aws: Fronted) -> None:
    bucket, client = aws.bucket("fixed"), aws.client()
    with pytest.raises(ClientError, match="NotImplemented"):
        client.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    with pytest.raises(ClientError, match="NotImplemented"):
        client.get_bucket_notification_configuration(Bucket=bucket)


def test_a_deleted_buckets_rules_are_gone_with_it(aws: Fronted) -> None:
    bucket, client = aws.bucket("again"), aws.client()
    client.delete_bucket(Bucket=bucket)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="cat", Body=b"1")
    assert told(aws) == []


def test_what_is_stored_is_answered_though_a_queue_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    reached: list[str] = []

    def send(queue: str, body: str) -> None:
        if queue == QUEUE:
            raise KeyError("the queue is gone")
        reached.append(queue)

    rules = [{"Event": "s3:ObjectCreated:*", "Queue": queue} for queue in (QUEUE, OTHER)]
    with fronted(send) as front:
        bucket = front.bucket("unheard", NotificationConfiguration={"QueueConfigurations": rules})
        reached.clear()
        caplog.clear()
        front.client().put_object(Bucket=bucket, Key="cat", Body=b"1")
        assert len(front.client().list_object_versions(Bucket=bucket)["Versions"]) == 1
    assert reached == [OTHER]
    assert "the queue is gone" in caplog.text


def test_many_at_once_are_each_told_once_and_in_the_order_in_which_they_are_stored(aws: Fronted) -> None:
    bucket, client = aws.bucket("crowd"), aws.client(max_pool_connections=8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.put_object(Bucket=bucket, Key="1", Body=b"%d" % number), range(60)))
    stored = s3_backends["123456789012"]["aws"].buckets[bucket].keys.getlist("1")
    records = [record["s3"]["object"] for record in aws.records]
    assert [record["versionId"] for record in records] == [version.version_id for version in stored]
    assert sorted({record["sequencer"] for record in records}) == [record["sequencer"] for record in records]
    (newest,) = [version for version in client.list_object_versions(Bucket=bucket)["Versions"] if version["IsLatest"]]
    assert newest["VersionId"] == records[-1]["versionId"]
    aws.sent.clear()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
        lambda key: len(key.encode()) < 1024 and not set(key.split("/")) & {".", ".."}
    )
)
def test_whatever_its_key_an_object_is_told_and_read_by_it(aws: Fronted, key: str) -> None:
    client = aws.client()
    if not aws.front._buckets.get("keys"):
        aws.bucket("keys")
    aws.sent.clear()
    client.put_object(Bucket="keys", Key=key, Body=key.encode())
    assert client.get_object(Bucket="keys", Key=key)["Body"].read() == key.encode()
    assert [told_key for _, told_key, _ in told(aws)] == [key]
    form = aws.client(signature_version="s3v4").generate_presigned_post("keys", key.replace("${filename}", ""))
    assert aws.post(form, b"1").status == 204
    assert [(event, told_key) for event, told_key, _ in told(aws)] == [("ObjectCreated:Post", key)]
