"""Who speaks to AWS, where, and as whom: one session for everything a command does.

Everything that botocore and the AWS CLI know counts, above all the `AWS_*` variables; flags count more. Clients raise
botocore's own errors: wrap a command's work in `aws_errors`, which says them as `AwsError` and its kin.
"""

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

from imgpipe import __version__
from imgpipe.errors import AwsError, ImgpipeError

ATTEMPTS: Final = 6
"""Tries of one call, where neither AWS_MAX_ATTEMPTS nor the profile tells how many: CloudFormation throttles early."""
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
"""botocore's own default."""
CONNECTIONS: Final = 32
"""Of one client at once: the catalog's feed alone is read by sixteen threads."""
_EXACT_TO: Final = 2.0
"""Seconds: answers tell the second, and have been under way."""


@contextmanager
def aws_errors() -> Iterator[None]:
    """What AWS or the way to it refused, raised as an error that a person understands; also a decorator."""
    try:
        yield
    except ImgpipeError:
        raise
    except Exception as error:
        from imgpipe.remote.refusals import explained

        told = explained(error)
        if told is None:
            raise
        raise told from error


class Session:
    """A profile, a region and perhaps an endpoint of one's own; clients and facts are made when first asked for.

    Every member raises AwsError where the profile, the region or the credentials are missing or refused.
    """

    def __init__(
        self,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._attempts = attempts
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()
        self._told: tuple[float, float] | None = None

    def client(self, service: str) -> Any:
        """The boto3 client of `service`, made once. S3 presigns for the regional host, or path-style for an endpoint
        of one's own."""
        # boto3's sessions are not made for threads ("Multithreading or multiprocessing with sessions").
        with self._making:
            if service not in self._clients:
                with aws_errors():
                    client = self._s3() if service == "s3" else self._make(service)
                client.meta.events.register("after-call", self._read_clock)
                self._clients[service] = client
            return self._clients[service]

    def now(self) -> float:
        """AWS's time, in seconds since the epoch, as its last answer told: records are written by that clock, and this
        machine's may be wrong by minutes, or be put right in between."""
        if self._told is None:
            return time.time()
        told, at = self._told
        return told + time.monotonic() - at

    def _read_clock(self, parsed: dict[str, Any], **_: Any) -> None:
        with suppress(KeyError, ValueError):
            told = parsedate_to_datetime(parsed["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
            here = time.time()
            self._told = here if abs(told - here) <= _EXACT_TO else told, time.monotonic()

    @property
    def is_renewable(self) -> bool:
        """Whether another such session may find newer credentials: those of the environment stay what they are."""
        with aws_errors():
            credentials = self._boto.get_credentials()
        return credentials is None or credentials.method != "env"

    @property
    def credentials(self) -> Any:
        """botocore's credentials, to sign with what no client calls; renewed as they expire."""
        from botocore.exceptions import NoCredentialsError

        with aws_errors():
            found = self._boto.get_credentials()
            if found is None:
                raise NoCredentialsError
            return found

    def http(self, url: str) -> Any:
        """A session of botocore's for plain HTTP with the host of `url`, with the clients' proxies and certificates."""
        from botocore.httpsession import URLLib3Session

        return URLLib3Session(
            verify=self._boto._session.get_config_variable("ca_bundle") or True,
            proxies=self._proxies(url),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            max_pool_connections=CONNECTIONS,
        )

    def _proxies(self, url: str) -> dict[str, str]:
        from botocore.utils import get_environ_proxies

        found: dict[str, str] = get_environ_proxies(url)
        return found

    def command(self, name: str, stack: str, *flags: str) -> str:
        """The command `imgpipe NAME`, to be typed, that means that stack in the same place."""
        place = {"--profile": self._profile, "--region": self._region, "--endpoint-url": self._endpoint_url}
        options = [word for option, value in place.items() if value for word in (option, value)]
        return shlex.join(["imgpipe", name, "--stack", stack, *flags, *options])

    @cached_property
    def region(self) -> str:
        """The region that is spoken to."""
        with aws_errors():
            region: str | None = self._boto.region_name
        if not region:
            raise AwsError("no_region", "No AWS region is set.", "Name one with --region, or set AWS_REGION.")
        return region

    @cached_property
    def endpoint(self) -> str:
        """The URL that CloudFormation answers at."""
        return str(self.client("cloudformation").meta.endpoint_url)

    @cached_property
    def account(self) -> str:
        """The 12 digits of the account that the credentials belong to."""
        with aws_errors():
            return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def partition(self) -> str:
        """`aws`, `aws-cn`, …: the first word of every ARN in the region."""
        with aws_errors():
            return str(self._boto.get_partition_for_region(self.region))

    @property
    def _patience(self) -> dict[str, Any]:
        """How often a call is tried, as variables of a botocore session."""
        return {
            "max_attempts": ("max_attempts", "AWS_MAX_ATTEMPTS", self._attempts, int),
            "retry_mode": ("retry_mode", "AWS_RETRY_MODE", "standard", None),
        }

    @cached_property
    def _boto(self) -> Any:
        import boto3
        import botocore.session

        # The AWS CLI and Lambda know AWS_REGION, botocore does not.
        region = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
        with aws_errors():
            core = botocore.session.Session(session_vars=region | self._patience)
            return boto3.Session(botocore_session=core, profile_name=self._profile, region_name=self._region)

    def _make(self, service: str, **settings: object) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            max_pool_connections=CONNECTIONS,
            user_agent_extra=f"imgpipe/{__version__}",
            **settings,
        )
        return self._boto.client(service, region_name=self.region, endpoint_url=self._endpoint_url, config=config)

    def _s3(self) -> Any:
        regional = {"us_east_1_regional_endpoint": "regional"}
        client = self._make("s3", signature_version="s3v4", s3=regional)
        if self._endpoint_url:
            return client
        # Without "virtual", presigned URLs name the global host, which redirects uploads; an endpoint from the
        # environment or the profile, on the other hand, seldom resolves a bucket's name before its own.
        plain = self._make("s3", ignore_configured_endpoint_urls=True)
        if client.meta.endpoint_url != plain.meta.endpoint_url:
            return client
        return self._make("s3", signature_version="s3v4", s3=regional | {"addressing_style": "virtual"})
