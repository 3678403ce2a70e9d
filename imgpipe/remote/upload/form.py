"""A presigned POST's body (RFC 7578) that streams its file, however large that is."""

import io
import threading
from collections.abc import Mapping
from secrets import token_hex
from typing import BinaryIO

from imgpipe.remote.upload.crew import Stopped
from imgpipe.remote.upload.transfer import Changed, Meter


class FormBody:
    """`fields`, and last the first `size` bytes of `file`, as S3 wants them: what follows the file it does not read.
    Counts what is read of the file, and ends when stopped."""

    def __init__(
        self, fields: Mapping[str, str], file: BinaryIO, size: int, meter: Meter, stopped: threading.Event
    ) -> None:
        boundary = token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        start = f'--{boundary}\r\nContent-Disposition: form-data; name="'
        head = "".join(f'{start}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
        head += f'{start}file"; filename="file"\r\n\r\n'
        tail = f"\r\n--{boundary}--\r\n"
        self._head, self._file, self._tail = io.BytesIO(head.encode()), file, io.BytesIO(tail.encode())
        self._size = size
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
        for part in (self._head, self._file, self._tail):
            part.seek(0)

    def read(self, size: int) -> bytes:
        """Raises Changed where the file is shorter than it was, and Stopped."""
        if self._stopped.is_set():
            raise Stopped
        if data := self._head.read(size):
            return data
        if left := self._size - self._counted:
            data = self._file.read(min(size, left))
            if not data:
                raise Changed
            self._count(len(data))
            return data
        return self._tail.read(size)

    def _count(self, count: int) -> None:
        self._counted += count
        self._meter.add(count)
