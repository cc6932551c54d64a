"""A document that cannot be read, or not all of it: 1, with file and line; its keys stay as they are."""

from __future__ import annotations

import os

from .cases import Arrangement, Case, document
from .configurations import BOMB
from .ground import CANARY, Ground

YAML, JSON, ENV = 'a: "1"\n', '{"a": "1"}', "a=1\n"
ENTITIES = """\
<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<x><a>&c;</a></x>
"""
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x><a>&a;</a></x>'


def yaml(bad: bytes) -> Arrangement:
    return document("s.yaml", YAML, bad)


def json(bad: bytes) -> Arrangement:
    return document("s.json", JSON, bad)


def twice(spoil: Arrangement) -> Arrangement:
    """A run takes in what can be read, so that the next one has nothing left to do."""

    def arrange(ground: Ground) -> None:
        spoil(ground)
        assert ground("sync", "documents").code == 1

    return arrange


def _large(ground: Ground) -> None:
    yaml(b'a: "1"\n')(ground)
    os.truncate(ground.file("s.yaml"), 200 * 2**20)


def _folder(ground: Ground) -> None:
    yaml(b"")(ground)
    ground.file("s.yaml").unlink()
    ground.file("s.yaml").mkdir()


def _link_out(ground: Ground) -> None:
    yaml(b"")(ground)
    (ground.folder / "outside.yaml").write_text(f"a: {CANARY}\n")
    ground.file("s.yaml").unlink()
    ground.file("s.yaml").symlink_to("../outside.yaml")


def _pipe(ground: Ground) -> None:
    yaml(b"")(ground)
    ground.file("s.yaml").unlink()
    os.mkfifo(ground.file("s.yaml"))


def _no_root(ground: Ground) -> None:
    yaml(b"a: 1\n")(ground)
    ground.file("").rename(ground.folder / "elsewhere")


def seen(name: str, arrange: Arrangement, *says: str) -> Case:
    """A document's row: no key of it is seen, and nothing happens to any."""
    return Case(name, arrange, "sync documents", 1, ("documents", *says))


CASES = [
    seen("a YAML bomb", yaml(BOMB), "s.yaml:", "100000"),
    seen("a document of 200 MB", _large, "s.yaml", "max_bytes"),
    seen("an entity bomb", document("s.xml", "<x><a>1</a></x>", ENTITIES.encode()), "s.xml:1", "DTD"),
    seen(
        "an entity that reads a file",
        document("s.xml", "<x><a>1</a></x>", OUTSIDE.encode()),
        "s.xml:1",
        "DTD",
    ),
    seen(
        "an object of Python",
        yaml(b"a: !!python/object/apply:os.system [id]\n"),
        "s.yaml:1",
        "a YAML tag that has no meaning",
    ),
    seen(
        "an anchor that holds itself",
        yaml(b"a: &a {b: *a}\n"),
        "s.yaml:1:11",
        "inside the value that it means",
    ),
    seen("a YAML key that stands twice", yaml(f"a: 1\na: {CANARY}\n".encode()), "s.yaml:", "a", "twice"),
    seen(
        "a JSON name that stands twice", json(f'{{"a": "1", "a": "{CANARY}"}}'.encode()), "s.json:1", "twice"
    ),
    seen("JSON of a hundred thousand levels", json(b'{"a": ' + b"[" * 100_000), "s.json:1", "100 levels"),
    seen("not a number", json(b'{"a": NaN}'), "s.json:1:7", "expected a JSON value"),
    seen("half a surrogate pair", json(rb'{"a": "\ud800"}'), "s.json:1", "surrogate"),
    seen("JSON that breaks off", json(f'{{"a": "{CANARY}'.encode()), "s.json:1:7"),
    seen("an empty JSON file", json(b""), "s.json:1"),
    seen("a quote that is not closed", document(".env", ENV, f'a="{CANARY}\nb=2\n'.encode()), ".env:1"),
    seen("TOML that is none", document("s.toml", 'a = "1"\n', f"a = {CANARY}\n".encode()), "s.toml:1:5"),
    seen("INI without a section", document("s.ini", "[x]\na = 1\n", f"{CANARY}\n".encode()), "s.ini:1"),
    seen("CSV without its columns", document("s.csv", "key,value\na,1\n", b"a,1\n"), "s.csv:1"),
    seen("bytes that are no text", yaml(b"a: \xff\xfe\n"), "s.yaml:1", "UTF-8"),
    seen("UTF-16", yaml('a: "1"\n'.encode("utf-16")), "s.yaml:1:1", "UTF-16"),
    seen("a NUL", yaml(b'a: "1\x00"\n'), "s.yaml:1"),
    seen("a folder where a file is expected", _folder, "s.yaml", "directory"),
    seen("a link that leads out of the root", _link_out, "s.yaml", "leads out"),
    seen("a pipe where a file is expected", _pipe, "s.yaml"),
    seen("a root that is gone", _no_root, "files"),
    seen("a key with two dots", yaml(b'a: "1"\n..: {b: 1}\n'), "s.yaml:2", "'..'"),
    seen(
        "a key of the terminal's own", json(rb'{"a": "1", "\u001b[2J": 1}'), "s.json:1", "control character"
    ),
    seen(
        "two spellings of one name",
        twice(json(b'{"a": "1", "caf\\u00e9": 1, "cafe\\u0301": 2}')),
        "s.json:1",
        "NFC",
    ),
]
