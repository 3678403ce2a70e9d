"""Colours that a file says by numbers (coding-independent code points, ITU-T H.273) instead of by a profile.

Display P3 gets the profile that it lacks; what cannot be shown right yet is refused by name.
"""

from pathlib import Path
from typing import Final

from imgpipe.errors import ImageError

_HDR: Final = {16: "PQ", 18: "HLG"}
"""Transfer characteristics whose light is not sRGB's."""
_BT2020, _DISPLAY_P3 = 9, 12
_P3_PROFILE: Final = Path(__file__).parents[1] / "assets" / "display-p3.icc"


def profile(format_name: str, primaries: int, transfer: int) -> bytes | None:
    """The profile that says the same; None for what is sRGB, or near enough to be taken for it by browsers too.

    Raises ImageError (`unsupported_format`) for HDR, and for BT.2020's colours.
    """
    refused = f"is HDR ({_HDR[transfer]})" if transfer in _HDR else ""
    if not refused and primaries == _BT2020:
        refused = "has BT.2020's colours"
    if refused:
        raise ImageError("unsupported_format", f"The {format_name} {refused}, which imgpipe does not read.")
    return _P3_PROFILE.read_bytes() if primaries == _DISPLAY_P3 else None
