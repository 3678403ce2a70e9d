"""An account to deploy into: a server by moto for what it can, botocore's Stubber for the rest; and a small bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import boto3
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.deploy import template
from imgpipe.deploy.bundle import Bundle, Part
from imgpipe.deploy.plan import Plan, Wish
from imgpipe.remote.session import Session
from imgpipe.remote.stack import Stack

ACCOUNT = "123456789012"
REGION = "eu-central-1"
BUCKET = f"imgpipe-artifacts-{ACCOUNT}-{REGION}-an"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/imgpipe/1b2c"
CHANGE_SET_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/imgpipe-1/2c3d"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of an empty account."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def small_bundle(recipe: Recipe, architecture: str, python: str) -> Bundle:
    """Stands for `bundle.build`, which asks a package index: what differs in one, differs in the other."""
    content = f"{recipe.hash} {architecture} {python}".encode()
    return Bundle(cast("Any", architecture), python, recipe.hash, (Part("all", {"all.txt": content}),))


def wish(**values: str) -> Wish:
    """The built-in recipe in a stack named imgpipe."""
    return Wish(stack="imgpipe", recipe=recipe_file.load(None), template=template.load(), values=values)


class Recorded(Session):
    """A session that writes down every call that it makes."""

    def __init__(self, url: str) -> None:
        super().__init__(None, REGION, url)
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
        return [call for call in self.calls if not call.startswith(("Describe", "Get", "Head", "List"))]


class Stubbed:
    """A session whose one service answers what it is told to, in that order; a context, which checks that all was
    asked for."""

    account = ACCOUNT
    partition = "aws"
    endpoint = "https://cloudformation.eu-central-1.amazonaws.com"

    def __init__(self, service: str = "cloudformation", region: str = REGION) -> None:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self.region = region
        self._service = service
        self._client = boto3.client(service, region_name=region, **keys)
        self.stubber = Stubber(self._client)

    def command(self, name: str, stack: str, *flags: str) -> str:
        return " ".join(("imgpipe", name, "--stack", stack, *flags))

    def client(self, service: str) -> Any:
        assert service == self._service
        return self._client

    def __enter__(self) -> Session:
        self.stubber.activate()
        return cast("Session", self)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self.stubber.deactivate()
        if failed is None:
            self.stubber.assert_no_pending_responses()

    def answer(self, call: str, answer: dict[str, Any] | None = None, **asked: Any) -> None:
        self.stubber.add_response(call, answer or {}, asked or None)

    def refuse(self, call: str, code: str, message: str = "") -> None:
        self.stubber.add_client_error(call, code, message)

    def stack(self, status: str, **more: Any) -> None:
        """The next description of the stack."""
        described = {
            "StackId": STACK_ID,
            "StackName": "imgpipe",
            "StackStatus": status,
            "CreationTime": NOW,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": "x"} for key in ("BundleKey", "DeploymentHash", "RecipeHash")
            ],
        }
        self.answer("describe_stacks", {"Stacks": [described | more]})

    def no_stack(self) -> None:
        self.refuse("describe_stacks", "ValidationError", "Stack with id imgpipe does not exist")

    def events(self, *told: tuple[str, str] | tuple[str, str, str], next_token: str | None = None) -> None:
        """The next page of events, as (resource, status, reason), oldest first; `imgpipe` is the stack itself."""
        page = [event(number, *each) for number, each in enumerate(told)][::-1]
        self.answer("describe_stack_events", {"StackEvents": page} | ({"NextToken": next_token} if next_token else {}))


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "StackName": "imgpipe",
        "EventId": f"{resource}-{status}-{number}",
        "LogicalResourceId": resource,
        "PhysicalResourceId": STACK_ID if resource == "imgpipe" else f"{resource}-1",
        "ResourceType": "AWS::CloudFormation::Stack" if resource == "imgpipe" else "AWS::S3::Bucket",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": NOW + timedelta(seconds=number),
    }


def stack(status: str = "CREATE_COMPLETE", **parameters: str) -> Stack:
    """A stack that is there."""
    return Stack(
        id=STACK_ID,
        name="imgpipe",
        status=status,
        reason="",
        outputs={"Version": "0.1.0"},
        parameters=parameters,
        tags={},
        created=NOW,
        updated=NOW,
        protected=False,
    )


def plan(deployed: Stack | None = None) -> Plan:
    return Plan(
        stack="imgpipe",
        deployed=deployed,
        template=template.load(),
        bundle=small_bundle(recipe_file.load(None), "x86_64", "3.13"),
        parameters={"DeploymentHash": "0" * 32, "RecipeHash": "1" * 16},
        tags={"team": "pictures"},
    )
