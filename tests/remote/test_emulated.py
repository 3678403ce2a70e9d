"""The session of --local."""

from pathlib import Path

import pytest

from imgpipe.errors import AwsError
from imgpipe.remote.emulated import EmulatedSession


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "production"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "real"),
        ("AWS_SESSION_TOKEN", "real"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_CA_BUNDLE", "/nowhere"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("http_proxy", "http://127.0.0.1:1"),
    ],
)
def test_nothing_of_the_environment_leads_elsewhere(
    no_aws: Path, aws_server: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    session = EmulatedSession(int(aws_server.rpartition(":")[2]))
    assert session.client("s3").list_buckets()["Buckets"] is not None
    assert session.account == "123456789012"
    assert session.endpoint == aws_server
    assert session.region == "us-east-1"


def test_where_no_emulator_is_one_is_named(no_aws: Path) -> None:
    with pytest.raises(AwsError, match="Start the emulator there with: imgpipe emulate"):
        assert EmulatedSession(1).account


def test_a_command_to_type_stays_local(no_aws: Path) -> None:
    assert EmulatedSession().command("status", "shop") == "imgpipe status --stack shop --local"


def test_the_emulator_s_stack_is_made_by_starting_it(no_aws: Path) -> None:
    assert EmulatedSession().command("deploy", "shop") == "imgpipe emulate --stack shop"
