"""The slow judge's rules about the bytes of frames."""

from __future__ import annotations

import struct

from slow_packets import FOUND, OTHER, UNREADABLE, Packet
from slow_trial import SKIPPED, Trial, Verdict, verdict


def size(trial: Trial) -> Verdict:
    if not trial.udp:
        return SKIPPED
    wrong = [
        place
        for place, packet in enumerate(trial.packets, 1)
        if packet.kind == FOUND and max(len(packet.data), packet.frame.original) != trial.dialect.size
    ]
    return verdict(wrong, {"wrong": len(wrong), "packets": len(trial.udp)}, wrong)


def structure(trial: Trial) -> Verdict:
    wrong = [
        place
        for place, packet in enumerate(trial.packets, 1)
        if packet.kind == UNREADABLE or packet.misshapen
    ]
    if not wrong and not trial.udp:
        return SKIPPED
    return verdict(wrong, {"wrong": len(wrong), "packets": len(trial.udp)}, wrong)


def payload(trial: Trial) -> Verdict:
    shaped = [(place, packet) for place, packet in enumerate(trial.packets, 1) if packet.shaped]
    if not shaped:
        return SKIPPED
    wrong = {place: bad for place, packet in shaped if (bad := differing(packet))}
    numbers = {"wrong": len(wrong), "packets": len(shaped), "bytes": len(set().union(*wrong.values()))}
    return verdict(wrong, numbers, [*wrong])


def differing(packet: Packet) -> set[int]:
    """The bytes that are not as the forwarder should have passed them on."""
    wanted = zip(packet.dialect.arriving, packet.data, strict=False)
    return {place for place, (byte, found) in enumerate(wanted) if byte is not None and byte != found}


def checksum(trial: Trial) -> Verdict:
    if not trial.udp or own_is_wrong(trial):
        return SKIPPED
    bad_ip = {place for place, packet in enumerate(trial.packets, 1) if not ip_is_right(packet)}
    bad_udp = {place for place, packet in enumerate(trial.packets, 1) if not udp_is_right(packet)}
    wrong = sorted(bad_ip | bad_udp)
    numbers = {"wrong": len(wrong), "ip": len(bad_ip), "udp": len(bad_udp), "packets": len(trial.udp)}
    return verdict(wrong, numbers, wrong)


def own_is_wrong(trial: Trial) -> bool:
    """The dialect itself has a wrong IP checksum."""
    header = trial.dialect.arriving[14:34]
    return None not in header and folded(bytes(byte or 0 for byte in header)) != 0xFFFF


def folded(data: bytes) -> int:
    """RFC 1071's sum of 16-bit words, carries added back in."""
    words = struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_is_right(packet: Packet) -> bool:
    if packet.kind != FOUND or packet.version != 4:
        return True
    header = packet.data[packet.network : packet.network + (packet.data[packet.network] & 15) * 4]
    return folded(header) == 0xFFFF


def udp_is_right(packet: Packet) -> bool:
    """UDP's checksum is 0 or right, or that cannot be told because not all of the packet is there."""
    if packet.kind != FOUND:
        return True
    length, at = packet.udp_length, packet.at
    if length < 8 or len(packet.data) < at + length or packet.data[at + 6 : at + 8] == b"\0\0":
        return True
    start, stop = (12, 20) if packet.version == 4 else (8, 40)
    addresses = packet.data[packet.network + start : packet.network + stop]
    pseudo = addresses + struct.pack(">II", length, 17)
    return folded(pseudo + packet.data[at : at + length]) == 0xFFFF


def foreign(trial: Trial) -> Verdict:
    """Frames that can be parsed and are not UDP."""
    if not trial.packets:
        return SKIPPED
    found = [place for place, packet in enumerate(trial.packets, 1) if packet.kind == OTHER]
    return verdict(found, {"foreign": len(found), "frames": len(trial.packets)}, found)
