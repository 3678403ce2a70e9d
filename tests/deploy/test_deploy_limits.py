"""What an account, a region or a key does not allow: refused, lowered or told before the question."""

from typing import Any

import pytest
from deploy_account import Stubbed, plan, stack, wish
from msgspec.structs import replace

from imgpipe.deploy import limits
from imgpipe.deploy.plan import Plan
from imgpipe.errors import UsageError

KEY = "arn:aws:kms:eu-central-1:123456789012:key/"


def planned(deployed: dict[str, str] | None = None, **parameters: str) -> Plan:
    before = stack(**deployed) if deployed is not None else None
    return replace(plan(before), parameters={"MaxConcurrency": "50", "KmsKeyArn": ""} | parameters)


def free(calls: int | None) -> Stubbed:
    """An account in which so many calls may run at once, or that does not tell."""
    aws = Stubbed("lambda")
    if calls is None:
        aws.refuse("get_account_settings", "AccessDeniedException")
    else:
        limit: dict[str, Any] = {"UnreservedConcurrentExecutions": calls}
        aws.answer("get_account_settings", {"AccountLimit": limit})
    return aws


def test_a_default_that_the_account_does_not_have_is_lowered_and_told_with_its_numbers() -> None:
    with free(10) as session:
        fitted, (caution,) = limits.fit(session, planned(), wish())
    assert fitted.parameters["MaxConcurrency"] == "8"
    assert "MaxConcurrency is 50" in caution.message
    assert "only 10 calls" in caution.message
    assert "lowered to 8" in caution.message


def test_a_choice_that_the_account_does_not_have_is_refused() -> None:
    with free(10) as session, pytest.raises(UsageError, match=r"is 50, .*only 10 calls.* at most 10"):
        limits.fit(session, planned(), wish(MaxConcurrency="50"))


def test_what_is_deployed_stays_and_is_told() -> None:
    with free(10) as session:
        fitted, (caution,) = limits.fit(session, planned({"MaxConcurrency": "50"}), wish())
    assert fitted.parameters["MaxConcurrency"] == "50"
    assert "--max-concurrency 10" in caution.remedy


@pytest.mark.parametrize("calls", [50, 1000, None])
def test_what_fits_or_cannot_be_known_goes_on_without_a_word(calls: int | None) -> None:
    with free(calls) as session:
        assert limits.fit(session, planned(), wish(MaxConcurrency="50")) == (planned(), ())


@pytest.mark.parametrize(
    ("before", "now", "told"), [("a", "b", True), ("a", "", True), ("", "a", False), ("a", "a", False)]
)
def test_a_key_that_objects_were_stored_under_is_missed(before: str, now: str, told: bool) -> None:
    before, now = (f"{KEY}{name}" if name else "" for name in (before, now))
    with free(1000) as session:
        _, cautions = limits.fit(session, planned({"MaxConcurrency": "50", "KmsKeyArn": before}, KmsKeyArn=now), wish())
    assert [before in caution.message for caution in cautions] == [True] * told


def test_the_least_that_the_template_allows_is_not_gone_below() -> None:
    least = wish().template.parameters["MaxConcurrency"].low
    assert limits.fitting_concurrency(1) == least
