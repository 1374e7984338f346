"""Errors of the operating system and of S3 as store errors that say where, why and what fixes it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from r1flow.components.core.errors import ObjectMissingError, StoreError, StoreUnavailable

_FIXES = {
    errno.ENOSPC: "free space there or point the store at a larger disk",
    errno.EDQUOT: "raise the disk quota or point the store elsewhere",
    errno.EFBIG: "raise the file size limit (ulimit -f)",
    errno.EACCES: "grant this user read and write permission there",
    errno.EPERM: "grant this user read and write permission there, on a file system with hard links",
    errno.EROFS: "mount the file system writable or point the store elsewhere",
    errno.ENOTDIR: "something on this path is a file, not a directory: remove it or point the store elsewhere",
    errno.EEXIST: "something on this path is a file, not a directory: remove it or point the store elsewhere",
    errno.ENOTSUP: "the file system has no hard links or locks: point the store at one that has",
    errno.EXDEV: "a folder below the store is another file system without its own links: mount it elsewhere",
}
_LASTING = frozenset({errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST})


def explained(action: str, where: str, error: OSError) -> StoreError:
    """The store error for ``error``: what could not be done, where, the cause and the fix."""
    if isinstance(error, FileNotFoundError):
        return ObjectMissingError(f"cannot {action} {where}: nothing is there")
    cause = error.strerror or str(error) or type(error).__name__
    fix = _FIXES.get(error.errno or 0)
    message = f"cannot {action} {where}: {cause}" + (f"; {fix}" if fix else "")
    return StoreError(message) if error.errno in _LASTING else StoreUnavailable(message)


MAX_DOCUMENT_BYTES = 8 << 20
"""The largest manifest, lease or log entry that is read: the tables of some 70,000 files. Parsed it takes 30 times as much."""


def require_document(where: str, size: int) -> None:
    """StoreError unless an object of ``size`` bytes may be read into memory as a document."""
    if size > MAX_DOCUMENT_BYTES:
        raise StoreError(
            f"{where} has {size:,} bytes; a document has at most {MAX_DOCUMENT_BYTES:,}: pack its files into fewer, or delete it"
        )


@contextmanager
def explaining(action: str, where: str) -> Iterator[None]:
    """Turn an OSError of the body into :func:`explained`."""
    try:
        yield
    except OSError as error:
        raise explained(action, where, error) from error


class PreconditionError(StoreError):
    """The condition of a conditional write does not hold. Never leaves the store."""


_S3_FIXES = {
    "NoSuchBucket": "create the bucket or correct the store's URI",
    "RequestTimeTooSkewed": "set this machine's clock",
    "ExpiredToken": "renew the credentials",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY",
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "NoRegionError": "set AWS_DEFAULT_REGION",
}


def s3_answer(error: BaseException) -> tuple[str, int]:
    """S3's error code and the HTTP status, from the error or from the one it was translated from; else ("", 0)."""
    link: BaseException | None = error
    while link is not None:
        response = getattr(link, "response", None)
        if isinstance(response, dict) and "Error" in response:
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response["Error"].get("Code", "")), int(status)
        link = link.__cause__
    return "", 0


def explained_s3(action: str, where: str, error: BaseException, code: str, status: int) -> StoreError:
    """The store error for what an S3 client raised; ``code`` and ``status`` are :func:`s3_answer`'s."""
    if code in {"PreconditionFailed", "412"}:
        return PreconditionError(f"cannot {action} {where}: its condition does not hold")
    if code != "NoSuchBucket" and (isinstance(error, FileNotFoundError) or status == 404):
        return ObjectMissingError(f"cannot {action} {where}: there is no such object")
    if isinstance(error, OSError) and not code and error.errno:
        return explained(action, where, error)  # of this machine: its disk, its network
    fix = _S3_FIXES.get(code or type(error).__name__)
    if fix is None and status == 403:
        fix = "grant s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket"
    if fix is None and not code:
        fix = "check AWS_ENDPOINT_URL and the network"
    cause = f"{code}: {error}" if code else str(error) or type(error).__name__
    return StoreUnavailable(f"cannot {action} {where}: {cause}" + (f"; {fix}" if fix else ""))
