"""An upload's bytes as S3 takes them: whole, unwrapped from aws-chunked, and as every checksum beside them says.

All of a body is here before moto sees any of it. CRC32C and CRC64NVME are not checked, as no library at hand computes
them.
"""

import base64
import binascii
import hashlib
import io
import re
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from typing import IO, Final, Protocol
from wsgiref.types import WSGIEnvironment

from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.refused import Refused, incomplete, too_large

LARGEST: Final = 5 * 2**30
"""Bytes of one PUT or POST ("Amazon S3 multipart upload limits")."""
_MEMORY: Final = 1 << 20
"""Bytes of an upload that are held in memory; what is longer goes to a temporary file."""
_PIECE: Final = 1 << 20
_LINE: Final = 1 << 13
"""Bytes of the longest line between two chunks."""
_TRAILERS: Final = 10
"""Lines that may follow the last chunk."""
_CHECKSUM: Final = "HTTP_X_AMZ_CHECKSUM_"
_ALGORITHMS: Final = ("SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME")
_FRAMED: Final = "STREAMING-"
"""How x-amz-content-sha256 starts where the body is in aws-chunked."""


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: Final[dict[str, Callable[[], Hash]]] = {
    "HTTP_CONTENT_MD5": lambda: hashlib.md5(usedforsecurity=False),
    "HTTP_X_AMZ_CONTENT_SHA256": hashlib.sha256,
    f"{_CHECKSUM}SHA256": hashlib.sha256,
    f"{_CHECKSUM}SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    f"{_CHECKSUM}CRC32": _Crc32,
}
"""Header that holds a digest -> what computes it."""


def receive(environ: WSGIEnvironment, target: Target, pieces: Iterable[bytes] | None = None) -> int:
    """Make the request's body the plain bytes of the upload, whole and checked; how many they are. `pieces` are its
    bytes where these are not in the body as it came.

    Raises Refused where its length, its framing or a checksum is wrong.
    """
    trailers: tuple[str, ...] = ()
    if pieces is None and environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").startswith(_FRAMED):
        trailers = _unframe(environ)
        pieces = _chunks(environ, _length(environ, "HTTP_X_AMZ_DECODED_CONTENT_LENGTH"), trailers)
    elif pieces is None:
        pieces = _plain(environ, target)
    expected = dict(_expected(environ))
    hashes = {header: _HASHES[header]() for header in {*expected, *trailers} & _HASHES.keys()}
    file, size = _spool(pieces, hashes.values())
    if trailers:
        expected = dict(_expected(environ))
    # Of an assembled object they are of all its bytes, not of the list of its parts.
    assembled = environ["REQUEST_METHOD"] == "POST" and "uploadId" in target.query
    for header, digest in expected.items():
        if digest != hashes[header].digest() and not (assembled and header.startswith(_CHECKSUM)):
            raise _mismatch(header)
    # moto keeps a checksum only where it is also said of which kind it is.
    for algorithm in _ALGORITHMS:
        if f"{_CHECKSUM}{algorithm}" in environ:
            environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", algorithm)
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = file, str(size)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("wsgi.input_terminated", None)
    return size


def _spool(pieces: Iterable[bytes], hashes: Collection[Hash]) -> tuple[IO[bytes], int]:
    remaining = _hashed(pieces, hashes)
    first = next(remaining, b"")
    second = next(remaining, None)
    if second is None:
        return io.BytesIO(first), len(first)  # which copies nothing
    file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - it lives as long as the request
    for piece in chain((first, second), remaining):
        file.write(piece)
    size = file.tell()
    file.seek(0)
    return file, size


def _hashed(pieces: Iterable[bytes], hashes: Collection[Hash]) -> Iterator[bytes]:
    for piece in pieces:
        for computed in hashes:
            computed.update(piece)
        yield piece


def _plain(environ: WSGIEnvironment, target: Target) -> Iterator[bytes]:
    wanted = environ["REQUEST_METHOD"] == "PUT" and target.key and "HTTP_X_AMZ_COPY_SOURCE" not in environ
    if "HTTP_TRANSFER_ENCODING" in environ or (wanted and "CONTENT_LENGTH" not in environ):
        raise _no_length()
    left = _length(environ, "CONTENT_LENGTH") if environ.get("CONTENT_LENGTH") else 0
    while left:
        # Not through werkzeug's stream, which copies.
        piece = environ["wsgi.input"].read(min(left, _PIECE))
        if not piece:
            raise incomplete()
        left -= len(piece)
        yield piece


def _length(environ: WSGIEnvironment, header: str) -> int:
    text = environ.get(header, "")
    if not (text.isascii() and text.isdigit()):
        raise _no_length()
    length = int(text[:20])
    if length > LARGEST:
        raise too_large(length, LARGEST)
    return length


def _expected(environ: WSGIEnvironment) -> Iterator[tuple[str, bytes]]:
    for header, make in _HASHES.items():
        value = environ.get(header)
        if not value or value == "UNSIGNED-PAYLOAD":
            continue
        try:
            digest = bytes.fromhex(value) if "CONTENT_SHA256" in header else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            digest = b""
        if len(digest) != len(make().digest()):
            raise _malformed(header)
        yield header, digest


def _unframe(environ: WSGIEnvironment) -> tuple[str, ...]:
    """Take from the headers what is said of the chunks; the checksums that are to follow the last of them."""
    announced = environ.pop("HTTP_X_AMZ_TRAILER", "").split(",")
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    encodings = [name.strip() for name in environ.pop("HTTP_CONTENT_ENCODING", "").split(",")]
    if kept := ",".join(name for name in encodings if name not in ("", "aws-chunked")):
        environ["HTTP_CONTENT_ENCODING"] = kept
    trailers = (f"HTTP_{name.strip().upper().replace('-', '_')}" for name in announced)
    return tuple(header for header in trailers if header.startswith(_CHECKSUM))


def _chunks(environ: WSGIEnvironment, length: int, trailers: tuple[str, ...]) -> Iterator[bytes]:
    """The `length` bytes in the chunks ("Signature calculations for the authorization header: chunked upload"); what
    trails them becomes headers. The chunks' own signatures are not checked."""
    stream = get_input_stream(environ)
    while size := _size(stream.readline(_LINE)):
        length -= size
        if length < 0:
            raise incomplete()
        while size:
            piece = stream.read(min(size, _PIECE))
            if not piece:
                raise incomplete()
            size -= len(piece)
            yield piece
        stream.readline(_LINE)
    if length:
        raise incomplete()
    found = dict(islice(_lines(stream), _TRAILERS))
    for header in trailers:
        if header not in found:
            raise Refused(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform to our published "
                "schema.",
            )
        environ[header] = found[header]


def _lines(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    while line := stream.readline(_LINE).strip():
        name, _, value = line.decode("latin-1").partition(":")
        yield f"HTTP_{name.upper().replace('-', '_')}", value.strip()


def _size(line: bytes) -> int:
    size = line.partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", size):
        raise incomplete()
    return int(size, 16)


def _no_length() -> Refused:
    return Refused("MissingContentLength", "You must provide the Content-Length HTTP header.")


def _malformed(header: str) -> Refused:
    if header == "HTTP_CONTENT_MD5":
        return Refused("InvalidDigest", "The Content-MD5 you specified was invalid.")
    name = header.removeprefix("HTTP_").replace("_", "-").lower()
    return Refused("InvalidRequest", f"Value for {name} header is invalid.")


def _mismatch(header: str) -> Refused:
    if header == "HTTP_CONTENT_MD5":
        return Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
    if header == "HTTP_X_AMZ_CONTENT_SHA256":
        return Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    algorithm = header.rpartition("_")[2]
    return Refused("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
