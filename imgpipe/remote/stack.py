"""One deployed stack as CloudFormation describes it.

A stack is imgpipe's if it was made from imgpipe's template, also where it failed before it had outputs.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from imgpipe.errors import NoStackError, StackError, UsageError
from imgpipe.remote.session import Session, aws_errors

OF_EVERY_STACK: Final = frozenset({"BundleKey", "DeploymentHash", "RecipeHash"})
"""Parameters that every version of the template has; a stack that failed has parameters, but no outputs."""

CHANGE_SETS: Final = "imgpipe-"
"""How the name of every change set of imgpipe's begins."""


@dataclass(frozen=True)
class Stack:
    """What is known of a stack without looking into it. `id` is its ARN; `reason` is empty where all is well."""

    id: str
    name: str
    status: str
    reason: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    tags: dict[str, str]
    created: datetime
    updated: datetime
    protected: bool

    @property
    def version(self) -> str | None:
        """The imgpipe that deployed it, where its outputs tell."""
        return self.outputs.get("Version")

    @property
    def is_ours(self) -> bool:
        return "Version" in self.outputs or self.parameters.keys() >= OF_EVERY_STACK

    def output(self, name: str) -> str:
        """One output. Raises StackError where the stack has none of that name, as one has that is not made yet."""
        if name not in self.outputs:
            raise StackError(
                f"The stack {self.name} ({self.status}) has no output {name}.",
                "Wait until it is made, or deploy it again.",
            )
        return self.outputs[name]


def find(session: Session, name: str) -> Stack:
    """The stack `name`, or the one whose id that is, also where it is gone already. Raises NoStackError where there
    is none, and AwsError."""
    try:
        with aws_errors():
            return _stack(session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0])
    except NoStackError:
        raise NoStackError(name, session.command("deploy", name)) from None


def find_ours(session: Session, name: str, *, leftovers: bool = False) -> Stack:
    """The stack `name`, with `leftovers` also what a deployment left that was killed before it was agreed to. Raises
    NoStackError where there is none, UsageError where it is not imgpipe's."""
    stack = find(session, name)
    if not stack.is_ours and not (leftovers and _is_leftover(session, stack)):
        raise UsageError(
            f"The stack {name} is not one of imgpipe's: it was made from another template.",
            "Name the right one with --stack.",
        )
    return stack


def _is_leftover(session: Session, stack: Stack) -> bool:
    """Whether the stack holds nothing, and nobody else has it under review."""
    if stack.status != "REVIEW_IN_PROGRESS":
        return False
    with aws_errors():
        pages = session.client("cloudformation").get_paginator("list_change_sets").paginate(StackName=stack.id)
        return all(told["ChangeSetName"].startswith(CHANGE_SETS) for page in pages for told in page["Summaries"])


def _stack(answer: dict[str, Any]) -> Stack:
    return Stack(
        id=answer["StackId"],
        name=answer["StackName"],
        status=answer["StackStatus"],
        reason=answer.get("StackStatusReason", ""),
        outputs={output["OutputKey"]: output["OutputValue"] for output in answer.get("Outputs", ())},
        parameters={
            parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in answer.get("Parameters", ())
        },
        tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())},
        created=answer["CreationTime"],
        updated=answer.get("LastUpdatedTime", answer["CreationTime"]),
        protected=bool(answer.get("EnableTerminationProtection")),
    )
