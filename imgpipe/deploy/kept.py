"""Buckets and a table that stand in the way of a new stack: of an earlier one of that name, or of somebody else.

The template keeps data when its stack is deleted, and its names are fixed. CloudFormation would find out only half-way,
and a change set does not tell.
"""

from imgpipe.errors import AwsError, StackError
from imgpipe.remote.holdings import holdings, strangers, to_delete
from imgpipe.remote.session import Session


def refuse(session: Session, stack: str) -> None:
    """Raise StackError with the ways out, where anything is in the way of making `stack`.

    Where it may not be looked for, CloudFormation has to find out.
    """
    try:
        taken, found = strangers(session, stack), holdings(session, stack, {})
    except AwsError as error:
        if error.code != "denied":
            raise
        return
    if taken:
        raise StackError(
            f"Something of somebody else's has a name that the stack {stack} would give: {', '.join(taken)}.",
            "Deploy under another name with --stack.",
        )
    if found:
        names = ", ".join(holding.name for holding in found)
        raise StackError(
            f"An earlier stack {stack} left behind what this one would make: {names}.",
            "Deploy beside it under another name with --stack, or have it deleted with all that it holds: "
            + session.command("destroy", stack, *to_delete(found)),
        )
