"""A user's own cloud image: any qcow2 or raw disk with cloud-init, told by a NoCloud seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_ixy import paths, programs
from pytest_ixy.errors import UsageError
from pytest_ixy.providers.qemu import keys, recipe
from pytest_ixy.providers.qemu.image import Image, locked
from pytest_ixy.providers.qemu.machine import MAC_PREFIX, MANAGEMENT_MAC

SIZE = 8 << 30
"""Cloud images are small, to be grown by cloud-init to the size of the disk."""

PATIENCE = 3
"""A systemd with cloud-init needs 70 s and more under emulation on a machine that is not busy, ours nine."""

NETWORK = f"""version: 2
ethernets:
  management:
    match: {{macaddress: "{MANAGEMENT_MAC}"}}
    dhcp4: true
    dhcp6: false
"""

SILENCE = f"""cat >/etc/udev/rules.d/zz-ixy.rules <<'END'
ACTION!="remove", SUBSYSTEM=="net", ATTR{{address}}=="{MAC_PREFIX}:*", \\
ATTR{{address}}!="{MANAGEMENT_MAC}", ENV{{IXY_TEST}}="1", ENV{{NM_UNMANAGED}}="1", RUN=""
END
mkdir -p /etc/systemd/network
cat >/etc/systemd/network/00-ixy.network <<'END'
[Match]
Property=IXY_TEST=1
[Link]
Unmanaged=yes
END
udevadm control --reload
! systemctl -q is-active systemd-networkd || networkctl reload
"""
"""Nobody in the guest may bring a test NIC up. Images take whatever NIC comes: Debian's by a netplan of
its own for all of them, others by NetworkManager or by udev rules that run ifupdown."""

SETTLE = f"""{{ cloud-init status --wait; systemctl is-system-running --wait; }} >/dev/null 2>&1
{SILENCE}
systemctl stop '*.timer'
sync
"""
"""A saved machine is one that has nothing left to do. Timers would all go off when the clock is set."""


def ensure(path: Path, tell: Callable[[str], None]) -> Image:
    """The user's image with keys and a seed of its own; the image itself is only read.

    Raises:
        UsageError: it cannot be read, or is not a disk image.
    """
    source = path.expanduser().resolve()
    about = examine(source)
    status = source.stat()
    told = f"{recipe.USER} {NETWORK} {_user_data('', '', '')} {SETTLE} {SIZE}"
    text = f"{source} {status.st_size} {status.st_mtime_ns} {told}"
    name = f"cloud-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    image = Image(
        name,
        paths.images_folder() / name,
        kernel=False,
        disk_format=about["format"],
        settle=SETTLE,
        size=max(SIZE, about["virtual-size"]),
        patience=PATIENCE,
    )
    with locked(image.folder, tell):
        if not image.disk.exists():
            _prepare(image, source)
    return image


def examine(source: Path) -> dict[str, Any]:
    """What `qemu-img info` knows of a disk image.

    Raises:
        UsageError: it cannot be read, or is not a disk image.
    """
    if not source.exists():
        raise UsageError(f"There is no image {source}.")
    done = programs.output_of(["qemu-img", "info", "--output=json", "--", str(source)])
    if done.returncode != 0:
        raise UsageError(f"The image {source} cannot be used: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def _prepare(image: Image, source: Path) -> None:
    image.seed.mkdir(parents=True, exist_ok=True)
    image.folder.chmod(0o700)  # the seed holds the machines' private host key
    for name in ("key", "host_key"):
        (image.folder / name).unlink(missing_ok=True)
    keys.make(image.folder)
    public, host_public = ((image.folder / name).read_text().strip() for name in ("key.pub", "host_key.pub"))
    host_private = (image.folder / "host_key").read_text()
    (image.folder / "host_key").unlink()
    (image.seed / "user-data").write_text(_user_data(public, host_private, host_public), encoding="ascii")
    (image.seed / "meta-data").write_text(
        f"instance-id: {image.name}\nlocal-hostname: ixy\n", encoding="ascii"
    )
    (image.seed / "network-config").write_text(NETWORK, encoding="ascii")
    image.disk.symlink_to(source)


def _user_data(public: str, host_private: str, host_public: str) -> str:
    """The #cloud-config; JSON is YAML."""
    user = {
        "name": recipe.USER,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": [public],
    }
    config = {
        "users": [user],
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_private, "ed25519_public": host_public},
        "bootcmd": [
            "sysctl -w net.ipv6.conf.default.disable_ipv6=1",
            "sysctl -w vm.nr_hugepages=512",  # before memory is in pieces
        ],
        "manage_etc_hosts": "localhost",  # else sudo looks the machine's own name up
        "locale": False,  # to generate one takes its time
    }
    return "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
