"""What may stand in config.toml: all of ixy-ci's keys, and what is new. Everything is optional."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pytest_ixy.hosttable import HostTable, Shared, Time
from pytest_ixy.labtable import LabTable
from pytest_ixy.tomlfile import RuleTables, Table

_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def _pci(address: str) -> str:
    if not _PCI.fullmatch(address.lower()):
        raise ValueError("should be a PCI address such as '0000:00:06.0' (as `lspci -D` prints it)")
    return address.lower()


def _nic(address: str) -> str:
    return address.lower() if _MAC.fullmatch(address) else _pci(address)


def _repository(name: str) -> str:
    if not _REPOSITORY.fullmatch(name):
        raise ValueError("should be 'owner/name'")
    return name


NicAddress = Annotated[str, AfterValidator(_nic)]
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


VnicType = Literal["normal", "direct", "direct-physical", "macvtap"]


class VnicTable(Table):
    """`[openstack.vnic_types]`: how single test NICs are made, in place of `vnic_type`."""

    pktgen: VnicType | None = None
    fwd_src: VnicType | None = None
    fwd_dst: VnicType | None = None
    pcap: VnicType | None = None


class CloudTimeouts(Table):
    """`[openstack.timeouts]`: how long to wait for the cloud, in seconds.

    Attributes:
        request: The answer to one request.
        servers: Servers and volumes, until they are there.
        removal: Each thing, until it is gone.
    """

    request: Seconds = 60.0
    servers: Seconds = 900.0
    removal: Seconds = 300.0


class OpenStackTable(Table):
    """`[openstack]`: ixy-ci's keys, and new ones; it does not switch to the provider of that name.

    Attributes:
        cloud: A cloud of clouds.yaml, in place of auth_url and what belongs to it.
        region: Which of the cloud's regions.
        networks: The test networks by name or id, `pktgen-fwd` first; none of them to have both made.
        management_network: That by which the nodes are reached.
        floating_ip_pool: The external network that gives them addresses.
        floating_ips: False where the management network can be reached from here.
        availability_zone: Of the servers and volumes.
        volume: Size in GiB of a new volume to boot each server from; 0 for none.
        vnic_type, vnic_types: How test NICs are made.
    """

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
    cloud: str | None = None
    region: str | None = None
    networks: list[str] | None = None
    management_network: str | None = None
    floating_ip_pool: str | None = None
    floating_ips: bool = True
    availability_zone: str | None = None
    volume: Annotated[int, Field(ge=0)] | None = None
    vnic_type: VnicType = "normal"
    vnic_types: VnicTable = VnicTable()
    timeouts: CloudTimeouts = CloudTimeouts()


class StaticNode(HostTable):
    """`[static.pktgen]`, `.fwd`, `.pcap`: the host of a role.

    Attributes:
        nics: PCI or MAC address of the test NICs; of fwd first the one towards pktgen. Left out:
            those of `[test.pci_addresses]`.
    """

    nics: list[NicAddress] | None = None


class StaticTable(Shared):
    """`[static]`: hosts that exist, for the provider of that name.

    Attributes:
        wait: How long to wait while somebody else has the hosts, such as `30m`.
    """

    pktgen: StaticNode
    fwd: StaticNode
    pcap: StaticNode
    wait: Time = "1h"


class QemuTable(Table):
    """`[qemu]`: new. See the options of the same names."""

    image: str | None = None
    accel: str | None = None
    memory: int | None = None
    offline: bool | None = None


class TargetTable(Table):
    """`[[targets]]`: new. One of several repositories to test; see the options of the same names."""

    repo: str
    ref: str | None = None
    dialect: str | None = None
    roles: dict[str, str] = Field(default_factory=dict)
    nics: list[str] = Field(default_factory=list)


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
    static: StaticTable | None = None
    lab: LabTable | None = None
    tag: str | None = None
    test: PacketsTable = PacketsTable()
    repo: str | None = None
    targets: list[TargetTable] = Field(default_factory=list)
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
