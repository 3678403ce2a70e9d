"""A change set: what CloudFormation would do, asked for before it is done.

One that is not executed leaves traces, for a stack that does not exist yet an empty one in REVIEW_IN_PROGRESS:
`withdraw` removes them.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from math import inf
from typing import Any, Final, Literal

from msgspec import Struct

from imgpipe.deploy.plan import Plan
from imgpipe.errors import StackError
from imgpipe.remote.stack import CHANGE_SETS

STATEFUL: Final = {
    "AWS::DynamoDB::Table": "records",
    "AWS::Logs::LogGroup": "logs",
    "AWS::S3::Bucket": "objects",
    "AWS::SQS::Queue": "messages",
}
"""Type of a resource that holds what nobody can make anew -> what it holds."""
NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation says that there is nothing to do (it has no code for it)."""
PENDING: Final = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS"})
POLL_SECONDS: Final = 1.0
LOOKS: Final = 60
"""So many looks are taken at a change set that is to be withdrawn: until it is worked out, AWS does not delete it."""
BEGUN: Final = frozenset({"EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE", "EXECUTE_FAILED"})


class Change(Struct, frozen=True, kw_only=True):
    """What would become of one resource. `action`, `replacement` and `policy` are CloudFormation's own words:
    Add, Modify, Remove …; True, False, Conditional; Delete, Retain, ReplaceAndRetain …"""

    action: str
    resource: str
    type: str
    replacement: str | None = None
    policy: str | None = None

    @property
    def fate(self) -> Literal["kept", "lost", "perhaps lost", "left behind"]:
        """What becomes of what the resource holds. Where CloudFormation names no policy, the worst is assumed;
        `left behind` is no longer the stack's, but still there."""
        replaced = self.replacement in {"True", "Conditional"}
        if self.type not in STATEFUL or not (self.action == "Remove" or replaced):
            return "kept"
        if self.policy and not self.policy.endswith("Delete"):
            return "left behind"
        return "perhaps lost" if self.replacement == "Conditional" else "lost"


class ChangeSet(Struct, frozen=True, kw_only=True):
    """A change set that is ready to be executed; `new` where its stack holds nothing yet."""

    id: str
    stack_id: str
    new: bool
    changes: tuple[Change, ...]


def propose(
    cloudformation: Any, plan: Plan, template: Mapping[str, str], sleep: Callable[[float], None]
) -> ChangeSet | None:
    """Make the change set of `plan` and wait until it is worked out; None where it has no changes.

    `template` is TemplateBody or TemplateURL. Raises StackError with CloudFormation's reason where it fails, after
    having removed it.
    """
    token = f"{CHANGE_SETS}{uuid.uuid4().hex}"
    wanted: dict[str, Any] = dict(
        StackName=plan.stack,
        ChangeSetName=token,
        ClientToken=token,
        ChangeSetType="CREATE" if plan.new else "UPDATE",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in plan.parameters.items()],
        Tags=[{"Key": key, "Value": value} for key, value in plan.tags.items()],
        Capabilities=["CAPABILITY_IAM"],
        **template,
    )
    try:
        made = cloudformation.create_change_set(**wanted)
    except KeyboardInterrupt:
        # Its answer is lost, but perhaps not what it did.
        with suppress(Exception):
            made = cloudformation.describe_change_set(ChangeSetName=token, StackName=plan.stack)
            lost = ChangeSet(id=made["ChangeSetId"], stack_id=made["StackId"], new=plan.new, changes=())
            abandon(cloudformation, lost, sleep)
        raise
    change_set = ChangeSet(id=made["Id"], stack_id=made["StackId"], new=plan.new, changes=())
    try:
        answer = _settle(cloudformation, change_set, sleep)
        if answer["Status"] == "CREATE_COMPLETE":
            changes = tuple(_changes(cloudformation, change_set, answer))
            return ChangeSet(id=change_set.id, stack_id=change_set.stack_id, new=plan.new, changes=changes)
    except BaseException:
        abandon(cloudformation, change_set, sleep)
        raise
    with suppress(Exception):
        withdraw(cloudformation, change_set)
    reason = answer.get("StatusReason", answer["Status"])
    if any(words in reason for words in NO_CHANGES):
        return None
    raise StackError(
        f"CloudFormation cannot work out the changes: {reason.rstrip('.')}.", "Mend that, then deploy again."
    )


def execute(cloudformation: Any, change_set: ChangeSet) -> None:
    """Have CloudFormation carry it out; what follows are the stack's events."""
    cloudformation.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=change_set.id.split("/")[-1])


def abandon(cloudformation: Any, change_set: ChangeSet, sleep: Callable[[float], None]) -> bool:
    """Withdraw it because of an error, which no error of the withdrawal's own may hide. False where CloudFormation is
    carrying it out already, as after an execution whose answer was lost."""
    with suppress(Exception):
        answer = _settle(cloudformation, change_set, sleep, LOOKS)
        if answer.get("ExecutionStatus") in BEGUN:
            return False
        withdraw(cloudformation, change_set)
    return True


def withdraw(cloudformation: Any, change_set: ChangeSet) -> None:
    """Remove what was not executed, and the stack too where it is new, empty and under nobody else's review."""
    cloudformation.delete_change_set(ChangeSetName=change_set.id)
    if not change_set.new:
        return
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=change_set.stack_id)
    others = [
        summary["ChangeSetId"]
        for page in pages
        for summary in page["Summaries"]
        if summary["StackId"] == change_set.stack_id and summary["ChangeSetId"] != change_set.id
    ]
    stacks = cloudformation.describe_stacks(StackName=change_set.stack_id)["Stacks"]
    if not others and [stack["StackStatus"] for stack in stacks] == ["REVIEW_IN_PROGRESS"]:
        cloudformation.delete_stack(StackName=change_set.stack_id)


def _settle(
    cloudformation: Any, change_set: ChangeSet, sleep: Callable[[float], None], looks: float = inf
) -> dict[str, Any]:
    """The first page of the change set, once it is worked out or has failed, or after so many `looks`."""
    while True:
        answer: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=change_set.id)
        looks -= 1
        if answer["Status"] not in PENDING or looks <= 0:
            return answer
        sleep(POLL_SECONDS)


def _changes(cloudformation: Any, change_set: ChangeSet, page: dict[str, Any]) -> Iterator[Change]:
    while True:
        for change in page.get("Changes", ()):
            told = change["ResourceChange"]
            yield Change(
                action=told["Action"],
                resource=told["LogicalResourceId"],
                type=told["ResourceType"],
                replacement=told.get("Replacement"),
                policy=told.get("PolicyAction"),
            )
        if not page.get("NextToken"):
            return
        page = cloudformation.describe_change_set(ChangeSetName=change_set.id, NextToken=page["NextToken"])
