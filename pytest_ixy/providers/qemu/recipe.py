"""What goes into the machine image, as data; its hash names the image in the cache.

The init is busybox's, told by an inittab: under emulation a full systemd needs 90 s and more to
reach SSH, this one about ten. The initramfs holds a few drivers and a mount, for the same reason.
"""

from __future__ import annotations

import hashlib
import json

SUITE = "bookworm"
USER = "ixy"
DISK = "8G"

PACKAGES = (
    # to boot, and to be reached
    "linux-image-amd64", "busybox-static", "cpio", "kmod", "iproute2", "openssh-server", "sudo",
    "ca-certificates", "mount", "procps", "psmisc", "zstd", "xz-utils",
    # to build drivers
    "gcc", "g++", "libc6-dev", "make", "cmake", "pkg-config", "git", "python3", "curl",
    # to run them and to see why they fail
    "pciutils", "ethtool", "tcpdump", "tcpreplay", "gdb", "gdbserver", "rsync", "iputils-ping", "less",
)  # fmt: skip

NO_MODULES = (
    "drivers/ata", "drivers/bluetooth", "drivers/comedi", "drivers/gpu", "drivers/hid", "drivers/hwmon",
    "drivers/iio", "drivers/infiniband", "drivers/input", "drivers/media", "drivers/mtd",
    "drivers/net/wireless", "drivers/platform", "drivers/scsi", "drivers/staging", "drivers/target",
    "drivers/usb", "drivers/video", "fs/btrfs", "fs/nfs", "fs/ocfs2", "fs/smb", "fs/xfs",
    "net/bluetooth", "net/mac80211", "net/wireless", "sound",
)  # fmt: skip
"""Parts of the kernel's modules that no machine has a use for: 256 of its 397 MB.

The kernel for clouds is as small without such a list, but has no drivers for those of Intel's NICs that
QEMU emulates.
"""

MODULES = tuple(
    f"drivers/{part}.ko"
    for part in ("ata/ata_piix", "ata/libata", "scsi/scsi_common", "scsi/scsi_mod", "scsi/sr_mod")
)
"""What stays of them: the drive that a cloud hands its configuration over in."""

DRIVERS = ("virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4")

KERNEL_COMMAND_LINE = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 init=/usr/lib/ixy/init hugepages=512 panic=-1 "
    "random.trust_cpu=on mitigations=off cryptomgr.notests"
)
"""512 huge pages of 2 MiB are what ixy asks for; reserved at boot they cost nothing to find."""

INITRAMFS_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod "$module"; done
if /bin/busybox grep -q ixy.probe /proc/cmdline; then
    echo ixy-probe-ok
    /bin/busybox poweroff -f
fi
wait=0
until /bin/busybox mount -t ext4 /dev/vda /root; do
    wait=$((wait + 1))
    [ "$wait" -lt 100 ] || { echo "no root file system on /dev/vda"; exec /bin/busybox sh; }
    /bin/busybox usleep 50000
done
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /usr/lib/ixy/init
"""

INITTAB = """::sysinit:/usr/lib/ixy/boot
::respawn:/usr/sbin/sshd -D -e
::ctrlaltdel:/bin/busybox poweroff -f
"""

BOOT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/sshd /run/lock
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
hostname ixy
sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
[ -e /proc/sys ] && [ -e /sys/bus/pci ] && echo "ixy: booted"
"""
"""IPv6 is off so that the guest's kernel says nothing of its own on the test networks."""

SSHD = """Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
AcceptEnv LANG LC_*
MaxSessions 100
MaxStartups 100
ClientAliveInterval 15
Subsystem sftp /usr/lib/openssh/sftp-server
"""

SETUP = f"""set -e
useradd --create-home --shell /bin/bash --password '*' {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
chmod 440 /etc/sudoers.d/{USER}
echo ixy > /etc/hostname
printf '127.0.0.1 localhost ixy\\n' > /etc/hosts
rm -f /etc/resolv.conf
echo 'nameserver 10.0.2.3' > /etc/resolv.conf
rm -f /etc/ssh/ssh_host_*
mv /usr/lib/ixy/host_key /etc/ssh/ssh_host_ed25519_key
install -d -m 700 -o {USER} -g {USER} /home/{USER}/.ssh
install -m 600 -o {USER} -g {USER} /usr/lib/ixy/authorized_keys /home/{USER}/.ssh/authorized_keys
ln -sf /bin/busybox /usr/lib/ixy/init
chmod 755 /usr/lib/ixy/boot /usr/lib/ixy/initramfs-init
"""

INITRAMFS = """set -e
version=$(ls /lib/modules)
tree=$(mktemp -d)
mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/root" "$tree/lib"
cp /bin/busybox "$tree/bin/"
cp /usr/lib/ixy/initramfs-init "$tree/init"
for driver in DRIVERS; do modprobe --show-depends -S "$version" "$driver"; done |
    awk '$1 == "insmod" && !seen[$2]++ {print $2}' > "$tree/paths"
while read -r path; do
    cp "$path" "$tree/lib/"
    echo "/lib/$(basename "$path")" >> "$tree/modules"
done < "$tree/paths"
( cd "$tree" && find . | cpio --quiet -o -H newc ) | gzip -1 > /boot/ixy-initrd
cp "/boot/vmlinuz-$version" /boot/ixy-kernel
rm -rf "$tree"
""".replace("DRIVERS", " ".join(DRIVERS))

FILES = {
    "/etc/inittab": INITTAB,
    "/etc/ssh/sshd_config": SSHD,
    "/usr/lib/ixy/boot": BOOT,
    "/usr/lib/ixy/initramfs-init": INITRAMFS_INIT,
}


def digest() -> str:
    """Twelve hex digits that change with anything that goes into the image."""
    parts = [SUITE, USER, DISK, PACKAGES, NO_MODULES, MODULES, DRIVERS, FILES, SETUP, INITRAMFS]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
