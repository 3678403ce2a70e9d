"""The two machines that Lambda has, and which of them a file is made for.

A wheel of the wrong machine installs without a word and fails in the cloud as `cannot import name '_imaging'`.
"""

from typing import Final, Literal

Architecture = Literal["x86_64", "arm64"]

PLATFORMS: Final[dict[Architecture, str]] = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""What uv calls each architecture under Amazon Linux 2023, whose glibc is 2.34. An older manylinux would quietly get
older releases."""

_ELF: Final = b"\x7fELF"
_OTHERS: Final = {b"MZ": "Windows", b"\xcf\xfa\xed\xfe": "macOS", b"\xca\xfe\xba\xbe": "macOS"}
_MACHINES: Final = {3: "x86", 40: "arm", 62: "x86_64", 183: "arm64"}
_MACHINE_AT: Final = slice(18, 20)
"""Where the header says e_machine (System V ABI, "ELF Header"); EM_X86_64 is 62, EM_AARCH64 183."""


def machine(data: bytes) -> str | None:
    """The architecture, or else the system, that the program or library `data` is made for; None for other files."""
    if not data.startswith(_ELF):
        return next((system for magic, system in _OTHERS.items() if data.startswith(magic)), None)
    number = int.from_bytes(data[_MACHINE_AT], "little")
    return _MACHINES.get(number, f"ELF machine {number}")
