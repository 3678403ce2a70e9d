"""What stands before moto and makes its S3 answer as S3 does; requests to other services pass through it untouched.

Every request to S3 is signed, a browser's form, or a browser's question beforehand; all else is refused, as a private
bucket does. What a bucket tells and to which pages it answers is taken from the stack's template alone (`realise`),
so that moto's own notifications, which are unlike S3's, are never set.
"""

import io
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from imgpipe.local.emulator import body, changes, cors, notifications, post_form, signature, signature_v2
from imgpipe.local.emulator.addresses import Target, address, point
from imgpipe.local.emulator.answers import Answer, Identity, ask, refusal
from imgpipe.local.emulator.notifications import Change, Notifier
from imgpipe.local.emulator.signature import Refused

_LOG: Final = logging.getLogger(__name__)
_OF_THE_TEMPLATE: Final = frozenset({"cors", "notification"})


@dataclass(frozen=True)
class _Bucket:
    told: tuple[notifications.Rule, ...] = ()
    pages: tuple[cors.Rule, ...] = ()


class Front:
    """A WSGI application before `backend`, moto's. `keys`: access key -> secret. `send` puts a message, given a
    queue's ARN and the body, on that queue."""

    def __init__(self, backend: WSGIApplication, keys: Mapping[str, str], send: Callable[[str, str], None]) -> None:
        self._backend = backend
        self._keys = dict(keys)
        self._notifier = Notifier(send)
        self._buckets: dict[str, _Bucket] = {}

    def realise(self, bucket: str, properties: Mapping[str, Any]) -> None:
        """Give a bucket that is there the resolved `properties` of its AWS::S3::Bucket: versions, notifications to
        queues, which are sent S3's test event, and CORS. Raises RuntimeError where moto refuses."""
        if status := properties.get("VersioningConfiguration", {}).get("Status"):
            document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
            answer = self._ask("PUT", Target(bucket), "versioning", document.encode())
            if answer.status != 200:
                raise RuntimeError(f"moto answered {answer.status} to the versioning of {bucket}")
        rules = notifications.Rule.read(properties)
        before = self._buckets.get(bucket, _Bucket()).told
        self._buckets[bucket] = _Bucket(rules, cors.Rule.read(properties))
        if rules != before:
            self._notifier.test(bucket, rules)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _is_for_another(environ):
            return ask(self._backend, environ).without("access-control-").send(start_response)
        identity = Identity.new()
        path, method = environ["RAW_URI"].partition("?")[0], environ["REQUEST_METHOD"]
        bucket = _Bucket()
        try:
            target = address(environ)
            bucket = self._buckets.get(target.bucket, bucket)
            answer = self._answer(environ, target, bucket, identity)
        except Refused as refused:
            answer = refusal(refused, path, identity)
        except Exception as error:
            _LOG.debug("moto failed at %s %s", method, path, exc_info=True)
            answer = refusal(Refused("InternalError", f"moto failed: {error!r}"), path, identity)
        answer = answer.also(*identity.headers)
        if method != "OPTIONS":
            answer = answer.also(*cors.headers(bucket.pages, environ, method))
        if method == "HEAD":
            answer = Answer(answer.status, answer.headers)
        return answer.send(start_response)

    def _answer(self, environ: WSGIEnvironment, target: Target, bucket: _Bucket, identity: Identity) -> Answer:
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return cors.preflight(bucket.pages, environ)
        if post_form.is_form(environ, target):
            form, target = post_form.put(environ, target, self._keys)
            body.receive(environ, target)
            stored = self._moto(environ)
            self._tell(target, bucket, changes.posted(target, form.size, stored), environ, identity)
            return post_form.answer(form, target, stored) if stored.status == 200 else stored
        if signature_v2.is_signed(target):
            signature_v2.check(environ, target, self._keys)
        else:
            signature.check(environ, "s3", self._keys)
        if not target.key and method in ("PUT", "DELETE") and target.query.keys() & _OF_THE_TEMPLATE:
            raise Refused("NotImplemented", "Here a bucket's notifications and CORS are those of its template alone.")
        point(environ, target, environ["QUERY_STRING"])
        body.receive(environ, target)
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if method == "POST" and not target.key and "delete" in target.query:
            return self._delete_many(environ, target, bucket, identity)
        answer = self._moto(environ)
        if method == "DELETE":
            change = changes.removed(target, answer)
        else:
            change = changes.created(environ, target, size, answer, self._look)
        self._tell(target, bucket, change, environ, identity)
        return answer

    def _delete_many(self, environ: WSGIEnvironment, target: Target, bucket: _Bucket, identity: Identity) -> Answer:
        quiet = changes.take_quiet(environ)
        answer = self._moto(environ)
        for change in changes.removed_many(answer):
            self._tell(target, bucket, change, environ, identity)
        return changes.quietly(answer) if quiet and answer.status == 200 else answer

    def _tell(
        self, target: Target, bucket: _Bucket, change: Change | None, environ: WSGIEnvironment, identity: Identity
    ) -> None:
        if change:
            source = environ.get("REMOTE_ADDR", "")
            self._notifier.tell(target.bucket, bucket.told, change, source=source, identity=identity)

    def _moto(self, environ: WSGIEnvironment) -> Answer:
        # It lets every page of every origin read everything.
        return ask(self._backend, environ).without("access-control-", "vary", "x-amzn-requestid")

    def _look(self, target: Target, version: str | None) -> Answer:
        return self._ask("HEAD", target, urlencode({"versionId": version}) if version else "")

    def _ask(self, method: str, target: Target, query: str, data: bytes = b"") -> Answer:
        environ: WSGIEnvironment = {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data))}
        setup_testing_defaults(environ)
        environ["REQUEST_METHOD"] = method
        point(environ, target, query)
        return self._moto(environ)


def _is_for_another(environ: WSGIEnvironment) -> bool:
    try:
        found = signature.read(environ)
    except Refused:
        return False
    return found is not None and found.scope.service != "s3"
