"""A session: which settings count, where S3 is addressed, and what is said before AWS answers."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from stack_account import Account

from imgpipe.errors import AwsError
from imgpipe.remote.session import Session, aws_errors


@pytest.fixture(autouse=True)
def keys(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def closed_port() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def presigned(session: Session) -> tuple[str, str]:
    """(host, path) of a presigned URL"""
    url = session.client("s3").generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "a.jpg"})
    return urlsplit(url).hostname or "", urlsplit(url).path


def test_the_region_is_the_flag_s_or_else_the_environment_s_or_else_the_profile_s(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_aws.write_text("[default]\nregion = sa-east-1\n[profile other]\nregion = af-south-1\n")
    assert Session().region == "sa-east-1"
    assert Session("other").region == "af-south-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Session().region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert Session().region == "eu-west-2"
    assert Session(region="eu-west-3").region == "eu-west-3"
    assert Session(region="cn-north-1").partition == "aws-cn"


def test_an_endpoint_of_the_environment_counts_for_all_or_for_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2")
    assert Session().endpoint == "https://cloudformation.eu-central-1.amazonaws.com"
    assert Session().client("sqs").meta.endpoint_url == "http://127.0.0.1:2"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert Session().endpoint == "http://127.0.0.1:1"
    assert Session(endpoint_url="http://127.0.0.1:3").client("sqs").meta.endpoint_url == "http://127.0.0.1:3"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_links_name_the_bucket_s_own_region(region: str) -> None:
    assert presigned(Session(region=region)) == (f"pictures.s3.{region}.amazonaws.com", "/a.jpg")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", None])
def test_links_to_another_endpoint_keep_its_host(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://storage.example:9000"
    if name:
        monkeypatch.setenv(name, url)
    session = Session(region="us-east-1", endpoint_url=None if name else url)
    assert presigned(session) == ("storage.example", "/pictures/a.jpg")


def test_threads_that_ask_at_once_get_the_same_client() -> None:
    session = Session(region="eu-central-1")
    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: session.client("sqs"), range(8)))
    assert len(clients) == 1


def test_calls_are_tried_as_often_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def retries() -> object:
        return Session(region="eu-central-1").client("sts").meta.config.retries

    assert retries() == {"mode": "standard", "total_max_attempts": 6}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    assert retries() == {"mode": "adaptive", "total_max_attempts": 2}


def test_an_unknown_profile_is_told_with_those_that_are_there(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_aws.write_text("[profile work]\n[profile home]\n")
    with pytest.raises(AwsError, match=r"no AWS profile named wrok\. .*home, work") as flag:
        assert Session("wrok").region
    assert (flag.value.code, flag.value.exit_code) == ("no_profile", 3)
    monkeypatch.setenv("AWS_PROFILE", "hoem")
    with pytest.raises(AwsError, match=r"no AWS profile named hoem\. .*home, work"):
        assert Session().region


def test_a_missing_region_is_named_before_any_call() -> None:
    with pytest.raises(AwsError, match="--region") as raised:
        Session().client("s3")
    assert raised.value.code == "no_region"


def test_what_is_no_region_is_told_so() -> None:
    with pytest.raises(AwsError, match="Frankfurt") as raised:
        assert Session(region="Frankfurt").partition
    assert raised.value.code == "bad_region"
    with pytest.raises(AwsError, match="my region") as raised:
        Session(region="my region").client("s3")
    assert raised.value.code == "bad_region"


def test_missing_credentials_are_one_sentence_and_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsError, match="--profile") as raised:
        assert Session(region="eu-central-1").account
    assert raised.value.code == "no_credentials"
    assert "No AWS credentials were found." in raised.value.message


def test_half_of_the_credentials_are_told_which_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsError, match="AWS_SECRET_ACCESS_KEY is missing"):
        assert Session(region="eu-central-1").account


def test_a_sign_in_that_was_never_made_is_told_so(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    no_aws.write_text(
        "[profile sso]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = r\n"
        "[sso-session s]\nsso_region = eu-central-1\nsso_start_url = https://sign-in.invalid/start\n"
    )
    with pytest.raises(AwsError, match="aws sso login") as raised:
        assert Session("sso", "eu-central-1").account
    assert raised.value.code == "expired"


def test_a_broken_configuration_is_named(no_aws: Path) -> None:
    no_aws.write_text("[default\nregion")
    with pytest.raises(AwsError, match="cannot be read") as raised:
        assert Session().region
    assert str(no_aws) in raised.value.message


def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    url = closed_port()
    with pytest.raises(AwsError, match=f"{url}/ cannot be reached") as raised:
        assert Session(region="eu-central-1", endpoint_url=url, attempts=1).account
    assert (raised.value.code, raised.value.exit_code) == ("unreachable", 3)


@pytest.mark.parametrize("url", ["127.0.0.1:5000", "nowhere"])
def test_an_endpoint_that_is_no_url_is_told_how_to_write_it(url: str) -> None:
    with pytest.raises(AwsError, match=r"http://127\.0\.0\.1:5000") as raised:
        Session(region="eu-central-1", endpoint_url=url).client("sts")
    assert raised.value.code == "bad_endpoint"


def test_a_fault_of_ours_stays_what_it_is() -> None:
    with pytest.raises(KeyError), aws_errors():
        raise KeyError("ours")
    with pytest.raises(Exception, match="Parameter validation failed"), aws_errors():
        Session(region="eu-central-1").client("sqs").get_queue_attributes(QueueUrl=3)


class Local:
    """This machine's clock, `fast` seconds ahead of the right one."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, fast: float) -> None:
        self.fast = fast

    def time(self) -> float:
        return time.time() + self.fast


@pytest.mark.parametrize("fast", [-300.0, 0.5, 300.0])
def test_the_time_is_aws_s_where_this_machine_s_clock_is_wrong(
    fast: float, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgpipe.remote.session.time", Local(fast))
    session = Session()
    assert abs(session.now() - time.time() - fast) < 0.1
    session.client("sts").get_caller_identity()
    assert abs(session.now() - time.time()) < 5


@pytest.mark.parametrize("fast", [-300.0, 0.0, 300.0])
def test_a_clock_that_is_put_right_between_two_answers_moves_no_time(
    fast: float, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Local(fast)
    monkeypatch.setattr("imgpipe.remote.session.time", clock)
    session = Session()
    session.client("sts").get_caller_identity()
    clock.fast = 300 - fast
    assert abs(session.now() - time.time()) < 5


def test_credentials_of_files_may_be_renewed_and_those_of_the_environment_not(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_aws.write_text("[profile other]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert Session("other", "eu-west-1").is_renewable
    assert not Session(None, "eu-west-1").is_renewable
