"""The command in a process of its own that is watched, and all that can be known of what it left.

What is watched is listed at `Traces`. The process is `tests.canary_everywhere.process`; it takes one call
of the command after another, because a start costs more than a call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.canary import hits


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Watched:
    """A context manager around the process. ``home`` is where the command stands.

    ``safe`` is a folder for places that are made for secrets.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.home, self.temporary = folder / "home", folder / "tmp"
        self.kept, self.told = folder / "kept", folder / "told"
        self.safe = folder / "safe"
        for each in (self.home, self.temporary, self.kept, self.told, self.safe):
            each.mkdir()
        self.answers: list[tuple[Sequence[str], Answer]] = []
        self._errors = (self.told / "stderr").open("wb")
        folders = (self.kept, self.told, self.safe)
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("ECS_SYNC")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.canary_everywhere.process", *map(str, folders)],
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **inherited,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
                "TMPDIR": str(self.temporary),
                "GRPC_VERBOSITY": "DEBUG",
                "BOTO_CONFIG": os.devnull,
                "HOME": str(self.home),
                **(environment or {}),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()

    def __call__(self, *words: str, given: str = "") -> Answer:
        """One call of the command, with something on its standard input."""
        answer = Answer(**self._ask({"words": words, "given": given}))
        self.answers.append((words, answer))
        return answer

    def leak(self, way: str, secret: str) -> None:
        """Lets the process give a secret away: see `process.WAYS`. For tests of the search."""
        self._ask({"leak": way, "secret": secret})

    @contextmanager
    def calling(self, *words: str) -> Iterator[None]:
        """A call that goes on while the block runs, until something stops it. Its answer is kept."""
        self._send({"words": words, "given": ""})
        yield
        self.answers.append((words, Answer(**self._received())))

    def _ask(self, line: dict[str, Any]) -> dict[str, Any]:
        self._send(line)
        return self._received()

    def _send(self, line: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def _received(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the process ended: {(self.told / 'stderr').read_text(errors='replace')[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Traces:
    """All that a watched process left, each trace with where it was found.

    - ``output WORDS``: what the command printed, on both streams;
    - ``told/log``: every record of every logger at every level, with its exception and its arguments;
    - ``told/wire``: what `http.client` prints of what it sends, at its ``debuglevel``;
    - ``told/children``: arguments and environment of every process that was started;
    - ``told/stderr``: what libraries that are not Python write, those of gRPC and of the interpreter itself;
    - ``tmp/...``, ``home/...``: files as they are: the store with its WAL and freed pages, saved plans, keys;
    - ``kept/...``: files that were removed, renamed or replaced, and those that never had a name;
    - ``open/...``: files that the process has open and that have no name any more.
    """

    found: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, watched: Watched, *more: tuple[str, bytes]) -> Traces:
        """As they are now. ``more`` are traces that somebody else gathered, such as requests to a server."""
        said = [(f"output {' '.join(words)}", _spoken(answer)) for words, answer in watched.answers]
        return cls((*said, *_files(watched), *_nameless(watched.process.pid), *more))

    def where(self, wanted: Iterable[bytes]) -> list[str]:
        """The places where one of these stands, each once."""
        forms = list(wanted)
        return list(dict.fromkeys(name for name, content in self.found if hits(forms, content)))

    def within(self, *beginnings: str) -> Traces:
        """Those whose places begin so."""
        return Traces(tuple(each for each in self.found if each[0].startswith(beginnings)))


def _spoken(answer: Answer) -> bytes:
    return (answer.out + answer.err).encode("utf-8", "surrogateescape")


def _files(watched: Watched) -> Iterator[tuple[str, bytes]]:
    for folder in (watched.home, watched.temporary, watched.kept, watched.told):
        for path in sorted(folder.rglob("*")):
            # Names give away as well as contents do.
            name = f"{folder.name}/{path.relative_to(folder)}"
            yield name, name.encode() + (b"\0" + path.read_bytes() if path.is_file() else b"")


def _nameless(process: int) -> Iterator[tuple[str, bytes]]:
    """Open files without a name: such as what SQLite sorts in, which no hook of Python sees."""
    for link in Path(f"/proc/{process}/fd").glob("*"):
        try:
            target = str(link.readlink())
            if target.startswith("/") and target.endswith("(deleted)"):
                yield f"open/{target}", link.read_bytes()
        except OSError:
            continue
