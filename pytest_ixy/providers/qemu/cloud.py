"""A user's own cloud image: any qcow2 or raw disk with cloud-init, told by a NoCloud seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import paths, programs
from pytest_ixy.errors import UsageError
from pytest_ixy.providers.qemu import keys, recipe
from pytest_ixy.providers.qemu.image import Image, locked

NETWORK = """version: 2
ethernets:
  management:
    match: {macaddress: "52:54:00:16:00:03"}
    dhcp4: true
    dhcp6: false
"""
"""Only the management NIC is named, so that nothing asks for addresses on the test networks."""


def ensure(path: Path, tell: Callable[[str], None]) -> Image:
    """The user's image with keys and a seed of its own; the image itself is only read.

    Raises:
        UsageError: it cannot be read, or is not a disk image.
    """
    source = path.expanduser().resolve()
    disk_format = _format_of(source)
    status = source.stat()
    text = f"{source} {status.st_size} {status.st_mtime_ns} {recipe.USER} {NETWORK} {_user_data('', '', '')}"
    name = f"cloud-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    image = Image(name, paths.images_folder() / name, kernel=False, disk_format=disk_format)
    with locked(image.folder, tell):
        if not image.disk.exists():
            _prepare(image, source)
    return image


def _format_of(source: Path) -> str:
    done = programs.output_of(["qemu-img", "info", "--output=json", "--", str(source)])
    if done.returncode != 0:
        raise UsageError(f"The image {source} cannot be used: {done.stderr.strip()}")
    return str(json.loads(done.stdout)["format"])


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
    }
    return "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
