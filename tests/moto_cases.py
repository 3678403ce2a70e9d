"""Clients for AWS as moto plays it, in this process or behind a server of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.request import Request, urlopen

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from moto import mock_aws
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"


def client(service: str, endpoint: str | None = None, **config: Any) -> Any:
    session = botocore.session.Session()
    session.set_credentials("testing", "testing")
    return session.create_client(service, REGION, endpoint_url=endpoint, config=Config(**config))


@contextmanager
def aws() -> Iterator[None]:
    """Whatever asks AWS in this process asks moto."""
    with mock_aws():
        yield


@contextmanager
def server() -> Iterator[str]:
    """The endpoint of a moto server of this process, empty of what earlier ones held."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()  # noqa: S310 - it is this process
        yield endpoint
    finally:
        moto.stop()


def answer(request: Any, status: int, body: bytes) -> AWSResponse:
    """What a handler of `before-send` returns in the place of AWS's answer."""
    raw = BytesIO(body)
    raw.stream = lambda **_: iter([body])  # type: ignore[attr-defined]
    return AWSResponse(request.url, status, {}, raw)


def make_bucket(s3: Any, name: str, *, versions: bool = False) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if versions:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def make_table(dynamodb: Any, name: str) -> None:
    """The catalog's table, with its feed index."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"} for attribute in ("key", "shard", "feed")
        ],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
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
    )
