"""A user's own cloud image, booted for real.

It is made here of Debian's packages to be like Debian's own: systemd, cloud-init, GRUB, a root that
is smaller than its disk, and a netplan that wants an address for every NIC that comes.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import struct
import subprocess
import tarfile

import pytest

from conftest import ALL

PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "grub-common", "grub-pc-bin", "systemd-sysv", "udev",
    "dbus", "libpam-systemd", "cloud-init", "cloud-guest-utils", "fdisk", "e2fsprogs", "netplan.io",
    "systemd-resolved", "openssh-server", "sudo", "iproute2", "procps",
)  # fmt: skip
NETPLAN = 'network: {version: 2, ethernets: {all: {match: {name: "e*"}, dhcp4: true}}}\n'
FILES = {
    "/etc/fstab": "LABEL=cloudroot / ext4 errors=remount-ro 0 1\n",
    "/etc/netplan/90-default.yaml": NETPLAN,
    "/boot/grub/grub.cfg": "linux /vmlinuz root=LABEL=cloudroot ro console=ttyS0\ninitrd /initrd.img\nboot\n",
    "/finish": """set -e
grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /core.img biosdisk part_msdos ext2 normal linux
cp /usr/lib/grub/i386-pc/boot.img /
systemctl enable systemd-networkd
rm -f /etc/ssh/ssh_host_* /etc/machine-id /etc/hostname
touch /etc/machine-id
""",
}
MIB = 1 << 20
ROOT = 2048 * MIB


def install(folder):
    """Packages and files into root.tar, and the two parts of GRUB."""
    with tarfile.open(folder / "files.tar", "w") as tar:
        for path, text in FILES.items():
            member = tarfile.TarInfo(f".{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    quoted = shlex.quote(str(folder))
    hooks = [f"tar-in {quoted}/files.tar /", 'chroot "$1" sh /finish']
    hooks += [f"download /{name} {quoted}/{name}" for name in ("boot.img", "core.img")]
    command = ["mmdebstrap", "--variant=apt", "--skip=check/chroot,check/empty"]
    command += ['--aptopt=Apt::Install-Recommends "false"', f"--include={','.join(PACKAGES)}"]
    command += [f"--customize-hook={hook}" for hook in hooks]
    subprocess.run([*command, "bookworm", folder / "root.tar"], check=True)


def write_root(folder):
    """The file system that becomes the first partition."""
    script = f"mkdir root; tar -xf root.tar -C root --exclude='./dev/*'; truncate -s {ROOT} part\n"
    script += "mke2fs -q -F -t ext4 -L cloudroot -d root part; rm -rf root root.tar"
    rootless = ["unshare", "--map-root-user", "--map-auto"] if os.geteuid() != 0 else []
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run([*rootless, "sh", "-ec", script], cwd=folder, env={**os.environ, "PATH": path}, check=True)


def write_disk(folder):
    """GRUB in the boot sector and the gap behind it, then the partition."""
    entry = struct.pack("<B3xB3xII", 0x80, 0x83, MIB // 512, ROOT // 512)
    with (folder / "disk.raw").open("wb") as disk:
        disk.write((folder / "boot.img").read_bytes()[:446] + entry.ljust(64, b"\0") + b"\x55\xaa")
        disk.write((folder / "core.img").read_bytes())
        assert disk.tell() <= MIB
    copy = ["dd", "if=part", "of=disk.raw", "bs=1M", "seek=1", "conv=sparse,notrunc", "status=none"]
    subprocess.run(copy, cwd=folder, check=True)
    os.truncate(folder / "disk.raw", MIB + ROOT)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "disk.raw", "cloud.qcow2"], cwd=folder, check=True)


@pytest.fixture
def image(tmp_path):
    folder = tmp_path / "cloud image"
    folder.mkdir()
    install(folder)
    write_root(folder)
    write_disk(folder)
    yield folder / "cloud.qcow2"
    shutil.rmtree(folder)  # pytest would keep it for days


@pytest.fixture
def cache(tmp_path, runner, monkeypatch):
    """A cache folder of the test's own, so that what is saved of its image goes with it."""
    folder = tmp_path / "cache"
    runner.environment["XDG_CACHE_HOME"] = str(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    yield folder
    shutil.rmtree(folder)


CHECK = """set -ex
[ "$(cloud-init status)" = 'status: done' ]
[ "$(systemctl is-system-running)" = running ]
[ -z "$(systemctl list-timers --quiet)" ]
[ "$(df --output=size / | tail -n 1)" -gt 6000000 ]
[ "$(cat /proc/sys/vm/nr_hugepages)" = 512 ]
sleep 10
for nic in /sys/class/net/*; do
    case $(cat $nic/address) in 52:54:00:16:0[123]:*)
        [ "$(cat $nic/operstate)" = down ]
        [ "$(cat $nic/statistics/tx_packets)" = 0 ]
        seen=yes
    esac
done
[ "$seen" ]
"""
"""A build step: has the guest nothing left to do, and does it leave the test NICs alone?"""


def test_a_cloud_image_is_settled_and_silent_and_passes(runner, target, image, cache):
    folder = target(build=["bash -e check.sh", "sudo ./setup-hugepages.sh"])
    (folder / "check.sh").write_text(CHECK)
    result = runner.run(folder, "--ixy-packets=20000", f"--ixy-image={image}", timeout=1500)
    assert result.returncode == 0, (result.output, result.texts)
    assert result.having("passed") == ALL
    assert " reported" not in result.output  # what a whole system does by itself is no leak and no complaint
    manifest = json.loads((result.bundle / "manifest.json").read_text())
    (booted,) = (cache / "pytest-ixy" / "images").glob("cloud-*/state-*/memory")
    assert booted.parent.parent.name == manifest["provider"]["image"]
