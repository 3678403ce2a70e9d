"""An image's id in a URL: base64url of its key without padding, so that every key fits one segment of a path."""

import base64

from imgpipe.worker.keys import LONGEST


def to_id(key: str) -> str:
    """The id of `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def to_key(text: str) -> str:
    """The key whose id `text` is. Raises ValueError where it is the id of none."""
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError(f"{text!r} is not the id of a key") from error
    # Base64 has bits to spare, and two ids of one image would be one too many.
    if not 0 < len(key.encode()) <= LONGEST or to_id(key) != text:
        raise ValueError(f"{text!r} is not the id of a key")
    return key
