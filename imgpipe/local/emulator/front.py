"""What stands before moto: it lets nothing unsigned through, and makes moto's S3 answer as S3 does.

Whom a request is for, its signature says, and moto is told by the front alone. To S3 a browser's form counts as signed,
and a browser may ask beforehand. A web page from elsewhere may do what a bucket's CORS rules allow, and nothing more.
What a bucket tells and to which pages it answers is taken from the stack's template alone (`realise`), so that moto's
own notifications, which are unlike S3's, are never set.
"""

import io
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from werkzeug.exceptions import ClientDisconnected

from imgpipe.local.emulator import body, changes, cors, loopback, notifications, post_form, signature, signature_v2
from imgpipe.local.emulator.addresses import Target, address, point
from imgpipe.local.emulator.answers import Answer, Identity, ask, refusal, refusal_elsewhere
from imgpipe.local.emulator.notifications import Change, Notifier
from imgpipe.local.emulator.refused import Refused, incomplete, unsigned
from imgpipe.local.emulator.request import Request
from imgpipe.local.emulator.signature import Scope, Signature
from imgpipe.local.emulator.turns import Turns
from imgpipe.remote.emulated import REGION

_LOG: Final = logging.getLogger(__name__)
_OF_THE_TEMPLATE: Final = frozenset({"cors", "notification"})
_CLOSED: Final = ("/moto-api", "/favicon.ico", "/latest/meta-data/", "/latest/api/")
"""Where moto answers whatever the service: to itself, which can be reset so, and as a machine's metadata."""
_WORD: Final = re.compile("(?!.*s3)[a-z0-9-]+")
_S3: Final = Scope("imgpipe", "20260101", REGION, "s3")


class _MotoError(Exception):
    """moto failed at what AWS can do."""


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
        self._turns = Turns()
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
        request, identity = Request.read(environ), Identity.new()
        signed, bucket = _signature(request), _Bucket()
        other = signed is not None and signed.scope.service.lower() != "s3"
        try:
            if not loopback.is_asked_here(environ):
                raise Refused(
                    "AccessDenied", f"{request.host!r} is no host of this machine: ask 127.0.0.1 or localhost."
                )
            if signed and other:
                answer = self._elsewhere(environ, request, signed)
            else:
                target = address(request)
                bucket = self._buckets.get(target.bucket, bucket)
                answer = self._answer(environ, request, signed, target, bucket, identity)
        except Exception as error:
            refused = _refused(error, request)
            if other:
                answer = refusal_elsewhere(refused, environ.get("CONTENT_TYPE", ""), identity)
            else:
                answer = refusal(refused, request.path, identity)
        if other:
            return answer.send(start_response)
        answer = answer.also(*identity.headers)
        if request.method != "OPTIONS":
            answer = answer.also(*cors.headers(bucket.pages, environ, request.method))
        if request.method == "HEAD":
            answer = Answer(answer.status, answer.headers)
        return answer.send(start_response)

    def _elsewhere(self, environ: WSGIEnvironment, request: Request, signed: Signature) -> Answer:
        if loopback.foreign_origin(environ) or loopback.is_embedded(environ):
            raise unsigned()
        scope = replace(signed.scope, service=signed.scope.service.lower())
        # Of these words moto makes a host's name, and takes any that holds "s3" for one of S3's.
        if not (_WORD.fullmatch(scope.service) and _WORD.fullmatch(scope.region)):
            raise Refused("NotImplemented", f"There is no {scope.service} in {scope.region} here.")
        signature.verify(environ, request, signed, scope.service, self._keys)
        return self._moto(environ, scope)

    def _answer(
        self,
        environ: WSGIEnvironment,
        request: Request,
        signed: Signature | None,
        target: Target,
        bucket: _Bucket,
        identity: Identity,
    ) -> Answer:
        if request.method == "OPTIONS":
            return cors.preflight(bucket.pages, environ)
        if loopback.foreign_origin(environ) and not cors.headers(bucket.pages, environ, request.method):
            raise cors.not_allowed()
        if post_form.is_form(request.method, target):
            return self._post(environ, target, bucket, identity)
        if signature_v2.is_signed(request):
            signature_v2.check(request, target, self._keys)
        elif signed:
            signature.verify(environ, request, signed, "s3", self._keys)
        else:
            signature.check(environ, "s3", self._keys)  # says why it cannot be read
        if not target.key and target.query.keys() & _OF_THE_TEMPLATE:
            raise Refused("NotImplemented", "Here a bucket's notifications and CORS are those of its template alone.")
        request.lift(environ)
        point(environ, target, request.query)
        size = body.receive(environ, target)
        if request.method == "POST" and not target.key and "delete" in target.query:
            return self._delete_many(environ, target, bucket, identity)
        if request.method not in ("PUT", "POST", "DELETE"):
            return self._moto(environ)
        with self._turns.take(target.bucket, [target.key]):
            answer = self._moto(environ)
            if request.method == "DELETE":
                change = changes.removed(target, answer)
            else:
                change = changes.created(environ, target, size, answer, self._look)
            self._tell(target, bucket, change, environ, identity)
        if request.method == "DELETE" and not target.key and answer.status == 204:
            self._buckets.pop(target.bucket, None)
        return answer

    def _post(self, environ: WSGIEnvironment, target: Target, bucket: _Bucket, identity: Identity) -> Answer:
        form = post_form.read(environ, target, self._keys)
        size = body.receive(form.environ, form.target, form.pieces)
        with self._turns.take(form.target.bucket, [form.target.key]):
            stored = self._moto(form.environ)
            self._tell(form.target, bucket, changes.posted(form.target, size, stored), environ, identity)
        return post_form.answer(form, stored) if stored.status == 200 else stored

    def _delete_many(self, environ: WSGIEnvironment, target: Target, bucket: _Bucket, identity: Identity) -> Answer:
        keys, quiet = changes.take_removal(environ)
        with self._turns.take(target.bucket, keys):
            answer, removed = changes.removed_many(self._moto(environ), quiet=quiet)
            for change in removed:
                self._tell(target, bucket, change, environ, identity)
        return answer

    def _tell(
        self, target: Target, bucket: _Bucket, change: Change | None, environ: WSGIEnvironment, identity: Identity
    ) -> None:
        if change:
            source = environ.get("REMOTE_ADDR", "")
            self._notifier.tell(target.bucket, bucket.told, change, source=source, identity=identity)

    def _look(self, target: Target, version: str | None) -> Answer:
        return self._ask("HEAD", target, urlencode({"versionId": version}) if version else "")

    def _ask(self, method: str, target: Target, query: str, data: bytes = b"") -> Answer:
        environ: WSGIEnvironment = {"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data))}
        setup_testing_defaults(environ)
        environ["REQUEST_METHOD"] = method
        point(environ, target, query)
        return self._moto(environ)

    def _moto(self, environ: WSGIEnvironment, scope: Scope = _S3) -> Answer:
        """What moto's part for the scope's service answers to a request that was found to be signed."""
        if environ["PATH_INFO"].startswith(_CLOSED):
            raise unsigned()
        environ["HTTP_AUTHORIZATION"] = f"{signature.ALGORITHM} Credential={scope}, SignedHeaders=host, Signature=0"
        try:
            answer = ask(self._backend, environ)
        except Exception as error:
            raise _MotoError(f"moto failed: {error!r}") from error
        # moto lets every page of every origin read everything.
        ours = ("access-control-", "vary", "x-amzn-requestid") if scope is _S3 else ("access-control-",)
        return answer.without(*ours)


def _signature(request: Request) -> Signature | None:
    """The request's signature, which says what service it is for; without one it is for S3."""
    try:
        return signature.read(request)
    except Refused:
        return None


def _refused(error: Exception, request: Request) -> Refused:
    match error:
        case Refused():
            return error
        case ClientDisconnected():
            return incomplete()
        case _MotoError():
            _LOG.debug("moto failed at %s %s", request.method, request.path, exc_info=error)
            return Refused("InternalError", str(error))
        case _:
            _LOG.error("The emulator failed at %s %s", request.method, request.path, exc_info=error)
            return Refused("InternalError", f"The emulator failed: {error!r}")
