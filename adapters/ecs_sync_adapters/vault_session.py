"""A connection to Vault in use: every call with a token that is good, its answer checked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from ecs_sync.adapter import Item, ItemId, Outcome, Page, Proof, Verdict, Write, counted
from ecs_sync.errors import ConfigError
from ecs_sync_adapters.failure_kind import Kind, reading_error, writing_error
from ecs_sync_adapters.vault_errors import checked, failure_of
from ecs_sync_adapters.vault_login import Identity
from ecs_sync_adapters.vault_options import VaultOptions, VaultPlace, folder_fault, id_fault
from ecs_sync_adapters.vault_wire import Answer, Failure, Line, Target, Wire

T = TypeVar("T")


class Session:
    """One server, one mount, one identity; shared by all threads. Connects to nothing before it is asked."""

    def __init__(self, adapter: str, options: VaultOptions) -> None:
        """Raises ConfigError with all that is wrong with the files it needs."""
        if wrong := list(options.reach.problems()):
            raise ConfigError(f"{adapter}: " + "; ".join(wrong))
        times = (options.connect_timeout, options.read_timeout)
        self._line = Line(Target(options.url, options.namespace, options.reach, *times))
        self._identity = Identity(options, self._line)
        self.mount = options.mount
        self.where = f"Vault at {options.url}, mount {options.mount}"

    @property
    def made(self) -> int:
        """Calls made so far in this thread, but for those that log in or look after a token."""
        return self._line.made

    def ask(self, operation: Callable[[Wire], Any]) -> Answer | Failure:
        """The checked answer of one call: status 200 or 204, or 404 for what is not there.

        A call that is denied because its token is dead is made again with a new one: nothing was applied.
        """
        bearer = self._identity.current()
        if isinstance(bearer, Failure):
            return bearer
        answer: Answer | Failure = operation(Wire(self._line, bearer.token))
        if isinstance(answer, Answer) and answer.status == 403:
            fresh = self._identity.after_denial(bearer)
            if isinstance(fresh, Failure):
                return fresh
            if fresh is not None:
                answer = operation(Wire(self._line, fresh.token))
        return checked(answer)

    def patiently(self, ask: Callable[[], T]) -> Generator[Page, None, tuple[T, int]]:
        """What ``ask`` gives, and the calls that it took: see `ecs_sync.adapter.counted`."""
        return (yield from counted(ask, lambda: self.made))

    def mounted(self, version: str) -> Answer | Failure:
        """What the server tells of the mount, which is KV of this version; else why it is not.

        Any token that may do anything below the mount may know.
        """
        answer = self.ask(lambda wire: wire.get(f"/v1/sys/internal/ui/mounts/{quote(self.mount)}"))
        return _not_kv(answer, version, self.mount) or answer

    def close(self) -> None:
        """Closes the connections. They are opened again when they are needed again."""
        self._line.close()


Lister = Callable[[str], "Answer | Failure"]
Look = Callable[[ItemId], "Item | None"]


def listed(session: Session, lister: Lister, look: Look, place: VaultPlace) -> Iterator[Page]:
    """The secrets of a place as ``look`` sees them, in the byte order of their ids.

    A page for each folder and each secret: the engine paces pages, and so each call finds its turn. A folder
    that cannot be asked for, such as one named ``..``, is looked at like a secret. Raises what a failed call
    means, but for what may pass: that is asked for again.
    """
    waiting: list[list[str]] = [[place.root]]
    while waiting:
        if not waiting[-1]:
            waiting.pop()
            continue
        path = waiting[-1].pop()
        if not path or (path.endswith("/") and not folder_fault(path)):
            names, calls = yield from session.patiently(partial(_names, session, lister, path))
            waiting.append(names)
            yield Page(calls=calls)
        else:
            item, calls = yield from session.patiently(partial(look, path))
            yield Page(() if item is None else (item,), calls=calls)


def looked(session: Session, ids: Sequence[ItemId], look: Look) -> Iterator[Page]:
    """Each of these secrets as ``look`` sees it, a page for each."""
    for id in ids:
        before = session.made
        item = look(id)
        absent = (id,) if item is None else ()
        yield Page(() if item is None else (item,), absent, calls=session.made - before)
    yield Page(proof=Proof(), calls=0)


def carried_out(session: Session, write: Write, send: Callable[[Write], Outcome | Failure]) -> Outcome:
    """The outcome of one write; what is refused or denied is so by itself. Raises what any other failure
    means.
    """
    if problem := id_fault(write.id):
        return Outcome(write.id, Verdict.REFUSED, reason=f"the path {write.id!r} cannot be used: {problem}")
    answer = send(write)
    if isinstance(answer, Outcome):
        return answer
    if answer.kind in (Kind.REFUSED, Kind.DENIED):
        return Outcome(write.id, Verdict.REFUSED, reason=answer.reason)
    raise writing_error(answer, f"{session.where}: writing {write.id}")


def _names(session: Session, lister: Lister, folder: str) -> list[str]:
    """The full paths in one folder, last first."""
    answer = lister(folder)
    if isinstance(answer, Failure):
        raise reading_error(answer, f"{session.where}: listing {folder or '/'}")
    keys = [] if answer.status == 404 else answer.data.get("keys")
    if not isinstance(keys, list) or "" in keys:
        strange = Failure(Kind.UNANSWERED, "the answer is no list of names: check url and proxies")
        raise reading_error(strange, f"{session.where}: listing {folder or '/'}")
    return sorted((folder + str(key) for key in keys), key=lambda name: name.encode("utf-8"), reverse=True)


def _not_kv(answer: Answer | Failure, version: str, mount: str) -> Failure | None:
    """Why what is mounted is no KV of this version; None where it is."""
    if isinstance(answer, Failure):
        return answer
    if answer.status != 200:
        return failure_of(answer)
    path = str(answer.data.get("path") or "").strip("/")
    if path and mount.startswith(f"{path}/"):
        # The server tells of the mount above, in which a path of that name would be read and written.
        return Failure(Kind.REFUSED, f"{mount!r} lies below what is mounted at {path!r}: set mount to that")
    told = answer.data.get("options")
    options = told if isinstance(told, dict) else {}
    found = str(options.get("version", "1")) if answer.data.get("type") in ("kv", "generic") else ""
    if found == version:
        return None
    is_now = f"KV {found}: use adapter vault-kv{found}" if found else "no KV secrets engine"
    return Failure(Kind.REFUSED, f"what is mounted there is {is_now}")
