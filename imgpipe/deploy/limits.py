"""What a plan runs into that neither the template nor a change set tells: a region's, an account's and a key's limits.

What is only unwise is told as a Caution before the question; what cannot work is refused.
"""

from typing import Final

from msgspec.structs import replace

from imgpipe.deploy.events import Caution
from imgpipe.deploy.plan import Plan, Wish
from imgpipe.errors import ImgpipeError, UsageError
from imgpipe.remote.session import Session, aws_errors

WITHOUT_NAMESPACES: Final = frozenset({"me-central-1", "me-south-1"})
"""Regions whose S3 has no account-regional namespaces for buckets ("Namespaces for general purpose buckets")."""


def check_region(region: str) -> None:
    """Raise UsageError where the region cannot hold the stack's buckets."""
    if region in WITHOUT_NAMESPACES:
        raise UsageError(
            f"S3 in {region} has no bucket names of an account's own, which the buckets need.",
            "Choose another region with --region.",
        )


def unreserved_concurrency(session: Session) -> int:
    """How many calls Lambda runs at once for all functions of the account and region that reserve none for themselves.
    Raises AwsError and StackError, the latter where the endpoint has no such call."""
    with aws_errors():
        limits = session.client("lambda").get_account_settings()["AccountLimit"]
    return int(limits["UnreservedConcurrentExecutions"])


def fit(session: Session, planned: Plan, wish: Wish) -> tuple[Plan, tuple[Caution, ...]]:
    """The plan as the account can carry it, and what is to be known of it.

    Raises UsageError where the person chose a MaxConcurrency that the account does not have.
    """
    planned, concurrency = _fit_concurrency(session, planned, wish)
    return planned, tuple(caution for caution in (concurrency, _other_key(planned)) if caution)


def _fit_concurrency(session: Session, planned: Plan, wish: Wish) -> tuple[Plan, Caution | None]:
    try:
        free = unreserved_concurrency(session)
    except ImgpipeError:
        return planned, None
    name = "MaxConcurrency"
    wanted = int(planned.parameters[name])
    if wanted <= free:
        return planned, None
    told = f"{name} is {wanted}, but Lambda runs only {free} calls at once in this account and region."
    if name in wish.values:
        raise UsageError(told, f"Give at most {free} with --max-concurrency, or have the quota raised.")
    if planned.deployed and name not in planned.changed:
        return planned, Caution(told, f"Lower it with --max-concurrency {free}, or have the quota raised.")
    fitting = fitting_concurrency(free)
    lowered = replace(planned, parameters={**planned.parameters, name: str(fitting)})
    return lowered, Caution(
        f"{told[:-1]}: it is lowered to {fitting}.",
        "For more have the quota raised, then deploy with --max-concurrency.",
    )


def fitting_concurrency(free: int) -> int:
    """What the processor may take of `free` calls at once: a fifth is left to the API. The template allows no fewer
    than 2."""
    return max(2, free * 4 // 5)


def _other_key(planned: Plan) -> Caution | None:
    before, _ = planned.changed.get("KmsKeyArn", (None, ""))
    if not before or planned.new:
        return None
    return Caution(
        f"KmsKeyArn is no longer {before}: the functions cannot read the objects that were stored under that key.",
        "Let the functions' roles decrypt with it in the key's own policy, or leave KmsKeyArn as it was.",
    )
