"""The CloudFormation template: where it lies, and what it says of its parameters and resources.

Only its text is ever sent; what is parsed here serves to say what is wrong with a parameter before AWS is asked.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

INLINE_BYTES: Final = 51_200
"""The longest template that a call may carry; a longer one is fetched from S3 (CloudFormation's quota)."""
_BARE: Final = frozenset({"Ref", "Condition"})
"""The tags whose long form has no `Fn::` before it."""
_NUMBER: Final = re.compile(r"-?\d+")
"""CloudFormation takes decimals too, but nothing that the template counts comes in parts."""


def folder() -> Path:
    """The folder of the template: in a wheel inside the package, in a checkout (and an editable install) beside it."""
    package = Path(__file__).parents[1]
    packaged = package / "cloudformation"
    return packaged if packaged.is_dir() else package.parent / "cloudformation"


class Parameter(Struct, frozen=True, kw_only=True):
    """One parameter as the template declares it. `default` is None where a value must be given."""

    name: str
    type: str = "String"
    default: str | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    low: float = -inf
    high: float = inf
    constraint: str | None = None

    def refusal(self, value: str) -> str | None:
        """What is allowed, as the rest of a sentence, where `value` is not; CloudFormation's own rules for it."""
        if self.allowed and value not in self.allowed:
            return f"one of: {', '.join(self.allowed)}"
        if self.type == "Number" and not (_NUMBER.fullmatch(value) and self.low <= float(value) <= self.high):
            return f"a whole number from {self.low:g} to {self.high:g}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return self.constraint or f"what matches {self.pattern}"
        return None


class Template(Struct, frozen=True):
    """A template as text and as what it declares; resources by logical name, tags in their long form."""

    text: str
    parameters: dict[str, Parameter]
    resources: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@cache
def load() -> Template:
    """The template of this imgpipe."""
    return parse((folder() / "template.yaml").read_text(encoding="utf-8"))


def parse(text: str) -> Template:
    """A template in YAML or JSON."""
    document = read_yaml(text)
    declared = document.get("Parameters") or {}
    return Template(
        text,
        {name: _parameter(name, table) for name, table in declared.items()},
        document["Resources"],
    )


def read_yaml(text: str) -> dict[str, Any]:
    """The document, with CloudFormation's tags in their long form: `!Ref A` as `{"Ref": "A"}`."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # chosen at run time
        """A loader of one's own, for tags are kept by its class."""

    def long_form(loader: Any, tag: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
            if tag == "GetAtt":
                value = value.split(".", 1)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {tag if tag in _BARE else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", long_form)
    # A date in a policy's Version is text to CloudFormation.
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
    document: dict[str, Any] = yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader's child
    return document


def _parameter(name: str, table: Mapping[str, Any]) -> Parameter:
    default = table.get("Default")
    return Parameter(
        name=name,
        type=table.get("Type", "String"),
        default=None if default is None else as_text(default),
        allowed=tuple(as_text(value) for value in table.get("AllowedValues", ())),
        pattern=table.get("AllowedPattern"),
        low=table.get("MinValue", -inf),
        high=table.get("MaxValue", inf),
        constraint=table.get("ConstraintDescription"),
    )


def as_text(value: object) -> str:
    """A scalar of YAML as CloudFormation hands it on: true as "true"."""
    return value if isinstance(value, str) else json.dumps(value)
