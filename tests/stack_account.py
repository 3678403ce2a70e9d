"""An account at moto's server with a stack of the real template in it, and sessions whose calls are counted."""

import io
import json
import os
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from imgpipe.deploy import template
from imgpipe.remote.session import Session

REGION: Final = "eu-central-1"
NUMBER: Final = "123456789012"
SOURCE: Final = f"imgpipe-source-{NUMBER}-{REGION}-an"
DESTINATION: Final = f"imgpipe-dest-{NUMBER}-{REGION}-an"
CATALOG: Final = "imgpipe-catalog"


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Take every AWS setting of this machine away; returns the configuration file that is read instead."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    config = folder / "aws" / "config"
    config.parent.mkdir()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "aws" / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return config


class Recorded(Session):
    """A session that writes down every call that it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def client(self, service: str) -> Any:
        known = service in self._clients
        client = super().client(service)
        if not known:
            client.meta.events.register("before-call", lambda model, **_: self.calls.append(model.name))
        return client

    @property
    def changing(self) -> list[str]:
        """The calls that are more than a look."""
        looks = ("Describe", "Filter", "Get", "Head", "List", "Query")
        return [call for call in self.calls if not call.startswith(looks)]


class Account:
    """What the tests put into the account, and look up in it."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        urllib.request.urlopen(f"{url}/moto-api/reset", data=b"").close()  # noqa: S310 - an http URL of our own
        self.url = url
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            monkeypatch.setenv(name, value)
        self.session = Recorded()
        self.client = Session().client
        """A client whose calls are not written down."""

    def make_stack(self, **parameters: str) -> dict[str, str]:
        """Make the stack of the real template; returns its outputs."""
        bundle = io.BytesIO()
        with zipfile.ZipFile(bundle, "w") as archive:
            archive.writestr("imgpipe.toml", "")
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="bundles", Key="0.zip", Body=bundle.getvalue())
        given = {"BundleBucket": "bundles", "BundleKey": "0.zip", "RecipeHash": "0" * 16} | parameters
        self.client("cloudformation").create_stack(
            StackName="imgpipe",
            TemplateBody=template.load().text,
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = self.client("cloudformation").describe_stacks(StackName="imgpipe")["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def make_small_stack(self) -> None:
        """Make a stack that is imgpipe's by its parameters, without outputs, data or protection: moto's stacks take
        buckets and tables with them when they go."""
        names = ("BundleKey", "DeploymentHash", "RecipeHash")
        document = {
            "Parameters": {name: {"Type": "String"} for name in names},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        }
        self.client("cloudformation").create_stack(
            StackName="imgpipe",
            TemplateBody=json.dumps(document),
            Parameters=[{"ParameterKey": name, "ParameterValue": "x"} for name in names],
        )

    def make_bucket(self, name: str, *, versioned: bool = False) -> None:
        """Make a bucket as an earlier stack leaves it."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def buckets(self) -> set[str]:
        """The buckets that hold images."""
        return {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]} - {"bundles"}
