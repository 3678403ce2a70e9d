"""A running pipeline: the parts of a deployed stack by name, and the adapters that reach them.

These are the adapters that the functions use too, with the credentials of whoever runs the command.
"""

from dataclasses import dataclass
from functools import cached_property

from imgpipe import __version__
from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.adapters.s3 import S3Presigner, S3Store
from imgpipe.adapters.sqs import SqsQueue
from imgpipe.errors import StackError
from imgpipe.remote.session import Session
from imgpipe.remote.stack import Stack, find_ours


@dataclass(frozen=True)
class Pipeline:
    """A stack that can be worked with. Its adapters raise botocore's errors: wrap work in `session.aws_errors`."""

    session: Session
    stack: Stack

    @property
    def source_bucket(self) -> str:
        return self.stack.output("SourceBucket")

    @property
    def destination_bucket(self) -> str:
        return self.stack.output("DestinationBucket")

    @property
    def queue_url(self) -> str:
        return self.stack.output("QueueUrl")

    @property
    def dead_letter_queue_url(self) -> str:
        return self.stack.output("DeadLetterQueueUrl")

    @property
    def table(self) -> str:
        return self.stack.output("CatalogTable")

    @property
    def api_endpoint(self) -> str:
        """The HTTP API's URL, without a slash at its end."""
        return self.stack.output("ApiEndpoint").rstrip("/")

    @property
    def recipe_hash(self) -> str:
        """The hash of the recipe that renditions are made by."""
        return self.stack.output("RecipeHash")

    @cached_property
    def sources(self) -> S3Store:
        return S3Store(self.session.client("s3"), self.source_bucket)

    @cached_property
    def renditions(self) -> S3Store:
        return S3Store(self.session.client("s3"), self.destination_bucket)

    @cached_property
    def source_links(self) -> S3Presigner:
        return S3Presigner(self.session.client("s3"), self.source_bucket)

    @cached_property
    def rendition_links(self) -> S3Presigner:
        return S3Presigner(self.session.client("s3"), self.destination_bucket)

    @cached_property
    def catalog(self) -> DynamoDBCatalog:
        return DynamoDBCatalog(self.session.client("dynamodb"), self.table)

    @cached_property
    def queue(self) -> SqsQueue:
        return SqsQueue(self.session.client("sqs"), self.queue_url)


def open_pipeline(session: Session, name: str) -> Pipeline:
    """The pipeline of the stack `name`.

    Raises NoStackError where there is none, UsageError where it is not imgpipe's, StackError where it is not made yet
    or belongs to another version, and AwsError.
    """
    stack = find_ours(session, name)
    if stack.version is None:
        raise StackError(
            f"The stack {name} ({stack.status}) is not whole.",
            f"Wait until it is, or bring it up to date with: {session.command('deploy', name)}",
        )
    if _release(stack.version) != _release(__version__):
        raise StackError(
            f"The stack {name} was deployed by imgpipe {stack.version}, and this is {__version__}.",
            f"Use that version, or bring the stack up to date with: {session.command('deploy', name)}",
        )
    return Pipeline(session, stack)


def _release(version: str) -> list[str]:
    """What versions that understand each other share: all but the last number."""
    return version.split(".")[:2]
