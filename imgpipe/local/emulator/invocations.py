"""Functions that a client of Lambda's own API invokes: moto would start a container for each."""

import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from moto.awslambda.models import LambdaFunction

from imgpipe.local.emulator.environment import FunctionError
from imgpipe.local.emulator.function import Function


def answer_invocations(functions: Mapping[str, Function]) -> None:
    """From now on moto, in this process, gives invocations to `functions`, by name, and answers when they have. One of
    type Event is not tried again."""

    def invoke(
        declared: LambdaFunction, body: str | bytes, headers: Mapping[str, str], answered: MutableMapping[str, str]
    ) -> bytes:
        if headers.get("X-Amz-Invocation-Type") == "DryRun":
            return b""
        try:
            answer: Any = functions[declared.function_name].invoke(json.loads(body or "{}"))
        except FunctionError as error:
            answered["x-amz-function-error"] = "Unhandled"
            answer = {"errorType": error.error_type, "errorMessage": error.message}
        return json.dumps(answer).encode()

    LambdaFunction.invoke = invoke  # type: ignore[method-assign, assignment]
