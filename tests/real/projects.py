"""Configuration of real projects: where it lies, what it holds, what no place can take, and edits of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

SECRET = "it is a secret, and the link says 'secrets: refuse'"
EMPTY = "the value is empty"
AT_CONSUL = "the name is not one that the place takes: only letters, digits and , - _ . /"
AT_SSM = "the name is not one that the place takes: SSM names are"


@dataclass(frozen=True)
class Edit:
    """A value given at Consul, and what must become of the bytes of one file, where ``before`` is once."""

    key: str
    value: str
    file: str
    before: bytes
    after: bytes


@dataclass(frozen=True)
class Project:
    """One job. ``refused`` has for each link the keys it cannot take, each with the reason to be given."""

    name: str
    folder: str
    place: str
    entries: int
    edits: tuple[Edit, ...]
    mapping: str = "document"
    secret: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    grammar: str = "strict"


def petclinic(profile: str, entries: int, *edits: Edit, secrets: frozenset[str] = frozenset()) -> Project:
    """The documents for one profile of all files; what has no profile is for ``none``."""
    chosen = "" if profile == "none" else f", profile: {profile}"
    return Project(
        f"petclinic-{profile}",
        "petclinic",
        "*.yml",
        entries,
        edits,
        f"{{name: document, prefix: stem{chosen}}}",
        ("*password*",),
        secrets,
        {"consul": dict.fromkeys(secrets, SECRET)},
    )


def _eshop(service: str, key: str, value: str, before: bytes, after: bytes) -> Edit:
    return Edit(
        f"{service}/appsettings.json/{key}", value, f"eshop/{service}/appsettings.json", before, after
    )


_PASSWORDS = {f"POSTGRES{which}_PASSWORD" for which in ("", "_ASTRONOMY", "_MONITORING")}
_CONNECTIONS = {
    f"{s}.API/appsettings.Development.json/ConnectionStrings/{s}DB" for s in ("Catalog", "Ordering")
}
_PERCENT = {
    f"flags/{flag}/variants/{n}%"
    for flag in ("cartFailure", "paymentFailure")
    for n in (10, 25, 50, 75, 90, 100)
}
_ATTRIBUTES = {
    "Configuration/@status",
    "Configuration/Appenders/Console/@name",
    "Configuration/Appenders/Console/@target",
    "Configuration/Appenders/Console/PatternLayout/@pattern",
    "Configuration/Loggers/Root/@level",
    "Configuration/Loggers/Root/AppenderRef/@ref",
}

PROJECTS = (
    petclinic(
        "none",
        34,
        Edit(
            "application/server/shutdown",
            "immediate",
            "petclinic/application.yml",
            b"shutdown: graceful",
            b"shutdown: immediate",
        ),
        Edit("vets-service/vets/cache/ttl", "90", "petclinic/vets-service.yml", b"ttl: 60", b"ttl: 90"),
        Edit(
            "api-gateway/spring.messages.basename",
            "texts/shop",
            "petclinic/api-gateway.yml",
            b"basename: messages/messages",
            b"basename: texts/shop",
        ),
    ),
    petclinic(
        "default",
        5,
        Edit(
            "visits-service/eureka/instance/instance-id",
            "${random.uuid}",
            "petclinic/visits-service.yml",
            b"instance-id: ${spring.application.name}:${random.uuid}",
            b"instance-id: ${random.uuid}",
        ),
    ),
    petclinic(
        "docker",
        12,
        Edit(
            "customers-service/server/port",
            "8181",
            "petclinic/customers-service.yml",
            b"port: 8081",
            b"port: 8181",
        ),
        Edit(
            "application/management/tracing/export/zipkin/endpoint",
            "http://zipkin:9411/",
            "petclinic/application.yml",
            b'endpoint: "http://tracing-server:9411/api/v2/spans"',
            b'endpoint: "http://zipkin:9411/"',
        ),
    ),
    petclinic(
        "mysql",
        6,
        Edit("application/spring/sql/init/mode", "NEVER", "petclinic/application.yml", b"ALWAYS", b"NEVER"),
        secrets=frozenset({"application/spring/datasource/password"}),
    ),
    Project(
        "eshop",
        "eshop",
        "**/*.json",
        57,
        (
            _eshop(
                "Catalog.API",
                "CatalogOptions/UseCustomizationData",
                "true",
                b'"UseCustomizationData": false',
                b'"UseCustomizationData": true',
            ),
            _eshop(
                "Identity.API",
                "TokenLifetimeMinutes",
                "240",
                b'"TokenLifetimeMinutes": 120',
                b'"TokenLifetimeMinutes": 240',
            ),
            _eshop(
                "Basket.API",
                "ConnectionStrings/Redis",
                "redis:6379",
                b'"Redis": "localhost"',
                b'"Redis": "redis:6379"',
            ),
        ),
        "{name: document, prefix: path}",
        secrets=frozenset(_CONNECTIONS),
        refused={"consul": dict.fromkeys(_CONNECTIONS, SECRET)},
    ),
    Project(
        "kafka",
        "kafka",
        "server.properties",
        24,
        (
            Edit("num/partitions", "3", "kafka/server.properties", b"num.partitions=1", b"num.partitions=3"),
            Edit(
                "log/dirs",
                "/var/lib/kafka",
                "kafka/server.properties",
                b"/tmp/kraft-combined-logs",
                b"/var/lib/kafka",
            ),
        ),
    ),
    Project(
        "demo",
        "otel-demo",
        "demo.env",
        138,
        (
            Edit("LOAD_GENERATOR_VUS", "7", "otel-demo/demo.env", b"GENERATOR_VUS=5\n", b"GENERATOR_VUS=7\n"),
            Edit(
                "AD_ADDR",
                "${AD_HOST}:${AD_PORT}",
                "otel-demo/demo.env",
                b"AD_ADDR=ad:${AD_PORT}",
                b"AD_ADDR=${AD_HOST}:${AD_PORT}",
            ),
        ),
        secret=("*_password",),
        secrets=frozenset(_PASSWORDS),
        refused={"consul": dict.fromkeys(_PASSWORDS, SECRET), "ssm": {"API_KEY": EMPTY}},
    ),
    Project(
        "grafana",
        "otel-demo",
        "grafana.ini",
        11,
        (
            Edit(
                "server/http_port",
                "3001",
                "otel-demo/grafana.ini",
                b"\nhttp_port = 3000",
                b"\nhttp_port = 3001",
            ),
            Edit(
                "auth.anonymous/org_role",
                "Viewer",
                "otel-demo/grafana.ini",
                b"\norg_role = Admin \n",
                b"\norg_role = Viewer \n",
            ),
        ),
    ),
    Project(
        "flagd",
        "otel-demo",
        "demo.flagd.json",
        95,
        (
            Edit(
                "flags/adFailure/defaultVariant",
                "on",
                "otel-demo/demo.flagd.json",
                b'"adFailure": {\n      "defaultVariant": "off"',
                b'"adFailure": {\n      "defaultVariant": "on"',
            ),
            Edit(
                "flags/kafkaQueueProblems/variants/on",
                "250",
                "otel-demo/demo.flagd.json",
                b'"off": 0,\n        "on": 100\n',
                b'"off": 0,\n        "on": 250\n',
            ),
        ),
        refused={
            "consul": dict.fromkeys({"$schema", *_PERCENT}, AT_CONSUL),
            "ssm": dict.fromkeys({"$schema", *_PERCENT}, AT_SSM),
        },
    ),
    Project(
        "log4j2",
        "otel-demo",
        "log4j2.xml",
        6,
        (
            Edit(
                "Configuration/Loggers/Root/@level",
                "DEBUG",
                "otel-demo/log4j2.xml",
                b'<Root level="INFO">',
                b'<Root level="DEBUG">',
            ),
        ),
        refused={"ssm": dict.fromkeys(_ATTRIBUTES, AT_SSM)},
        grammar="any",
    ),
)
"""Consul takes the names of XML's attributes only where its operator says so: ``key_grammar: any``."""
