"""What `imgpipe emulate` takes to start, to take images, and to work on them: `python tests/benchmarks/emulator.py
[--images 1000] [--threads 16]`.

Its peer for taking is moto's own server, which keeps what is put and does nothing else. Both are sent the same small
JPEG by as many threads of one client; half of that time is the client's.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import EndpointConnectionError
from PIL import Image

from imgpipe.remote.emulated import EmulatedSession

PORT: Final = 4866
BUCKET: Final = "imgpipe-source-123456789012-us-east-1-an"


def main(images: int, threads: int) -> None:
    with _started("-m", "moto.server", "-p", str(PORT)):
        session = EmulatedSession(PORT)
        _until_answered(session)
        session.client("s3").create_bucket(Bucket=BUCKET)
        _say("moto alone: put", images, _put(session, images, threads))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _started("-m", "imgpipe", "emulate", "--json", "--port", str(PORT),
                                                           cwd=folder) as emulator:  # fmt: skip
        assert emulator.stdout
        assert json.loads(emulator.stdout.readline())["type"] == "ready"
        sys.stdout.write(f"imgpipe emulate: ready after {time.monotonic() - began:.2f} s\n")
        began = time.monotonic()
        _say("imgpipe emulate: put", images, _put(EmulatedSession(PORT), images, threads))
        for _ in range(images):
            told = json.loads(emulator.stdout.readline())
            assert told["status"] == "done", told
        _say("imgpipe emulate: done since the first put", images, time.monotonic() - began)


def _put(session: EmulatedSession, images: int, threads: int) -> float:
    """Seconds."""
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((96, 64)).convert("RGB").save(buffer, "JPEG")
    s3, data = session.client("s3"), buffer.getvalue()
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda number: s3.put_object(Bucket=BUCKET, Key=f"{number}.jpg", Body=data), range(images)))
    return time.monotonic() - began


def _say(what: str, images: int, seconds: float) -> None:
    sys.stdout.write(f"{what}: {images:,} images in {seconds:.2f} s, {images / seconds:,.0f} a second\n")


def _until_answered(session: EmulatedSession) -> None:
    while True:
        try:
            session.client("s3").list_buckets()
            return
        except EndpointConnectionError:
            time.sleep(0.1)


@contextmanager
def _started(*arguments: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=16)
    main(**vars(parser.parse_args()))
