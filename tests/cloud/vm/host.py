"""Make of fresh namespaces a host that nova and neutron can use."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from stack import venv
from stack.furnish import GATEWAY
from stack.services.neutron import DNSMASQ
from stack.site import VM

OWN = ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
"""Folders where libvirt and `ip netns` write: empty ones in their place, which nobody else sees."""

LIBVIRTD = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\n'
QEMU = """user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
remember_owner = 0
namespaces = []
stdio_handler = "file"
"""
BINDING = Path("/usr/lib/python3/dist-packages")
"""Debian's Python binding of libvirt; to build one takes more than there is."""


def prepare():
    """Mounts, devices, libvirtd."""
    for folder in OWN:
        run("mount", "-t", "tmpfs", "tmpfs", folder)
    run("mount", "-t", "sysfs", "sysfs", "/sys")  # the old one shows the devices of the network left
    Path(DNSMASQ).write_text("user=root\ngroup=root\n", encoding="ascii")
    make_devices()
    lend_binding()
    start_libvirtd()


def run(*command):
    subprocess.run(command, check=True)


def make_devices():
    """The loopback device, and a cable to the network that floating IPs are of."""
    for family in ("all", "default"):  # IPv6 would announce itself on the test networks
        Path(f"/proc/sys/net/ipv6/conf/{family}/disable_ipv6").write_text("1", encoding="ascii")
    for bridged in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        bridged.write_text("0", encoding="ascii")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "outside-out", "type", "veth", "peer", "name", "outside-in")
    run("ip", "address", "add", f"{GATEWAY}/24", "dev", "outside-out")
    for name in ("outside-out", "outside-in"):
        run("ip", "link", "set", name, "up")


def lend_binding():
    """Put the binding where the services find it."""
    (packages,) = (venv.ensure(VM) / "lib").glob("python3*/site-packages")
    for file in (*BINDING.glob("libvirt*.py"), *BINDING.glob("libvirtmod*.so")):
        if not (packages / file.name).exists():
            (packages / file.name).symlink_to(file)


def start_libvirtd():
    """Start it, and wait until it answers."""
    Path("/etc/libvirt/libvirtd.conf").write_text(LIBVIRTD, encoding="ascii")
    Path("/etc/libvirt/qemu.conf").write_text(QEMU, encoding="ascii")
    log = Path("/var/log/libvirt/daemon.log")
    with log.open("wb") as out:
        subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while not Path("/run/libvirt/libvirt-sock").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(log.read_text("utf-8"))
        time.sleep(0.1)
