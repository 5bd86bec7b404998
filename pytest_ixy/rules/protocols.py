"""Names of the protocols that turn up in captures where they are not expected."""

from __future__ import annotations

IPV4, IPV6 = 0x0800, 0x86DD
SMALLEST_TYPE = 1536
"""Below it stands a length, and LLC follows."""

ETHERTYPES = {
    IPV4: "IPv4",
    IPV6: "IPv6",
    0x0806: "ARP",
    0x0842: "Wake-on-LAN",
    0x8035: "RARP",
    0x8100: "VLAN in VLAN in VLAN",
    0x8808: "Ethernet flow control",
    0x8809: "LACP and other slow protocols",
    0x8847: "MPLS",
    0x8848: "MPLS multicast",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE",
    0x888E: "EAPOL",
    0x88A8: "VLAN in VLAN in VLAN",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88F7: "PTP",
    0x9000: "Ethernet loopback test",
    0x9100: "VLAN in VLAN in VLAN",
}

PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    4: "IPv4",
    6: "TCP",
    41: "IPv6",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "nothing",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    132: "SCTP",
}


def named(kind: int, protocol: int = -1) -> str:
    """A frame in words, by its EtherType and by what IP carries, -1 where it is not IP."""
    if protocol >= 0:
        return f"{PROTOCOLS.get(protocol, f'protocol {protocol}')} over {ETHERTYPES[kind]}"
    if kind < SMALLEST_TYPE:
        return "LLC (such as spanning tree)"
    return ETHERTYPES.get(kind, f"EtherType 0x{kind:04x}")


def address(number: int) -> str:
    """A MAC address as it is written."""
    return number.to_bytes(6, "big").hex(":")
