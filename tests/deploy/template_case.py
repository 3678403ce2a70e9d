"""What the tests of the template share: the template as CloudFormation would see it with given parameters.

References to resources and pseudo parameters stay as they stand; all that parameters decide is decided.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from imgpipe.deploy.template import folder


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML is not typed
    """YAML with CloudFormation's tags in their long form: `!Ref A` as `{"Ref": "A"}`."""


def _long_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
    if tag == "GetAtt":
        value = value.split(".")
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)

TEXT: Final = (folder() / "template.yaml").read_text(encoding="utf-8")
TEMPLATE: Final[dict[str, Any]] = yaml.load(TEXT, _Loader)  # noqa: S506 - a safe loader's child

GIVEN: Final = {"BundleBucket": "bundles", "BundleKey": "bundle/0.zip"}
JWT: Final = {"ApiAuth": "jwt", "JwtIssuer": "https://login.example", "JwtAudience": "web,mobile"}
KEY: Final = {"KmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"}

_NO_VALUE: Final = object()


def resources(**parameters: str) -> dict[str, Any]:
    """The resources that are made, by logical name, with every condition decided."""
    values = _values(parameters)
    return {
        name: _decided(resource, values)
        for name, resource in TEMPLATE["Resources"].items()
        if "Condition" not in resource or _decided({"Condition": resource["Condition"]}, values)
    }


def of_type(type_: str, **parameters: str) -> dict[str, Any]:
    """The properties of the resources of one type, by logical name. It is an error if there are none."""
    found = {
        name: resource["Properties"] for name, resource in resources(**parameters).items() if resource["Type"] == type_
    }
    assert found, type_
    return found


def refusals(**parameters: str) -> list[str]:
    """What the template's rules say against these parameters."""
    values = _values(parameters)
    return [
        assertion["AssertDescription"]
        for rule in TEMPLATE["Rules"].values()
        if _decided(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not _decided(assertion["Assert"], values)
    ]


def references(value: object) -> Iterator[str]:
    """Every name that `value` refers to."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(pattern)}:
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", pattern))
        case dict():
            for part in value.values():
                yield from references(part)
        case list():
            for part in value:
                yield from references(part)


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy or a role's properties, with actions and resources as lists."""
    documents = [resource["PolicyDocument"]] if "PolicyDocument" in resource else []
    documents += [policy["PolicyDocument"] for policy in resource.get("Policies", ())]
    return [
        statement | {part: _listed(statement[part]) for part in ("Action", "Resource")}
        for document in documents
        for statement in document["Statement"]
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _values(parameters: dict[str, str]) -> dict[str, Any]:
    declared = TEMPLATE["Parameters"]
    assert parameters.keys() <= declared.keys()
    values = {name: str(table["Default"]) for name, table in declared.items() if "Default" in table}
    values |= GIVEN | parameters
    return {
        name: value.split(",") if declared[name]["Type"] == "CommaDelimitedList" else value
        for name, value in values.items()
    }


def _decided(value: Any, values: dict[str, Any]) -> Any:
    def decided(part: Any) -> Any:
        return _decided(part, values)

    match value:
        case {"Ref": "AWS::NoValue"}:
            return _NO_VALUE
        case {"Ref": name} if name in values:
            return values[name]
        case {"Condition": str(name)} if len(value) == 1:
            return decided(TEMPLATE["Conditions"][name])
        case {"Fn::If": [name, yes, no]}:
            return decided(yes if decided({"Condition": name}) else no)
        case {"Fn::Equals": [one, other]}:
            return str(decided(one)) == str(decided(other))
        case {"Fn::Not": [condition]}:
            return not decided(condition)
        case {"Fn::And": conditions}:
            return all(map(decided, conditions))
        case {"Fn::Join": [sign, parts]}:
            return sign.join(decided(parts))
        case {"Fn::Split": [sign, text]}:
            return decided(text).split(sign)
        case {"Fn::FindInMap": [mapping, key, entry]}:
            return TEMPLATE["Mappings"][mapping][decided(key)][entry]
        case dict():
            parts = {name: decided(part) for name, part in value.items()}
            return {name: part for name, part in parts.items() if part is not _NO_VALUE}
        case list():
            return [part for part in map(decided, value) if part is not _NO_VALUE]
    return value
