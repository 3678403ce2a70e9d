"""botocore's errors in words: what is wrong, and what to do.

Only what a person can meet and mend is translated; everything else is a fault of ours, and stays what it is.
"""

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from imgpipe.errors import AwsError, ImgpipeError, NoStackError, StackError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

SIGN_IN: Final = "Sign in again (aws sso login, or aws login), or renew the keys in the environment."
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
UNKNOWN_KEYS: Final = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED: Final = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Forbidden",
        "ForbiddenException",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
THROTTLED: Final = frozenset(
    {
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNAVAILABLE: Final = frozenset({"InternalError", "ServiceUnavailable"})
"""S3 says it of a single key in an answer that is a success ("DeleteObjects")."""
LOST: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "ResourceNotFoundException"})
_NO_STACK: Final = re.compile(r"Stack (?:with id )?[\['\"]?(?P<name>[\w:/-]+)[\]'\"]? does not exist")
_FORBIDDEN: Final = re.compile(
    r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: \"?(?P<resource>[^\s\"]+))?"
)


def explained(error: Exception) -> ImgpipeError | None:
    """`error` as a person is told it; None where it is no answer of AWS's or of the way to it."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from botocore.parsers import ResponseParserError

    match error:
        case ClientError():
            return refusal(error)
        case ResponseParserError():
            return AwsError(
                "not_aws",
                "What answered is not AWS, or failed: its answer cannot be read.",
                "Check --endpoint-url and AWS_ENDPOINT_URL.",
            )
        case ParamValidationError():
            return None
        case BotoCoreError():
            return _before_an_answer(error)
        case ValueError() if str(error).startswith("Invalid endpoint"):
            return AwsError("bad_endpoint", f"{error}.", "Give it whole, as in http://127.0.0.1:5000.")
    return None


def _before_an_answer(error: Exception) -> ImgpipeError:
    """What went wrong on this machine or on the way."""
    from botocore import exceptions as e

    # botocore keeps what an error is about in `kwargs`.
    about = getattr(error, "kwargs", {})
    match error:
        case e.NoCredentialsError() | e.NoAuthTokenError():
            return AwsError(
                "no_credentials",
                "No AWS credentials were found.",
                "Name a profile with --profile, sign in (aws sso login, or aws login), or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY.",
            )
        case e.PartialCredentialsError():
            return AwsError(
                "no_credentials",
                f"The AWS credentials ({about['provider']}) are not whole: {about['cred_var']} is missing.",
                "Set it beside the other, or name a profile with --profile.",
            )
        case e.TokenRetrievalError() | e.SSOError() | e.LoginError():
            return AwsError("expired", "The AWS sign-in has expired or was never made.", SIGN_IN)
        case e.CredentialRetrievalError() | e.MetadataRetrievalError() | e.RefreshWithMFAUnsupportedError():
            return AwsError("no_credentials", f"The AWS credentials could not be had: {_sentence(error)}", SIGN_IN)
        case e.ProfileNotFound():
            return AwsError("no_profile", f"There is no AWS profile named {about['profile']}.", _profiles())
        case e.ConfigParseError() | e.ConfigNotFound():
            return AwsError("bad_config", f"AWS's file {about['path']} cannot be read.", "Mend its lines, or move it.")
        case e.NoRegionError():
            return AwsError("no_region", "No AWS region is set.", "Name one with --region, or set AWS_REGION.")
        case e.InvalidRegionError() | e.UnknownRegionError() | e.UnknownEndpointError() | e.EndpointProviderError():
            return AwsError("bad_region", _sentence(error), "Name a region with --region, as in eu-central-1.")
        case e.SSLError():
            return AwsError(
                "tls",
                f"The certificate of {about['endpoint_url']} is not trusted: {about['error']}.",
                "Name the right certificates with AWS_CA_BUNDLE, or check the proxy and the clock.",
            )
        case e.ProxyConnectionError():
            return AwsError("unreachable", _sentence(error), "Check HTTPS_PROXY and NO_PROXY.")
        case e.FlexibleChecksumError() | e.IncompleteReadError():
            return AwsError("damaged", "What arrived is not what AWS sent.", "Run the same command again.")
        case e.HTTPClientError() | e.ConnectionError():
            where = about.get("endpoint_url", "AWS")
            what = "did not answer in time" if "Timeout" in type(error).__name__ else "cannot be reached"
            if where.startswith("http://127.0.0.1:"):
                return AwsError("unreachable", f"{where} {what}.", f"Start the emulator there with: {_emulate(where)}")
            return AwsError("unreachable", f"{where} {what}.", "Check the network, the region and --endpoint-url.")
    return AwsError("aws", _sentence(error), "Mend that in AWS's configuration, then try again.")


def refusal(error: "ClientError") -> ImgpipeError:
    """What AWS answered."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    http = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    call = error.operation_name
    if missing := _NO_STACK.search(message):
        return NoStackError(missing["name"])
    if code in EXPIRED:
        return AwsError("expired", "The AWS credentials have expired.", SIGN_IN)
    if code == "400" and call == "HeadObject":
        # The answer to HEAD has no body ("HeadObject").
        return AwsError("expired", "AWS refused HeadObject, as it does where credentials have expired.", SIGN_IN)
    if code == "RequestTimeTooSkewed" or "Signature expired" in message or "Signature not yet current" in message:
        return AwsError("clock", "AWS refused the call for its time.", "Set this machine's clock right.")
    if code in UNKNOWN_KEYS:
        return AwsError(
            "bad_credentials",
            f"AWS does not know these credentials ({code}).",
            "Check the profile and the keys, and that the region is enabled in the account.",
        )
    if code in DENIED:
        told = _FORBIDDEN.search(message)
        what = told["action"] if told else call
        where = f" on {told['resource'].rstrip('.')}" if told and told["resource"] else ""
        return AwsError("denied", f"AWS refused {what}{where}.", "Have it allowed, or take another --profile.")
    if code in THROTTLED:
        return AwsError("throttled", f"AWS is throttling {call} ({code}).", "Wait a minute, then try again.")
    if http >= 500 or code in UNAVAILABLE:
        return AwsError("unavailable", f"AWS failed at {call}: {message or code}.", "Wait a minute, then try again.")
    if http == 404 and code == "404" and not message.strip(".").replace("Not Found", ""):
        return StackError(f"AWS knows nothing of what {call} asked for.", "Check --region and --endpoint-url.")
    if code in LOST:
        return StackError(
            f"AWS refused {call}: {(message or code).rstrip('.')}.",
            "The stack has lost it: take the stack down and deploy it again.",
        )
    return StackError(f"AWS refused {call}: {(message or code).rstrip('.')}.", "Mend that, then try again.")


def _emulate(url: str) -> str:
    """The command that starts the emulator at `url`."""
    from imgpipe.remote.emulated import PORT

    port = urlsplit(url).port or PORT
    return "imgpipe emulate" if port == PORT else f"imgpipe emulate --port {port}"


def _profiles() -> str:
    """What to do about a profile that is not there."""
    from botocore.session import Session

    names = sorted(Session().available_profiles)
    if not names:
        return "There are none yet; make one with: aws configure sso, or aws configure."
    return f"Name one of these with --profile or AWS_PROFILE: {', '.join(names)}."


def _sentence(error: Exception) -> str:
    return f"{str(error).strip().rstrip('.')}."
