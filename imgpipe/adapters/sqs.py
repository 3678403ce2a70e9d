"""An SQS queue as the place where messages wait. The client is given: nothing here imports the SDK."""

from typing import Any


class SqsQueue:
    """The Queue at `url`, by a client of botocore."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str) -> None:
        self._client.send_message(QueueUrl=self._url, MessageBody=body)
