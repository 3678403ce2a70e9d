"""Who may use the page's server: who has this run's token, from its own page, under an address of this machine.

The token travels in the link's fragment, which browsers send to nobody, and then in a header. A cookie would go to
every other server of this machine too: cookies know no ports.
"""

import hmac
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from imgpipe.local.dashboard.answers import Refusal


class Access:
    """The keys of one run of the server at `port`. Many threads may use it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = secrets.token_urlsafe(32)

    @property
    def link(self) -> str:
        """The page's URL with the token."""
        return f"http://127.0.0.1:{self._port}/#{self._token}"

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise Refusal where another site asks, also under a name that it led here (DNS rebinding)."""
        host, origin = headers.get("Host", ""), headers.get("Origin")
        here = {f"127.0.0.1:{self._port}", f"localhost:{self._port}"}
        elsewhere = origin is not None and origin != f"http://{host}"
        # "none" is an address that a person typed, or a link from outside of the browser.
        foreign = headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
        if host not in here or elsewhere or (foreign and headers.get("Sec-Fetch-Mode") != "navigate"):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "forbidden",
                f"This server answers its own page at 127.0.0.1:{self._port} alone.",
                "Open the link that imgpipe printed in the terminal.",
            )

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Raise Refusal where the request does not show the token."""
        given = headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "This page belongs to another run of imgpipe.",
                "Open the link that imgpipe printed in the terminal.",
            )
