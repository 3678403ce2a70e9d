"""Say what an outage is: an exception that is no image's fault, as a sentence and a remedy for a person."""

import errno
import traceback
from typing import Final

from imgpipe.errors import Retry
from imgpipe.files import shown
from imgpipe.local.run_events import Trouble

_ENDS_RUN: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_REMEDIES: Final = {
    errno.ENOSPC: "Make room on the disk and run the command again.",
    errno.EDQUOT: "Make room in your quota and run the command again.",
    errno.EROFS: "Choose an OUT on a disk that can be written.",
    errno.EACCES: "Give yourself the permission and run the command again.",
    errno.EBUSY: "Run the command again once it is completely written.",
    errno.ENOENT: "Mend or remove the link if it is one, and run the command again.",
    errno.ELOOP: "Remove the link that leads back to itself.",
}


def trouble(key: str, error: Exception, *, image: bool = True) -> Trouble:
    """The trouble that `error` is for `key`."""
    text = shown("".join(traceback.format_exception(error)))
    match error:
        case OSError():
            number = error.errno or errno.EIO
            place = f": {error.filename}" if error.filename else ""
            message = shown(f"The system says: {str(error.strerror or error).rstrip('.')}{place}.")
            remedy = _REMEDIES.get(number, "Mend that and run the command again.")
            return Trouble(key, message, remedy, text, number in _ENDS_RUN, image)
        case Retry():
            message = "It kept changing while it was read."
            return Trouble(key, message, _REMEDIES[errno.EBUSY], text)
    message = shown(f"imgpipe has a fault here: {type(error).__name__}: {error}".rstrip(".") + ".")
    return Trouble(key, message, "Run the command again with --debug, and report what it says.", text)
