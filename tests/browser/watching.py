"""What a browser did besides showing a page: whom it asked, and what it complained of."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

_BY_ITSELF = {"data", "blob", "about", "chrome-error"}


class Watch:
    """Collects requests to anyone but the house, and errors of scripts and of the content policy."""

    def __init__(self, base: str) -> None:
        self.house = urlsplit(base).netloc
        self.outside: list[str] = []
        self.complaints: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of this browser from now on."""
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.on("weberror", self._broke)

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in _BY_ITSELF and address.netloc != self.house:
            self.outside.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # violations of the content policy arrive here as errors; so does each form that was rightly refused
        if message.type in {"error", "warning"} and "the server responded with a status of 400" not in message.text:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _broke(self, error: WebError) -> None:
        self.complaints.append(f"script: {error.error}")
