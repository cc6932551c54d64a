"""What the tests of `aws-appconfig` share: an adapter of the sandbox, and somebody at the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecs_sync.adapter import Adapter, Attributes, Item, Listing, Outcome, Put, Write, attributes
from ecs_sync.testing.subject import pages_of
from ecs_sync_adapters.aws_appconfig import AppConfigAdapter, AppConfigOptions, AppConfigPlace
from ecs_sync_adapters.aws_appconfig_read import DELETED
from ecs_sync_sandbox.aws_appconfig import INSTANT, AppConfigServer

PLACE = AppConfigPlace("acme/prod/settings")
ID = "acme/prod/settings"
JSON = attributes({"content-type": "application/json"})


def adapter_of(server: AppConfigServer, **more: Any) -> AppConfigAdapter:
    given: dict[str, Any] = {
        "region": "eu-west-1",
        "credential": "explicit",
        "access_key_id": "AKIDSANDBOX",
        "secret_access_key": "word",
        "endpoint": server.url,
        "strategy": INSTANT,
        "missing_profile": "create",
        **more,
    }
    return AppConfigAdapter(AppConfigOptions(**given))


def items(listing: Listing) -> list[Item]:
    """All items of a complete listing."""
    pages = list(pages_of(listing))
    assert [page.proof is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item for page in pages for item in page.items]


def one(adapter: AppConfigAdapter, id: str = ID) -> Item:
    [item] = items(adapter.get([id]))
    return item


def write(adapter: Adapter, write: Write) -> Outcome:
    [outcome] = adapter.write([write])
    return outcome


def update(adapter: AppConfigAdapter, value: bytes) -> Outcome:
    """Writes over what is there now."""
    item = one(adapter)
    return write(adapter, Put(ID, value, item.revision, attributes=item.attributes))


def listed(adapter: AppConfigAdapter, place: AppConfigPlace = PLACE) -> list[Item]:
    return items(adapter.list(place, None))


@dataclass(frozen=True)
class Hand:
    """Somebody at the console: knows names, and nothing of the adapter but its mark of what is deleted."""

    client: Any

    def application(self, name: str) -> str:
        return _id(self.client.list_applications()["Items"], name)

    def environment(self, application: str, name: str) -> dict[str, str]:
        id = self.application(application)
        found = self.client.list_environments(ApplicationId=id)["Items"]
        return {"ApplicationId": id, "EnvironmentId": _id(found, name)}

    def profile(self, application: str, name: str, **more: Any) -> dict[str, str]:
        """The profile, made where there is none."""
        id = self.application(application)
        pages = self.client.get_paginator("list_configuration_profiles").paginate(ApplicationId=id)
        found = [each["Id"] for page in pages for each in page["Items"] if each["Name"] == name]
        if not found:
            made = self.client.create_configuration_profile(
                ApplicationId=id, Name=name, **{"LocationUri": "hosted", **more}
            )
            found = [made["Id"]]
        return {"ApplicationId": id, "ConfigurationProfileId": found[0]}

    def version(self, id: str, value: bytes, **more: Any) -> int:
        """A version that is deployed nowhere."""
        application, _, name = id.split("/")
        request = {"ContentType": "application/json", **more}
        profile = self.profile(application, name)
        made = self.client.create_hosted_configuration_version(Content=value, **profile, **request)
        return int(made["VersionNumber"])

    def deploy(self, id: str, version: int, strategy: str = INSTANT) -> int:
        application, environment, name = id.split("/")
        strategies = self.client.list_deployment_strategies()["Items"]
        made = self.client.start_deployment(
            **(self.environment(application, environment) | self.profile(application, name)),
            ConfigurationVersion=str(version),
            DeploymentStrategyId=_id(strategies, strategy),
        )
        return int(made["DeploymentNumber"])

    def strategy(self, name: str, **more: Any) -> None:
        self.client.create_deployment_strategy(
            **{"Name": name, "DeploymentDurationInMinutes": 10, "GrowthFactor": 20.0, **more}
        )

    def undo(self, id: str, number: int) -> None:
        """Rolls a deployment back that is under way, or reverts one that is complete."""
        application, environment, _ = id.split("/")
        there = self.environment(application, environment)
        self.client.stop_deployment(**there, DeploymentNumber=number, AllowRevert=True)

    def versions(self, id: str) -> list[int]:
        application, _, name = id.split("/")
        told = self.client.list_hosted_configuration_versions(**self.profile(application, name))["Items"]
        return sorted(each["VersionNumber"] for each in told)

    def deployments(self, id: str) -> list[tuple[int, str]]:
        """Number and version of the deployments in the environment, oldest first."""
        application, environment, _ = id.split("/")
        told = self.client.list_deployments(**self.environment(application, environment))["Items"]
        return sorted((each["DeploymentNumber"], each["ConfigurationVersion"]) for each in told)

    # What the contract suite asks of an outsider

    def set(self, id: str, value: bytes, attributes: Attributes = ()) -> None:
        told = dict(attributes).get("content-type", "application/json")
        self.deploy(id, self.version(id, value, ContentType=told))

    def delete(self, id: str) -> None:
        application, _, name = id.split("/")
        profile = self.profile(application, name)
        for number in self.versions(id):
            self.client.delete_hosted_configuration_version(**profile, VersionNumber=number)
        self.client.delete_configuration_profile(**profile)

    def get(self, id: str) -> bytes | None:
        parts = id.split("/")
        if len(parts) != 3:
            return None
        application, environment, name = parts
        here = self.application(application)
        profiles = self.client.get_paginator("list_configuration_profiles").paginate(ApplicationId=here)
        ids = [each["Id"] for page in profiles for each in page["Items"] if each["Name"] == name]
        there = self.environment(application, environment)
        pages = self.client.get_paginator("list_deployments").paginate(**there)
        for deployment in (each for page in pages for each in page["Items"]):
            if deployment["ConfigurationProfileId"] in ids:
                found = self.client.get_hosted_configuration_version(
                    ApplicationId=here,
                    ConfigurationProfileId=ids[0],
                    VersionNumber=int(deployment["ConfigurationVersion"]),
                )
                content: bytes = found["Content"].read()
                return None if found.get("Description") == DELETED else content
        return None


def _id(found: Any, name: str) -> str:
    [id] = [each["Id"] for each in found if each["Name"] == name]
    return str(id)
