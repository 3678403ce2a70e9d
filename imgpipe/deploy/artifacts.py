"""The artifact bucket: one for an account and region, where bundles lie under the hash of their content.

Its name is in the account's own namespace of S3, so nobody else can take it, and every call names the owner that it
expects. The policy is written last: a bucket that has one was made whole.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Final

from imgpipe.remote.session import Session

OLD_DAYS: Final = 30
"""Days that an overwritten or deleted object of the bucket can still be had back."""

TRIES: Final = 10
"""So often is the bucket made ready where another deployment is at it at the same time."""
SECONDS: Final = 2.0


def bucket_name(session: Session) -> str:
    """The artifact bucket's name: suffix `-an` as S3 requires it of account-regional buckets."""
    return f"imgpipe-artifacts-{session.account}-{session.region}-an"


def exists(session: Session) -> bool:
    """Whether the artifact bucket is there and may be looked at."""
    from botocore.exceptions import ClientError

    try:
        session.client("s3").head_bucket(**_owned(session))
    except ClientError:
        return False
    return True


def store(session: Session, key: str, data: Callable[[], bytes], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Have `data` lie at `key` of the artifact bucket, which is made if it is not there; False where it already did.

    `key` must be named by the content: what lies there is not looked into.
    """
    from botocore.exceptions import ClientError

    s3 = session.client("s3")
    for left in reversed(range(TRIES)):
        try:
            _ensure_bucket(session, s3)
            break
        except ClientError as error:
            if error.response["Error"]["Code"] != "OperationAborted" or not left:
                raise
            sleep(SECONDS)
    place = {**_owned(session), "Key": key}
    try:
        s3.head_object(**place)
    except ClientError as error:
        if not _missing(error):
            raise
    else:
        return False
    s3.put_object(**place, Body=data(), ChecksumAlgorithm="SHA256")
    return True


def url(session: Session, key: str) -> str:
    """Where CloudFormation fetches `key` of the artifact bucket."""
    return f"{session.client('s3').meta.endpoint_url.rstrip('/')}/{bucket_name(session)}/{key}"


def _owned(session: Session) -> dict[str, str]:
    return {"Bucket": bucket_name(session), "ExpectedBucketOwner": session.account}


def _ensure_bucket(session: Session, s3: Any) -> None:
    from botocore.exceptions import ClientError

    owned = _owned(session)
    try:
        s3.get_bucket_policy(**owned)
        return
    except ClientError as error:
        if not _missing(error):
            raise
        bucket_is_there = error.response["Error"]["Code"] == "NoSuchBucketPolicy"
    if not bucket_is_there:
        _create_bucket(session, s3)
    s3.put_public_access_block(
        **owned,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        **owned,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_versioning(**owned, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(
        **owned,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-versions",
                    "Status": "Enabled",
                    "Filter": {},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_DAYS},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        },
    )
    # An endpoint of one's own that speaks plain HTTP would lock itself out.
    if s3.meta.endpoint_url.startswith("https:"):
        s3.put_bucket_policy(**owned, Policy=json.dumps(tls_only(session.partition, owned["Bucket"])))


def _create_bucket(session: Session, s3: Any) -> None:
    from botocore.exceptions import ClientError

    # us-east-1 is where S3 makes buckets that name no region, and it refuses to be named.
    place = {} if session.region == "us-east-1" else {"LocationConstraint": session.region}
    try:
        s3.create_bucket(
            Bucket=bucket_name(session),
            BucketNamespace="account-regional",
            ObjectOwnership="BucketOwnerEnforced",
            **({"CreateBucketConfiguration": place} if place else {}),
        )
    except ClientError as error:
        # Another first deployment was faster.
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def tls_only(partition: str, bucket: str) -> dict[str, Any]:
    """The bucket policy that refuses every call which is not encrypted on its way."""
    arn = f"arn:{partition}:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def _missing(error: Any) -> bool:
    return error.response["Error"]["Code"] in {"404", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchKey"}
