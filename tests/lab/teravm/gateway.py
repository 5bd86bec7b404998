"""The AGW: an apt repository on the machine itself, the package `magma` from it, and its two services."""

from __future__ import annotations

from pathlib import Path

from pytest_ixy.remote import Host
from teravm import packages
from teravm.packages import CONFIG, OLD, SERVICES
from teravm.putting import put, root

SETUP = f"""set -e
echo 'deb [trusted=yes] file:/srv/magma ./' >/etc/apt/sources.list
apt-get -q update
apt-get -q -y install magma={OLD.version}
"""
RESET = f"""set -e
untouched() {{
    [ -e /srv/untouched ] && [ ! /var/log/dpkg.log -nt /srv/untouched ] || return
    [ ! -e /etc/apt/sources.list.d/untagged.list ]
}}
untouched && for name in {" ".join(SERVICES)}; do service $name status; done && exit
rm -rf /etc/apt/sources.list.d/untagged.list /var/lib/apt/lists/*
[ "$(dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' magma)" = 'ii {OLD.version}' ] || again=--reinstall
apt-get -q update
[ -z "$again" ] || apt-get -q -y -f -o Dpkg::Options::=--force-confnew --allow-downgrades install $again \
    magma={OLD.version}
grep -q DEBUG {CONFIG} || echo 'log_level: DEBUG' >>{CONFIG}
for name in {" ".join(SERVICES)}; do [ -z "$again" ] && service $name status || service $name restart; done
sleep 0.1
touch /srv/untouched
"""
RUNNING = """exec 2>/dev/null
for name in $NAMES; do service "$name" status >&2 && cat "/run/magma/$name.version" || echo; done
"""
UNTAGGED = """set -e
echo 'deb [trusted=yes] file:/srv/untagged ./' >/etc/apt/sources.list.d/untagged.list
apt-get -q update
"""


class Gateway:
    """The AGW, as a test looks at it and breaks it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def install(self, folder: Path) -> None:
        """Build the packages here, in an empty folder, and set the machine up with them."""
        packages.repository(folder / "magma", packages.BUILDS)
        packages.repository(folder / "untagged", (packages.UNTAGGED,))
        put(self.host, folder, "/srv")
        root(self.host, SETUP)

    def reset(self) -> None:
        """As it was: the old version, its configuration changed by hand, its services up."""
        root(self.host, RESET)

    def offer_untagged(self) -> None:
        """From now on the latest version is no valid tag."""
        root(self.host, UNTAGGED)

    @property
    def installed(self) -> str:
        """What dpkg says: state and version, such as `ii 1.7.0-1634668331-66d9b7be`."""
        return root(self.host, "dpkg-query -W -f '${db:Status-Abbrev}${Version}' magma").strip()

    @property
    def running(self) -> dict[str, str]:
        """The versions that the services' processes are of; empty for one that does not run."""
        lines = root(self.host, RUNNING, NAMES=" ".join(SERVICES)).splitlines()
        return dict(zip(SERVICES, lines, strict=True))
