"""Files of one folder: every file an item, its content the value, the hash of its content the revision.

Class D. A write is conditional on content: the file is hashed again right before it is replaced, under
a lock that other runs of this adapter respect. An editor does not; what it saves between that hash and
the rename, some microseconds, is overwritten. A revision is a hash, so a file that was changed and
changed back counts as not moved.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ecs_sync.adapter import (
    Delete,
    Features,
    Guard,
    Item,
    ItemId,
    Limits,
    Listing,
    Outcome,
    Page,
    Price,
    Prices,
    Proof,
    Put,
    Rule,
    Token,
    Verdict,
    Write,
    option,
)
from ecs_sync.errors import AdapterError, Denied, Unacknowledged, Unavailable

from .files_place import FilesPlace, name_pattern, path_problem

_PAGE_BYTES = 1024 * 1024
_DANGLING = "it is a link to nothing; mend or remove it"


@dataclass(frozen=True, slots=True)
class FilesOptions:
    """A folder of files."""

    root: Path = option("The folder that all places of this connection lie in.", where=True)
    max_bytes: int = option("The largest file that is read or written, in bytes.", default=16 * 1024 * 1024)
    secrets: bool = option(
        "The files hold secrets: every value is treated as one, and new files are readable by their"
        " owner only.",
        default=False,
    )


_FREE = Prices(get=Price(0), peek=Price(0), create=Price(0), update=Price(0), delete=Price(0))
"""There is nobody to call: a disk is asked as often as one likes."""


class FilesAdapter:
    """Built from `FilesOptions`. Ids are POSIX paths relative to the root folder."""

    Options: ClassVar[type] = FilesOptions
    Place: ClassVar[type] = FilesPlace

    def __init__(self, options: FilesOptions) -> None:
        self._options = options
        self._root = Path(options.root)
        self._features = Features(
            guard=Guard.D,
            ids=Limits(
                min_bytes=1,
                max_bytes=4096,
                rules=(
                    Rule(r"(^|/)\.{0,2}(/|$)", "a path has no empty, '.' or '..' part"),
                    Rule(r"[\x00-\x1f\x7f]", "a path has no control characters"),
                    Rule(r"[^/]{256}", "a file name has at most 255 characters"),
                ),
            ),
            values=Limits(max_bytes=options.max_bytes),
            holds_secrets=options.secrets,
            ordered_listing=True,
            prices=_FREE,
        )

    @property
    def features(self) -> Features:
        return self._features

    def list(self, place: FilesPlace, since: Token | None) -> Listing:
        """All files of the place. Raises `Unavailable` where a glob's folder is not there."""
        del since
        return Listing(self._pages(place))

    def get(self, ids: Sequence[ItemId]) -> Listing:
        return Listing(self._point_pages(ids))

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [self._write(one) for one in writes]

    def close(self) -> None:
        return None

    def _pages(self, place: FilesPlace) -> Iterator[Page]:
        self._require_root()
        if place.single_item is not None:
            yield from self._point_pages([place.single_item])
            return
        folder = self._root / place.root
        if not folder.is_dir():
            raise Unavailable(f"{folder} is not a folder; create it, or correct the place")
        unread: list[str] = []
        items: list[Item] = []
        size = 0
        for id in _walk(self._root, place.root, place, unread):
            item = self._item(id)
            if item is None:
                continue
            items.append(item)
            size += len(item.value or b"")
            if size > _PAGE_BYTES:
                yield Page(tuple(items), calls=0)
                items, size = [], 0
        if unread:
            yield Page(tuple(items), calls=0)
            raise Denied(f"{len(unread)} folders or names cannot be read, first {unread[0]}")
        yield Page(tuple(items), proof=Proof(), calls=0)

    def _point_pages(self, ids: Sequence[ItemId]) -> Iterator[Page]:
        self._require_root()
        found = [(id, self._item(id)) for id in ids]
        items = tuple(item for _, item in found if item is not None)
        yield Page(items, tuple(id for id, item in found if item is None), Proof(), calls=0)

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise Unavailable(f"the root folder {self._root} is not there; mount it or correct option root")

    def _item(self, id: ItemId) -> Item | None:
        """The file of an id; unreadable with a reason where it may not or cannot be read; None if absent."""
        path, secret = self._root / id, self._options.secrets
        problem = path_problem(id)
        try:
            if not problem:
                raw = self._content(path)
                return Item(id, raw, secret=secret, revision=_revision(raw))
        except (FileNotFoundError, NotADirectoryError):
            if not path.is_symlink():
                return None
            problem = _DANGLING
        except _Unreadable as error:
            problem = str(error)
        except OSError as error:
            problem = _reason(error)
        return Item(id, None, secret=secret, unreadable=f"{path}: {problem}")

    def _inside(self, path: Path) -> bool:
        return _real(path).is_relative_to(_real(self._root))

    def _content(self, path: Path) -> bytes:
        """Raises OSError, and _Unreadable for what no file of ours is."""
        real = _real(path)
        if not real.is_relative_to(_real(self._root)):
            raise _Unreadable("it is a link that leads out of the root folder")
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _Unreadable("it is not a regular file")
            raw = file.read(self._options.max_bytes + 1)
        if len(raw) > self._options.max_bytes:
            raise _Unreadable(f"it is larger than max_bytes, {self._options.max_bytes}; raise that option")
        return raw

    def _write(self, write: Write) -> Outcome:
        self._require_root()
        path = self._root / write.id
        try:
            problem = path_problem(write.id) or self._target_problem(path, write)
            if problem:
                raise _Unreadable(problem)
            if isinstance(write, Delete):
                return self._delete(write, path)
            real = _real(path)
            real.parent.mkdir(parents=True, exist_ok=True)
            with _locked(real.parent):
                return self._replace(write, real) if write.expected else self._create(write, real)
        except _Unreadable as error:
            return Outcome(write.id, Verdict.REFUSED, reason=f"{path}: {error}")
        except (FileExistsError, NotADirectoryError):
            reason = f"{path}: a file stands where a folder of it would be; rename one of them"
            return Outcome(write.id, Verdict.REFUSED, reason=reason)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return Outcome(write.id, Verdict.REFUSED, reason=f"{path}: {_reason(error)}")
            raise _translated(error, path) from None

    def _target_problem(self, path: Path, write: Write) -> str:
        """Why this is not written there; empty where it may be."""
        if isinstance(write, Put) and len(write.value) > self._options.max_bytes:
            return f"{len(write.value)} bytes, over max_bytes {self._options.max_bytes}; raise that option"
        if not self._inside(path):
            return "it leads out of the root folder through a link"
        return _DANGLING if path.is_symlink() and not path.exists() else ""

    def _create(self, put: Put, path: Path) -> Outcome:
        mode = 0o600 if self._options.secrets or put.secret else None
        with _temporary(path, put.value, mode, None) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                if path.is_dir():
                    raise _Unreadable("a folder has this name") from None
                return Outcome(put.id, Verdict.RACED, reason=f"{path} is there already")
        _sync_folder(path.parent)
        return Outcome(put.id, Verdict.APPLIED, revision=_revision(put.value))

    def _replace(self, put: Put, path: Path) -> Outcome:
        seen = self._revision_at(path)
        if seen != put.expected:
            return _raced(put, path)
        with _temporary(path, put.value, None, path.stat()) as temporary:
            if self._revision_at(path) != put.expected:
                return _raced(put, path)
            temporary.replace(path)
        _sync_folder(path.parent)
        return Outcome(put.id, Verdict.APPLIED, revision=_revision(put.value), replaced=seen)

    def _delete(self, delete: Delete, path: Path) -> Outcome:
        if not path.parent.is_dir():
            return _raced(delete, path)
        with _locked(path.parent):
            seen = self._revision_at(path)
            if seen != delete.expected:
                return _raced(delete, path)
            path.unlink()
        _sync_folder(path.parent)
        return Outcome(delete.id, Verdict.APPLIED, replaced=seen)

    def _revision_at(self, path: Path) -> str | None:
        try:
            return _revision(self._content(path))
        except FileNotFoundError:
            return None


class _Unreadable(Exception):
    """What stands at a path is no file that this connection reads."""


def _real(path: Path) -> Path:
    """The path behind all links; unlike `Path.resolve` it takes links that lead in a circle."""
    return Path(os.path.realpath(path))


def _revision(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _raced(write: Write, path: Path) -> Outcome:
    return Outcome(write.id, Verdict.RACED, reason=f"{path} is not what was read; plan again")


def _walk(root: Path, folder: str, place: FilesPlace, unread: list[str]) -> Iterator[ItemId]:
    """Ids of the files that match, in byte order. Folders behind links are not entered by a wildcard."""
    try:
        with os.scandir(root / folder) as entries:
            found = [(f"{e.name}/" if _is_folder(e) else e.name, e.is_symlink()) for e in entries]
    except OSError:
        unread.append(str(root / folder))
        return
    for name, is_link in sorted(found, key=lambda one: os.fsencode(one[0])):
        id = f"{folder}{name}"
        if name.endswith("/"):
            if _leads_on(id, is_link, place):
                yield from _walk(root, id, place, unread)
        elif place.holds(id):
            if path_problem(id):
                unread.append(repr(id))
            else:
                yield id


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads in a circle is none, and its item will say so."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _leads_on(folder: str, is_link: bool, place: FilesPlace) -> bool:
    """Could a file of the place lie below this folder?"""
    names = folder.rstrip("/").split("/")
    for name, part in zip(names, place.parts[:-1], strict=False):
        if part == "**":
            return not (is_link or names[-1].startswith("."))
        if not name_pattern(part).fullmatch(name) or (is_link and name != part and name == names[-1]):
            return False
    return len(names) < len(place.parts) or place.parts[-1] == "**"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer of this adapter at a time in a folder, across processes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _temporary(path: Path, raw: bytes, mode: int | None, like: os.stat_result | None) -> Iterator[Path]:
    """A synced file beside ``path``, gone when the block ends unless it was renamed."""
    temporary = path.with_name(f".ecs-sync-{secrets.token_hex(8)}.tmp")
    first = 0o600 if like or mode else 0o666
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, first)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(raw)
            file.flush()
            if like:
                _resemble(descriptor, like)
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _resemble(descriptor: int, like: os.stat_result) -> None:
    """Gives a new file the owner and mode of the one that it replaces."""
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError:
            raise _Unreadable("it belongs to another user or group, which a new file would not") from None
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _sync_folder(folder: Path) -> None:
    """Makes a rename last. Raises `Unacknowledged`: by now the write can be seen."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unacknowledged(f"{folder}: written, and not yet safe on the disk: {_reason(error)}") from None


_REASONS = {
    errno.EACCES: "permission denied; give the account that runs ecs-sync access",
    errno.EPERM: "operation not permitted; give the account that runs ecs-sync access",
    errno.EROFS: "the file system is read-only; mount it for writing",
    errno.ENOSPC: "no space left on the disk; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.ENAMETOOLONG: "a name in it is too long for the file system; shorten it",
    errno.EFBIG: "larger than the limit of this process or file system allows; raise it",
}
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or os.strerror(error.errno or 0)


def _translated(error: OSError, path: Path) -> AdapterError:
    """The class of an error before the rename, when nothing was applied."""
    message = f"{path}: {_reason(error)}"
    return Denied(message) if error.errno in _DENIED else Unavailable(message)
