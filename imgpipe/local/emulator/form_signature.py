"""Whether a form's policy was signed with a key of ours, by Signature Version 4 or by S3's older method.

What is signed is the policy in base64, as it came ("Calculating the signature for a browser-based upload").
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from botocore.auth import HmacV1Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from imgpipe.local.emulator.refused import Refused, mismatch, unknown_key, unsigned
from imgpipe.local.emulator.signature import ALGORITHM, Scope
from imgpipe.remote.emulated import REGION

_VERSION_4: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "policy")
_VERSION_2: Final = ("AWSAccessKeyId", "signature", "policy")
FIELDS: Final = frozenset(name.lower() for name in (*_VERSION_4, *_VERSION_2, "x-amz-security-token"))
"""Fields, in lower case, that are of the form alone."""


def check(fields: Mapping[str, str], keys: Mapping[str, str]) -> None:
    """Raise Refused unless `fields`, under lower-case names, are signed with one of `keys`, access key -> secret."""
    if fields.keys() & {"awsaccesskeyid", "signature"}:
        require(fields, _VERSION_2)
        access_key, signature = fields["awsaccesskeyid"], fields["signature"]
        signed = HmacV1Auth(_credentials(access_key, keys)).sign_string(fields["policy"])
    elif fields.keys() & {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "x-amz-date"}:
        require(fields, _VERSION_4)
        signature = fields["x-amz-signature"]
        signed = _version_4(fields, keys)
    else:
        raise unsigned()
    if not compare_digest(signed.encode(), signature.encode()):
        raise mismatch(fields["policy"])


def require(fields: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Raise Refused for the first of `names` that is not there."""
    for name in names:
        if not fields.get(name.lower()):
            raise Refused(
                "InvalidArgument",
                f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the "
                "fields.",
                ArgumentName=name,
                ArgumentValue="",
            )


def _version_4(fields: Mapping[str, str], keys: Mapping[str, str]) -> str:
    credential = fields["x-amz-credential"]
    scope = Scope.read(credential)
    if fields["x-amz-algorithm"] != ALGORITHM or not scope or (scope.region, scope.service) != (REGION, "s3"):
        raise Refused(
            "InvalidArgument",
            f'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/{REGION}/s3/aws4_request".',
            ArgumentName="X-Amz-Credential",
            ArgumentValue=credential,
        )
    request = AWSRequest()
    request.context["timestamp"] = scope.day
    signer = SigV4Auth(_credentials(scope.access_key, keys), scope.service, scope.region)
    return str(signer.signature(fields["policy"], request))


def _credentials(access_key: str, keys: Mapping[str, str]) -> Credentials:
    if access_key not in keys:
        raise unknown_key(access_key)
    return Credentials(access_key, keys[access_key])
