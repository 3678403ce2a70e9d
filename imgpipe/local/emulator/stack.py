"""The stack that the emulator plays, made from the template that `deploy` sends, type by type as `REALISED` says.

moto's CloudFormation keeps what moto can keep, and answers for the stack. What it lacks is done by the emulator's own
parts, which take every value (timeouts, batch sizes, routes, notifications) from the template's resolved properties.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.sqs.models import Queue

from imgpipe.deploy import template
from imgpipe.errors import UsageError
from imgpipe.local.emulator.function import ACCOUNT
from imgpipe.remote.emulated import REGION
from imgpipe.remote.session import Session


@dataclass(frozen=True)
class Realised:
    """Which parts play a type of resource, and what of it nobody does."""

    by: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


REALISED: Final[Mapping[str, Realised]] = {
    "AWS::ApiGatewayV2::Api": Realised(("gateway",)),
    "AWS::ApiGatewayV2::Authorizer": Realised(lacks=("JWTs",)),
    "AWS::ApiGatewayV2::Integration": Realised(("gateway",)),
    "AWS::ApiGatewayV2::Route": Realised(("gateway",)),
    "AWS::ApiGatewayV2::Stage": Realised(("gateway",), ("throttling", "access logs")),
    "AWS::CloudWatch::Alarm": Realised(lacks=("alarms", "metrics")),
    "AWS::DynamoDB::Table": Realised(("moto",), ("expiry", "backups")),
    "AWS::IAM::ManagedPolicy": Realised(("moto",), ("IAM",)),
    "AWS::IAM::Role": Realised(("moto",), ("IAM",)),
    "AWS::Lambda::EventSourceMapping": Realised(("mapping",)),
    "AWS::Lambda::Function": Realised(("moto", "function")),
    "AWS::Lambda::Permission": Realised(lacks=("IAM",)),
    "AWS::Logs::LogGroup": Realised(("moto",), ("expiry",)),
    "AWS::S3::Bucket": Realised(("moto", "front"), ("expiry", "encryption")),
    "AWS::S3::BucketPolicy": Realised(lacks=("IAM",)),
    "AWS::SNS::Subscription": Realised(lacks=("alarms",)),
    "AWS::SNS::Topic": Realised(lacks=("alarms",)),
    "AWS::SNS::TopicPolicy": Realised(lacks=("alarms",)),
    "AWS::SQS::Queue": Realised(("moto",), ("encryption", "expiry")),
    "AWS::SQS::QueuePolicy": Realised(lacks=("IAM",)),
}
"""Type of resource -> how it is played here. The emulator refuses a template with any other."""

ONLY: Final[Mapping[str, Mapping[str, object]]] = {
    "AWS::ApiGatewayV2::Integration": {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"},
    "AWS::ApiGatewayV2::Route": {"AuthorizationType": "AWS_IAM"},
    "AWS::Lambda::EventSourceMapping": {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
}
"""Type of resource -> properties that are played with this value alone. The emulator refuses any other."""

NOT_EMULATED: Final = tuple(dict.fromkeys(word for realised in REALISED.values() for word in realised.lacks))
"""What of AWS nobody plays here, in words."""


class EmulatedStack:
    """The stack `name` at the moto of this process. `parameters` are the template's; all that are not given have their
    defaults."""

    def __init__(self, name: str, endpoint: str, api: str, timeout: int | None) -> None:
        """`endpoint` and `api` are URLs; `timeout` is the processor's, in seconds, or None for the template's own."""
        self._name = name
        self._endpoint = endpoint
        self._given = {} if timeout is None else {"ProcessorTimeout": str(timeout)}
        self._document = _document(endpoint, api, timeout)

    def create(self, session: Session, parameters: Mapping[str, str]) -> None:
        """Make everything that moto keeps. Raises UsageError where `parameters` ask for what nobody plays."""
        self._send(session.client("cloudformation").create_stack, parameters)
        for type_, properties in ONLY.items():
            for name, value in properties.items():
                for declared in self.properties(type_).values():
                    if declared[name] != value:
                        raise UsageError(
                            f"The emulator plays no {name} {declared[name]} of {type_}.",
                            f"Leave it {value}: do not give the parameter that changes it.",
                        )

    def update(self, session: Session, parameters: Mapping[str, str]) -> None:
        """Change the parameters."""
        self._send(session.client("cloudformation").update_stack, parameters)

    def _send(self, call: Any, parameters: Mapping[str, str]) -> None:
        given = dict(parameters) | self._given
        call(
            StackName=self._name,
            TemplateBody=json.dumps(self._document),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )

    def properties(self, type_: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of one type, by logical name, as they are resolved in the made stack."""
        from moto.cloudformation.parsing import clean_json

        names: Any = _Names(self._made(), self._endpoint)
        return {
            name: clean_json(resource["Properties"], names)
            for name, resource in template.load().resources.items()
            if resource["Type"] == type_ and names.lazy_condition_map.get(resource.get("Condition"), True)
        }

    def only(self, type_: str) -> dict[str, Any]:
        """The properties of the one resource of its type."""
        (properties,) = self.properties(type_).values()
        return properties

    def _made(self) -> Any:
        from moto.cloudformation.models import cloudformation_backends

        return cloudformation_backends[ACCOUNT][REGION].get_stack(self._name).resource_map


class _Names:
    """What names stand for in the template: what moto made, and for what it did not make the name itself."""

    def __init__(self, made: Any, endpoint: str) -> None:
        self._made = made
        self._endpoint = endpoint
        self.lazy_condition_map = made.lazy_condition_map

    def __getitem__(self, name: str) -> Any:
        try:
            made = self._made[name]
        except KeyError:
            return name
        return _Queue(made, self._endpoint) if isinstance(made, Queue) else made

    get = __getitem__


class _Queue:
    """A queue of moto's whose URL leads to this machine, and not to AWS."""

    def __init__(self, made: Queue, endpoint: str) -> None:
        self.physical_resource_id = f"{endpoint}/{ACCOUNT}/{made.name}"
        self.get_cfn_attribute = made.get_cfn_attribute


def _document(endpoint: str, api: str, timeout: int | None) -> dict[str, Any]:
    """The template as moto is given it: what moto plays, with outputs that name places of this machine."""
    document = template.read_yaml(template.load().text)
    resources = document["Resources"]
    if unknown := {resource["Type"] for resource in resources.values()} - REALISED.keys():
        raise UsageError(f"The emulator plays no {', '.join(sorted(unknown))}.", "Use the template of this version.")
    queues = {name for name, resource in resources.items() if resource["Type"] == "AWS::SQS::Queue"}
    document["Resources"] = {
        name: resource for name, resource in resources.items() if "moto" in REALISED[resource["Type"]].by
    }
    outputs = document["Outputs"]
    outputs["ApiEndpoint"]["Value"] = api
    for output in outputs.values():
        match output["Value"]:
            case {"Ref": name} if name in queues:
                # moto would name AWS's host, and some clients go where the URL leads.
                output["Value"] = {"Fn::Sub": f"{endpoint}/${{AWS::AccountId}}/${{{name}.QueueName}}"}
    if timeout is not None:
        # The eight minutes that S3's late listings ask for would make every retry a long wait.
        document["Mappings"]["Timeout"][str(timeout)] = {"Visibility": 6 * timeout, "Late": 12 * timeout}
    return document
