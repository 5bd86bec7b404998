"""What the provider `static` needs: each host is logged in to and looked at, and nothing is changed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytest_ixy import check, programs
from pytest_ixy.check import Check, State
from pytest_ixy.errors import LabError
from pytest_ixy.providers.static import plan
from pytest_ixy.providers.static.answers import Sight
from pytest_ixy.providers.static.line import held
from pytest_ixy.providers.static.plan import Place
from pytest_ixy.providers.static.tenancy import Claim
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.topology import FWD, PCAP, PKTGEN, forward_topology

DEADLINE = 15.0
"""Seconds that a host may take to let us in."""
VITAL = ("flock", "setsid", "tar")
USEFUL = ("zstd", "tcpdump", "tcpreplay", "tc", "ip", "ethtool")
"""Without zstd files travel as they are; the others are what references are made of."""


def ssh(_settings: Settings) -> Check:
    """What tells the way to a host."""
    return check.lacks_program("ssh", "ssh", "it tells the way to a host") or check.ok(
        "ssh", programs.find("ssh")
    )


def pktgen(settings: Settings) -> Check:
    """The host of pktgen."""
    return _host(PKTGEN, settings)


def fwd(settings: Settings) -> Check:
    """The host of fwd."""
    return _host(FWD, settings)


def pcap(settings: Settings) -> Check:
    """The host of pcap."""
    return _host(PCAP, settings)


def _host(role: str, settings: Settings) -> Check:
    name = f"host of {role}"
    place = plan.plan(forward_topology(settings.pci), settings)[role]
    try:
        with Host.connect(place.access, deadline=DEADLINE) as host:
            return _seen(name, place, host)
    except LabError as error:
        return Check(name, State.MISSING, error.what, error.hint)


def _seen(name: str, place: Place, host: Host) -> Check:
    where = place.access.address
    if place.access.sudo and not host.run("sudo -n true", timeout=DEADLINE).ok:
        mend = f"echo '{place.access.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ixy   # there, as root"
        return Check(name, State.MISSING, f"{where}: sudo is not there, or asks for a password", mend)
    claim = Claim(place.access, "", "doctor", place.nics).housed(host)
    sight = claim.look(host, (*VITAL, *USEFUL))
    if wrong := list(_wrong(sight)):
        return Check(name, State.MISSING, f"{where}: {'; '.join(wrong)}")
    text = f"{where}: root, {_nics(sight)}, {_pages(sight)}"
    if odd := list(_odd(sight)):
        return Check(name, State.WARN, f"{text}; {'; '.join(odd)}")
    return check.ok(name, f"{text}, nobody has it")


def _wrong(sight: Sight) -> Iterator[str]:
    if lacking := [program for program in sight.lacks if program in VITAL]:
        yield f"not installed: {', '.join(lacking)}"
    if lost := [asked for asked, nic in sight.nics if nic is None]:
        yield f"no NIC has the address {', '.join(lost)}"
    if sight.ways:
        yield f"it is reached through {', '.join(sight.ways)}, which is no test NIC then"
    if not sight.pages:
        yield "its kernel has no huge pages"


def _odd(sight: Sight) -> Iterator[str]:
    if lacking := [program for program in sight.lacks if program not in VITAL]:
        yield f"not installed: {', '.join(lacking)}"
    if sight.holder:
        yield f"it {held(sight.holder)}: a run would wait"


def _nics(sight: Sight) -> str:
    return " and ".join(
        f"{nic.pci} ({nic.mac or 'no driver of the kernel has it'})" for _, nic in sight.nics if nic
    )


def _pages(sight: Sight) -> str:
    return "huge pages: " + ", ".join(f"{number} of {size}" for size, number in sight.pages)


PROBES: tuple[Callable[[Settings], Check], ...] = (ssh, pktgen, fwd, pcap)
