"""What may stand in config.toml: all of ixy-ci's keys, and what is new. Everything is optional."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pytest_ixy.tomlfile import RuleTables, Table

_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def _pci(address: str) -> str:
    if not _PCI.fullmatch(address.lower()):
        raise ValueError("should be a PCI address such as '0000:00:06.0' (as `lspci -D` prints it)")
    return address.lower()


def _repository(name: str) -> str:
    if not _REPOSITORY.fullmatch(name):
        raise ValueError("should be 'owner/name'")
    return name


PciAddress = Annotated[str, AfterValidator(_pci)]
Seconds = Annotated[float, Field(gt=0)]


class PciTable(Table):
    """`[test.pci_addresses]`: where the test NICs stand in their nodes."""

    pktgen: PciAddress = "0000:00:06.0"
    fwd_src: PciAddress = "0000:00:06.0"
    fwd_dst: PciAddress = "0000:00:07.0"
    pcap: PciAddress = "0000:00:06.0"

    @model_validator(mode="after")
    def _fwd_has_two(self) -> PciTable:
        if self.fwd_src == self.fwd_dst:
            raise ValueError("should have fwd_src and fwd_dst differ: they are two NICs of one node")
        return self


class PacketsTable(Table):
    """`[test]`."""

    packets: int | None = None
    pci_addresses: PciTable = PciTable()


class GitHubTable(Table):
    """`[github]`: kept for the service."""

    bot_name: str | None = None
    api_token: SecretStr | None = None
    webhook_secrets: dict[Annotated[str, AfterValidator(_repository)], SecretStr] = Field(
        default_factory=dict
    )


class OpenStackTable(Table):
    """`[openstack]`: kept for the provider of that name; it does not switch to it."""

    flavor: str | None = None
    image: str | None = None
    ssh_login: str | None = None
    keypair: str | None = None
    private_key_path: str | None = None
    auth_url: str | None = None
    user_name: str | None = None
    user_domain: str | None = None
    password: SecretStr | None = None
    project_name: str | None = None
    project_domain: str | None = None


class QemuTable(Table):
    """`[qemu]`: new. See the options of the same names."""

    image: str | None = None
    accel: str | None = None
    memory: int | None = None
    offline: bool | None = None


class Timeouts(Table):
    """`[timeouts]`: new. How long to wait for what, in seconds.

    Attributes:
        connect: From a machine's start until it answers over SSH.
        build: Each `build` command.
        ready: A role, until it shows that it is ready (targets that say how).
        settle: Given to a role that cannot show it.
        capture: pcap, from pktgen's start; the trial adds to it for many packets.
        stop: A role, until it is gone after it was told to stop.
        fetch: The target's clone, and the capture's way back.
    """

    connect: Seconds = 300.0
    build: Seconds = 1800.0
    ready: Seconds = 30.0
    settle: Seconds = 2.0
    capture: Seconds = 60.0
    stop: Seconds = 10.0
    fetch: Seconds = 600.0


class Config(Table):
    """The whole file."""

    bind_address: str | None = None
    public_url: str | None = None
    job_queue_size: Annotated[int, Field(ge=0)] | None = None
    log_directory: str | None = None
    github: GitHubTable | None = None
    openstack: OpenStackTable | None = None
    test: PacketsTable = PacketsTable()
    repo: str | None = None
    replay: str | None = None
    ref: str | None = None
    provider: str | None = None
    scenario: str | None = None
    artifacts: str | None = None
    dialect: str | None = None
    localise: str | None = None
    nic: str | list[str] | None = None
    idle: int | None = None
    rules: RuleTables = Field(default_factory=dict)
    qemu: QemuTable = QemuTable()
    timeouts: Timeouts = Timeouts()
