"""Roles, nodes, NICs and networks as plain data; nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass

PKTGEN, FWD, PCAP = "pktgen", "fwd", "pcap"


def played(name: str) -> str:
    """The role of who has that name: `fwd-2` is fwd started again, `pcap-back` pcap at the other end."""
    return name.partition("-")[0]


@dataclass(frozen=True)
class Nic:
    """One network device of a node.

    Attributes:
        network: Name of the L2 segment that it is plugged into.
        pci: PCI address in the node, such as `0000:00:06.0`.
        variable: Environment variable that tells a role this address.
    """

    network: str
    pci: str
    variable: str

    @property
    def key(self) -> str:
        """What the address is called in `[test.pci_addresses]`, such as `fwd_src`."""
        return self.variable.removeprefix("PCI_ADDR_").lower()


@dataclass(frozen=True)
class Node:
    """One machine, named after the role that it runs."""

    name: str
    nics: tuple[Nic, ...]


@dataclass(frozen=True)
class Topology:
    """Machines and the networks that join their NICs.

    `nodes` stand in the order in which their roles are started.
    """

    networks: tuple[str, ...]
    nodes: tuple[Node, ...]

    def node(self, name: str) -> Node:
        """The node of that name; KeyError when there is none."""
        return {node.name: node for node in self.nodes}[name]


@dataclass(frozen=True)
class PciAddresses:
    """Where the four test NICs stand; the defaults are ixy-ci's."""

    pktgen: str = "0000:00:06.0"
    fwd_src: str = "0000:00:06.0"
    fwd_dst: str = "0000:00:07.0"
    pcap: str = "0000:00:06.0"

    @property
    def configured(self) -> frozenset[str]:
        """Names of those that somebody chose: ixy-ci's own stand in every config.toml."""
        usual = PciAddresses()
        return frozenset(name for name, value in vars(self).items() if value != getattr(usual, name))


def forward_topology(pci: PciAddresses) -> Topology:
    """pktgen and fwd joined by `pktgen-fwd`, fwd and pcap by `fwd-pcap` (ixy-ci's names)."""
    first, second = "pktgen-fwd", "fwd-pcap"
    return Topology(
        networks=(first, second),
        nodes=(
            Node(PCAP, (Nic(second, pci.pcap, "PCI_ADDR_PCAP"),)),
            Node(
                FWD,
                (
                    Nic(first, pci.fwd_src, "PCI_ADDR_FWD_SRC"),
                    Nic(second, pci.fwd_dst, "PCI_ADDR_FWD_DST"),
                ),
            ),
            Node(PKTGEN, (Nic(first, pci.pktgen, "PCI_ADDR_PKTGEN"),)),
        ),
    )
