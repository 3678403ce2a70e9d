"""Which stacks are imgpipe's, and what is said of those that are not there."""

import json

import pytest
from stack_account import Account

from imgpipe.errors import NoStackError, StackError, UsageError
from imgpipe.remote.stack import find, find_ours

OTHER = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


def test_a_deployed_stack_is_found_with_all_that_it_tells(account: Account) -> None:
    outputs = account.make_stack(RecipeHash="0123456789abcdef")
    stack = find_ours(account.session, "imgpipe")
    assert stack.outputs == outputs
    assert stack.version == outputs["Version"]
    assert (stack.name, stack.status, stack.protected) == ("imgpipe", "CREATE_COMPLETE", False)
    assert stack.parameters["RecipeHash"] == "0123456789abcdef"
    assert account.session.changing == []


def test_a_stack_without_outputs_is_known_by_its_parameters(account: Account) -> None:
    account.make_small_stack()
    stack = find_ours(account.session, "imgpipe")
    assert stack.version is None
    with pytest.raises(StackError, match="no output QueueUrl"):
        stack.output("QueueUrl")


def test_another_s_stack_is_left_alone(account: Account) -> None:
    account.client("cloudformation").create_stack(StackName="imgpipe", TemplateBody=json.dumps(OTHER))
    with pytest.raises(UsageError, match="another template"):
        find_ours(account.session, "imgpipe")


def test_a_stack_that_is_gone_is_found_by_its_id_alone(account: Account) -> None:
    client = account.client("cloudformation")
    stack_id = client.create_stack(StackName="imgpipe", TemplateBody=json.dumps(OTHER))["StackId"]
    client.delete_stack(StackName="imgpipe")
    assert find(account.session, stack_id).status == "DELETE_COMPLETE"
    with pytest.raises(NoStackError):
        find(account.session, "imgpipe")
