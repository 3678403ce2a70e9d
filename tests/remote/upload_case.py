"""Files to upload, and uploads of them."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from image_case import jpeg
from stack_account import SOURCE, Account

from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.stack import Stack
from imgpipe.remote.upload.choose import choose
from imgpipe.remote.upload.events import Event
from imgpipe.remote.upload.run import Options, upload
from imgpipe.remote.upload.transfer import Meter


class Place:
    """A bucket of an account, in a stack that is no more than it."""

    def __init__(self, account: Account, **outputs: str) -> None:
        self.account = account
        self.client = account.client
        account.make_bucket(SOURCE, versioned=True)
        now = datetime.now(UTC)
        told = {"SourceBucket": SOURCE, **outputs}
        stack = Stack("arn:aws:cloudformation", "imgpipe", "CREATE_COMPLETE", "", told, {}, {}, now, now, False)
        self.pipeline = Pipeline(account.session, stack)

    def put(self, key: str, data: bytes) -> None:
        self.client("s3").put_object(Bucket=SOURCE, Key=key, Body=data)


def photo(path: Path, turn: int = 0) -> Path:
    """A small JPEG; each `turn` is another picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(turn))
    return path


def unheard(event: Event) -> None:
    """Where nothing may end late."""
    raise AssertionError(event)


def sent(pipeline: Pipeline, *paths: Path, prefix: str = "", options: Options | None = None) -> list[Event]:
    """Everything that an upload of `paths`, of whatever kind, tells."""
    choice = choose([str(path) for path in paths], prefix=prefix, anything=True)
    meter = Meter(sum(file.bytes for file in choice.files))
    return list(upload(pipeline, choice, options or Options(), meter, lambda event: None))


def kinds(events: list[Event]) -> Counter[str]:
    """How many events of each kind there are."""
    return Counter(type(event).__name__ for event in events)
