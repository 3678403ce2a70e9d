"""A presigned POST's body (RFC 7578) that streams its file, however large that is."""

import io
import threading
from collections.abc import Mapping
from secrets import token_hex
from typing import BinaryIO

from imgpipe.remote.upload.crew import Stopped
from imgpipe.remote.upload.transfer import Meter


class FormBody:
    """`fields`, and last the `size` bytes of `file`, as S3 wants them: what follows the file it does not read. Counts
    what is read of the file, and ends when stopped."""

    def __init__(
        self, fields: Mapping[str, str], file: BinaryIO, size: int, meter: Meter, stopped: threading.Event
    ) -> None:
        boundary = token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        start = f'--{boundary}\r\nContent-Disposition: form-data; name="'
        head = "".join(f'{start}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
        head += f'{start}file"; filename="file"\r\n\r\n'
        tail = f"\r\n--{boundary}--\r\n"
        self._file = file
        self._parts = (io.BytesIO(head.encode()), file, io.BytesIO(tail.encode()))
        self._length = len(head.encode()) + size + len(tail)
        self._meter = meter
        self._stopped = stopped
        self._counted = 0

    def __len__(self) -> int:
        """Bytes in all, for Content-Length."""
        return self._length

    def rewind(self) -> None:
        """Begin again, and take back what was counted."""
        self._count(-self._counted)
        for part in self._parts:
            part.seek(0)

    def read(self, size: int) -> bytes:
        if self._stopped.is_set():
            raise Stopped
        for part in self._parts:
            if data := part.read(size):
                if part is self._file:
                    self._count(len(data))
                return data
        return b""

    def _count(self, count: int) -> None:
        self._counted += count
        self._meter.add(count)
