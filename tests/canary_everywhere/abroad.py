"""The tour abroad: a secret goes to every provider that holds secrets, and each fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.canary_everywhere.places import KINDS, Places, links, opened
from tests.canary_everywhere.tour import JOB, KEY, Tour, until
from tests.canary_everywhere.watched import Watched


@dataclass
class Abroad:
    tour: Tour
    places: Places

    @property
    def has_vault(self) -> bool:
        return self.places.bao is not None


def jobs(places: Places, safe: Path) -> dict[str, Any]:
    path = {"mapping": "path", "mode": "mirror"}
    noted = {"mapping": {"name": "path", "separator": "__"}, "mode": "import", "secrets": "reference"}
    return {
        JOB: {
            "scope": {"application": "app"},
            "secret": ["*password*"],
            "limits": {"changes": "100%", "deletes": "100%"},
            "every": "1s",
            "links": links(places.connections(safe)),
        },
        "referring": {
            "scope": {"application": "referring"},
            "references": ["vault/**", "keyvault/*"],
            "links": [
                {"connection": "ssm", "place": "/ref/", **path, "secrets": "copy"},
                {"connection": "azure", "place": "|ref/", **path, "secrets": "reference"},
                {"connection": "consul", "place": "ref/", **path, "secrets": "copy"},
            ],
        },
        "noting": {
            "scope": {"application": "noting"},
            "links": [{"connection": "gcp", "place": "app-", **noted, "priority": 5}],
        },
    }


@contextmanager
def begun(folder: Path) -> Iterator[Abroad]:
    """An installation with nothing in it, and with a key that Vault wraps, where that is there."""
    with opened(folder / "servers") as places, Watched(folder) as watched:
        (watched.home / "plain").mkdir()
        (watched.safe / "safe.yaml").write_text("{}\n")
        (watched.home / "plain" / "plain.yaml").write_text("{}\n")
        tour = Tour(watched, places.connections(watched.safe), jobs(places, watched.safe))
        abroad = Abroad(tour, places)
        wrapping = _wrapping(abroad, "secrets.key")
        tour.configure()
        tour.good("store", "new-key", "secrets.key", *wrapping)
        tour.good("init")
        yield abroad


def _wrapping(abroad: Abroad, name: str) -> tuple[str, ...]:
    """Makes the key of the store one that Vault wraps, where that is there; the words for the line."""
    if not abroad.has_vault:
        abroad.tour.key = f"file:{name}"
        return ()
    abroad.tour.key = {"wrapped": name, "by": "vault", "with": "ecs-sync"}
    return ("--by", "vault", "--with", "ecs-sync")


def everything(abroad: Abroad) -> None:
    carry(abroad)
    rotate(abroad)
    seal_anew(abroad)
    serve(abroad)
    fail(abroad)


def carry(abroad: Abroad) -> None:
    tour = abroad.tour
    tour.good("set", JOB, "db/url", "shown")
    tour.good("set", JOB, KEY, "--secret", given=tour.canary())
    tour.good("set", JOB, "db/token", "--secret", given=tour.canary())
    tour("plan", JOB, "--out", "first.plan")
    tour("apply", "first.plan", "-v")
    if abroad.has_vault:
        tour.good("set", "referring", KEY, "@secret:vault/app/db#password")
    tour.good("set", "referring", "kv/password", "@secret:keyvault/app-db--token")
    tour("sync", "-v")


def rotate(abroad: Abroad) -> None:
    """Somebody else writes at the providers; what is replaced there is archived, and copies follow."""
    tour, places = abroad.tour, abroad.places
    tour.write_safe({"db": {"password": tour.canary(), "token": tour.canary(), "url": "shown"}})
    places.keyvault.vault.set("app-db--token", {"value": tour.canary()})
    client = places.aws.client("secretsmanager")
    client.put_secret_value(SecretId="app/db/password", SecretString=tour.canary())
    places.aws.client().put_parameter(Name="/app/db/password", Value=tour.canary(), Overwrite=True)
    if places.bao is not None:
        places.bao.call("POST", "secret/data/app/db", {"data": {"password": tour.canary()}})
        places.bao.call("PUT", "old/app/db", {"password": tour.canary(), "url": "shown"})
    tour("drift", "--all", "-v", "-o", "json")
    for name in ("safe", "keyvault", "gcp", "ssm", "secrets", "consul"):
        tour("diff", f"{JOB}@1", f"{JOB}:{name}")
    tour("sync", "-v", "-o", "json")
    tour("sync", "-v", "-o", "markdown")
    tour("validate", "--references", "-v", "-o", "json")
    tour("store", "archive", JOB, "-o", "json")


def fail(abroad: Abroad) -> None:
    """Every fault at every provider at once, when it is asked and when it is written to."""
    tour, places = abroad.tour, abroad.places
    for kind in ("refused", "malformed", "shapeless"):
        with places.faulty(kind, tour.canary(), key=True):
            tour("get", JOB, "--all", "-v")
    for number, kind in enumerate(KINDS):
        format = ("text", "json", "markdown")[number % 3]
        with places.faulty(kind, tour.canary(), writes=False):
            tour("plan", JOB, "-v", "-o", format)
            if kind in ("denied", "malformed"):
                tour("validate", "--references", "-v", "-o", format)
        moved = tour.canary()
        tour.write_safe({"db": {"password": moved, "url": "shown"}})
        with places.faulty(kind, moved, writes=True):
            tour("sync", JOB, "-v", "-o", format)
    tour("sync", "-v")
    tour("audit", "show", "--limit", "1000")


def seal_anew(abroad: Abroad) -> None:
    tour = abroad.tour
    wrapping = _wrapping(abroad, "next.key")
    tour.good("store", "new-key", "next.key", *wrapping)
    tour.good("store", "rotate-key", "--to", "next.key", *wrapping)
    tour.configure()
    tour.good("get", JOB, "--all")


def serve(abroad: Abroad) -> None:
    """A worker carries a moved secret to everybody."""
    tour = abroad.tour
    with tour.working():
        moved = tour.canary()
        tour.write_safe({"db": {"password": moved, "url": "shown"}})
        until(lambda: _everywhere(abroad, moved), "the copies")


def _everywhere(abroad: Abroad, secret: str) -> bool:
    return all(secret[10:].encode() in sent for _, sent in abroad.places.received())
