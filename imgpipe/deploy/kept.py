"""Buckets and a table that outlived an earlier stack of the same name, and stand in the way of a new one.

The template keeps data when its stack is deleted, and its names are fixed. CloudFormation would find out only half-way,
and a change set does not tell.
"""

from imgpipe.errors import AwsError, StackError
from imgpipe.remote.holdings import holdings
from imgpipe.remote.session import Session


def refuse(session: Session, stack: str) -> None:
    """Raise StackError with the ways out, where anything of an earlier stack is in the way of making `stack`.

    Where it may not be looked for, CloudFormation has to find out.
    """
    try:
        found = holdings(session, stack, {})
    except AwsError as error:
        if error.code != "denied":
            raise
        return
    if found:
        names = ", ".join(holding.name for holding in found)
        raise StackError(
            f"An earlier stack {stack} left behind what this one would make: {names}.",
            "Deploy beside it under another name with --stack, or have it deleted with all that it holds: "
            f"imgpipe destroy --stack {stack} --delete-data",
        )
