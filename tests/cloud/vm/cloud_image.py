"""The project's machine image, made fit for a cloud: an address by DHCP, the key from the config drive.

It has no cloud-init, which takes minutes under emulation. What it is given instead are two scripts, written
into a copy of its disk; nova loads kernel and initrd, as QEMU does elsewhere.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_ixy import programs
from pytest_ixy.providers.qemu import recipe

STATIC = """ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
"""
BOOT = recipe.BOOT.replace(STATIC, "sh /usr/lib/ixy/cloud\n")

CLOUD = f"""ip link set eth0 up
/bin/busybox udhcpc -q -n -t 60 -i eth0 -s /usr/lib/ixy/dhcp
modprobe -a ata_piix sr_mod isofs
mkdir -p /run/config
wait=0
until mount -t iso9660 -o ro /dev/sr0 /run/config; do
    wait=$((wait + 1))
    [ $wait -lt 100 ] || break
    sleep 0.2
done
python3 -c 'import json
for key in json.load(open("/run/config/openstack/latest/meta_data.json"))["public_keys"].values():
    print(key.strip())' > /home/{recipe.USER}/.ssh/authorized_keys
"""
"""The address first, for it takes the longest; whoever has the key may log in."""

DHCP = """#!/bin/sh
case $1 in bound|renew)
    ip address replace "$ip/$mask" dev "$interface"
    [ -z "$router" ] || ip route replace default via "${router%% *}"
esac
"""
FILES = {"boot": BOOT, "cloud": CLOUD, "dhcp": DHCP}

PROPERTIES = {
    "os_command_line": recipe.KERNEL_COMMAND_LINE,
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_machine_type": "pc",  # its virtio devices are transitional, which ixy needs
    "hw_cdrom_bus": "ide",
    "hw_rng_model": "virtio",
}


def make(image, folder: Path) -> Path:
    """The image's disk as a file for glance, made in `folder`."""
    assert STATIC in recipe.BOOT
    disk = folder / "cloud.raw"
    subprocess.run(["cp", "--sparse=always", image.disk, disk], check=True)
    for name, text in FILES.items():
        _write(disk, folder, name, text)
    made = folder / "cloud.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk, made], check=True)
    disk.unlink()
    return made


def _write(disk: Path, folder: Path, name: str, text: str) -> None:
    source, target = folder / name, f"/usr/lib/ixy/{name}"
    source.write_text(text, encoding="ascii")
    for command in (f"rm {target}", f"write {source} {target}", f"set_inode_field {target} mode 0100755"):
        subprocess.run([programs.find("debugfs"), "-w", "-R", command, disk], check=True, capture_output=True)


def upload(admin, image, folder: Path) -> str:
    """The name of the image in the cloud, for everybody."""
    parts = {f"{kind}_id": _upload(admin, kind, path, form, form) for kind, path, form in (
        ("kernel", image.folder / "kernel", "aki"), ("ramdisk", image.folder / "initrd", "ari")
    )}  # fmt: skip
    disk = make(image, folder)
    _upload(admin, "ixy", disk, "qcow2", "bare", **parts, **PROPERTIES)
    disk.unlink()
    return "ixy"


def _upload(admin, name, path, disk_format, container_format, **properties) -> str:
    with path.open("rb") as data:
        made = admin.image.create_image(
            name=name, data=data, disk_format=disk_format, container_format=container_format,
            visibility="public", wait=True, validate_checksum=False, **properties,
        )  # fmt: skip
    return made.id
