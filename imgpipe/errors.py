"""Every error a person can meet. Each has a stable code, one sentence on what is wrong and one on what to do.

    ImgpipeError
    ├── UsageError            a command that cannot be carried out as given; exit 2
    │   ├── RecipeError       the recipe, with every problem that it has; exit 2
    │   └── NoStackError      no stack of that name where it was looked for; exit 2
    ├── AwsError              AWS could not be reached, or refused the credentials or the call; exit 3
    ├── BundleError           the bundle cannot be built, or not for that machine; exit 1
    ├── NoImageError          nothing lies at a key, and nothing is known of it; exit 1
    ├── StackError            a stack that failed, or is not in a state to do this with; exit 1
    ├── MessageError          a queue's message that is no S3 event: it ends in the dead-letter queue
    └── ImageError            a source that cannot be rendered: an answer, kept in its record, never retried

    Retry                     not an error of the person's: the message comes again
    ├── Busy                  another worker holds a live lease on the source
    └── Conflict              a compare-and-set found that the record had changed

`ImageError.code` is one of `IMAGE_ERRORS`; new codes are added there and never renamed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

IMAGE_ERRORS: Final[dict[str, str]] = {
    "unsupported_format": "Convert it to JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF or BMP.",
    "corrupt": "Export or copy the image again from where it came.",
    "truncated": "Copy or upload the image again: its end is missing.",
    "empty": "Copy or upload the image again.",
    "too_many_bytes": "Make the file smaller, or raise max_megabytes under [limits] in the recipe.",
    "too_many_pixels": "Make the image or the preset smaller, or raise max_megapixels under [limits] in the recipe.",
    "side_too_long": "Make the image or the preset smaller, or raise max_side under [limits] in the recipe.",
    "too_many_frames": "Shorten the animation or make the preset smaller, or raise max_animation_megapixels.",
    "out_of_memory": "Make the image or the preset smaller, or raise max_memory_megabytes in the recipe.",
    "decoder_crashed": "Export the image again: it crashes the library that reads it.",
    "deadline": "Make the image smaller: reading and rendering it took longer than a job may.",
    "key_too_long": "Give the image or its folders a shorter name.",
    "bad_key": "Rename the image: its name is not valid UTF-8.",
}
"""Code of a failed record -> what to do about it, as a sentence."""


def image_remedy(code: str) -> str:
    """What to do about a failed record, also of a code that is not known here: workers may be newer."""
    return IMAGE_ERRORS.get(code, "Update imgpipe, which does not know this error yet.")


class ImgpipeError(Exception):
    """What is wrong (`message`, one sentence with the value seen) and what to do (`remedy`, one sentence)."""

    code: str = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class UsageError(ImgpipeError):
    """A command that cannot be carried out as given."""

    code = "usage"
    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe: where (dotted path, line from 1), what was seen, what is allowed."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class RecipeError(UsageError):
    """A recipe with problems, all of them at once."""

    code = "recipe"

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"The recipe {source} has {count}.", "Mend each and try again.")
        self.source = source
        self.problems = problems


class NoStackError(UsageError):
    """No stack of that name where it was looked for."""

    code = "no_stack"

    def __init__(self, name: str, deploy: str = "imgpipe deploy") -> None:
        super().__init__(
            f"There is no stack {name} in this account and region.",
            f"Name the right one with --stack, look elsewhere, or make it with: {deploy}",
        )
        self.name = name


class AwsError(ImgpipeError):
    """AWS could not be reached, or refused the credentials or the call. `code` tells which, for programs: `denied`,
    `expired`, `no_credentials`, `no_region`, `throttled`, `unreachable`, …"""

    exit_code = 3

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class BundleError(ImgpipeError):
    """The bundle cannot be built: uv, its index or a wheel is not what it takes."""

    code = "bundle"


class NoImageError(ImgpipeError):
    """Nothing lies at a key, and nothing is known of it."""

    code = "no_image"

    def __init__(self, key: str, remedy: str) -> None:
        super().__init__(f"There is no image {key}.", remedy)


class StackError(ImgpipeError):
    """A stack that failed, or is not in a state to do this with."""

    code = "stack"


class MessageError(ImgpipeError):
    """A queue's message that cannot be read."""

    code = "message"


class ImageError(Exception):
    """A source that cannot be rendered: `code` is a key of `IMAGE_ERRORS`, `message` a sentence with the value seen."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = IMAGE_ERRORS[code]


class Retry(Exception):
    """Not now: the message comes again."""


class Busy(Retry):
    """Another worker holds the source until `ends` (seconds since the epoch)."""

    def __init__(self, key: str, ends: float) -> None:
        super().__init__(f"{key} is held by another worker")
        self.key = key
        self.ends = ends


class Conflict(Retry):
    """The record of `key` is no longer what it was when it was read."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the record of {key} changed meanwhile")
        self.key = key


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError in here name `path`, not a temporary file that is gone when the error is read."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
