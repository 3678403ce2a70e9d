"""What a command line gives the template, and what stays as it was."""

import pytest

from imgpipe.deploy import template
from imgpipe.deploy.parameters import OWN, given, resolve, tags
from imgpipe.deploy.template import read_yaml
from imgpipe.errors import UsageError

TEMPLATE = template.load()
JWT = {"ApiAuth": "jwt", "JwtIssuer": "https://id.example.com", "JwtAudience": "app"}


def refused(**values: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        given(TEMPLATE, {}, [f"{name}={value}" for name, value in values.items()])
    return caught.value


def test_a_flag_and_a_pair_say_the_same() -> None:
    by_flag = given(TEMPLATE, {"--memory": ("ProcessorMemory", 3008), "--arch": ("Architecture", None)}, [])
    assert by_flag == given(TEMPLATE, {}, ["ProcessorMemory=3008"]) == {"ProcessorMemory": "3008"}


def test_a_value_may_hold_signs_of_equality_and_be_empty() -> None:
    assert given(TEMPLATE, {}, ["AlarmEmail=a=b@example.com", "JwtScope="]) == {
        "AlarmEmail": "a=b@example.com",
        "JwtScope": "",
    }


@pytest.mark.parametrize("typed", ["procesormemory", "ProcesorMemory", "processormemory"])
def test_a_mistyped_parameter_is_told_the_nearest(typed: str) -> None:
    error = refused(**{typed: "3008"})
    assert typed in error.message
    assert error.remedy == "Did you mean ProcessorMemory?"


def test_a_parameter_like_no_other_is_told_them_all() -> None:
    remedy = refused(zzz="1").remedy
    assert all(name in remedy for name in TEMPLATE.parameters.keys() - OWN)
    assert not any(name in remedy for name in OWN)


@pytest.mark.parametrize("name", sorted(OWN))
def test_what_the_deployment_fills_in_is_refused(name: str) -> None:
    assert "filled in" in refused(**{name: "x"}).message


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ProcessorMemory", "12", "from 512 to 10240"),
        ("ProcessorMemory", "much", "from 512 to 10240"),
        ("ProcessorMemory", "nan", "from 512 to 10240"),
        ("ProcessorMemory", "1000.5", "a whole number"),
        ("Architecture", "sparc", "x86_64, arm64"),
        ("AlarmEmail", "ada", "e-mail"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_what_is(name: str, value: str, told: str) -> None:
    error = refused(**{name: value})
    assert repr(value) in error.message
    assert told in error.remedy


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(UsageError, match="--memory and --param"):
        given(TEMPLATE, {"--memory": ("ProcessorMemory", 3008)}, ["ProcessorMemory=3008"])


@pytest.mark.parametrize("pair", ["ProcessorMemory", "=3008", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="--param NAME=VALUE"):
        given(TEMPLATE, {}, [pair])
    with pytest.raises(UsageError, match="--tag NAME=VALUE"):
        tags([pair])


def test_a_tag_is_given_once() -> None:
    assert tags(["a=1", "b="]) == {"a": "1", "b": ""}
    with pytest.raises(UsageError, match="tag a"):
        tags(["a=1", "a=2"])


def test_what_was_deployed_stays_until_something_else_is_given() -> None:
    deployed = {"MaxConcurrency": "300", "ProcessorMemory": "3008", "GoneFromTheTemplate": "x"}
    resolved = resolve(TEMPLATE, {"ProcessorMemory": "1769"}, deployed)
    assert (resolved["ProcessorMemory"], resolved["MaxConcurrency"]) == ("1769", "300")
    assert resolved["LogRetentionDays"] == TEMPLATE.parameters["LogRetentionDays"].default
    assert resolved.keys() == TEMPLATE.parameters.keys() - OWN


def test_jwt_needs_its_issuer_and_audience() -> None:
    with pytest.raises(UsageError, match="--jwt-issuer and --jwt-audience"):
        resolve(TEMPLATE, {"ApiAuth": "jwt"}, {})
    assert resolve(TEMPLATE, JWT, {})["JwtIssuer"] == JWT["JwtIssuer"]


def test_going_back_to_iam_takes_along_what_jwt_needed() -> None:
    resolved = resolve(TEMPLATE, {"ApiAuth": "iam"}, JWT)
    assert (resolved["JwtIssuer"], resolved["JwtAudience"]) == ("", "")
    with pytest.raises(UsageError, match="--jwt-issuer counts only"):
        resolve(TEMPLATE, {"JwtIssuer": "https://id.example.com"}, {})


def test_the_template_s_hash_is_one_that_the_template_takes() -> None:
    assert TEMPLATE.parameters["DeploymentHash"].refusal(TEMPLATE.digest) is None
    assert template.parse(TEMPLATE.text + "#").digest != TEMPLATE.digest


def test_every_default_is_a_value_that_may_be_given() -> None:
    refusals = {p.name: p.refusal(p.default) for p in TEMPLATE.parameters.values() if p.default is not None}
    assert not any(refusals.values())


def test_tags_of_yaml_are_read_in_their_long_form() -> None:
    text = "A: !If [Use, !Ref X, !Sub '${X}']\nB: !GetAtt X.Arn\nV: 2012-10-17\nC: !Condition Use"
    assert read_yaml(text) == {
        "A": {"Fn::If": ["Use", {"Ref": "X"}, {"Fn::Sub": "${X}"}]},
        "B": {"Fn::GetAtt": ["X", "Arn"]},
        "V": "2012-10-17",
        "C": {"Condition": "Use"},
    }


@pytest.mark.parametrize("pair", ["aws:team=a", "AWS:team=a", f"{'n' * 129}=a", f"team={'v' * 257}"])
def test_a_tag_that_aws_does_not_take_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="AWS takes no tag"):
        tags([pair])


def test_the_longest_tag_is_taken() -> None:
    assert tags([f"{'n' * 128}={'v' * 256}"]) == {"n" * 128: "v" * 256}
