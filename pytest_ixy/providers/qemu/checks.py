"""What the provider `qemu` needs of this machine, each looked at by trying it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import check, paths, programs
from pytest_ixy.check import Check, State
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import accel, recipe, saved
from pytest_ixy.providers.qemu.image import Image
from pytest_ixy.providers.qemu.machine import QEMU, Hardware
from pytest_ixy.providers.qemu.network import Networks
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Nic, Node, Topology

TUN = Path("/dev/net/tun")
TINY = Topology(("n",), (Node("a", (Nic("n", "0000:00:06.0", "A"),)),))
BUILDER = "the first run builds the machine image with it"
KERNEL_SWITCHES = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "15000"),
    ("user.max_net_namespaces", "0", "15000"),
)
"""Settings of the kernel that forbid namespaces: name, value that does, value that allows them."""


def present_image() -> Image:
    """The image of the present recipe, built or not."""
    return Image(recipe.digest(), paths.images_folder() / recipe.digest())


def must_build(settings: Settings) -> bool:
    """Whether the next run would have to build the image."""
    return settings.qemu.image is None and not present_image().disk.exists()


def qemu(_settings: Settings) -> Check:
    """A QEMU that starts a machine such as a run's."""
    name = "QEMU"
    if lacking := check.lacks_program(name, QEMU, "it runs the machines"):
        return lacking
    version = programs.output_of([QEMU, "--version"]).stdout.partition("version ")[2].partition("\n")[0]
    command = Hardware(Image("doctor", Path("/nowhere"), kernel=False), accel.TCG, 64).arguments()
    done = programs.output_of([*command, "-S", "-monitor", "stdio"], given="quit\n")
    if done.returncode == 0:
        return check.ok(name, f"{version}, starts a `pc` machine")
    words = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return Check(name, State.MISSING, f"{version} does not start a machine as runs need it: {words}")


def qemu_img(_settings: Settings) -> Check:
    """The tool that makes disks."""
    if lacking := check.lacks_program("qemu-img", "qemu-img", "it makes the machines' disks"):
        return lacking
    return check.ok("qemu-img", programs.find("qemu-img"))


def kvm(settings: Settings) -> Check:
    """Whether KVM works; without it machines are emulated, which is slower."""
    if settings.qemu.accel == accel.TCG:
        return check.ok("KVM", "not tried: emulation (TCG) is asked for")
    image = present_image()
    folder = image.folder if image.disk.exists() and not settings.qemu.image else None
    verdict = accel.probe(folder, anew=True)
    if verdict.works:
        return check.ok("KVM", verdict.reason)
    if settings.qemu.accel == accel.KVM:
        return Check("KVM", State.MISSING, f"asked for, but {verdict.reason}", _mend_kvm() or _NO_KVM)
    text = f"not used: {verdict.reason}. Machines are emulated (TCG): all works, but slower"
    return Check("KVM", State.WARN, text, _mend_kvm())


_NO_KVM = "export IXY_ACCEL=tcg   # emulate"


def _mend_kvm() -> str:
    if accel.DEVICE.exists() and not os.access(accel.DEVICE, os.R_OK | os.W_OK):
        return check.as_root(f"usermod --append --groups kvm {check.user()}   # then log in again")
    return ""


def tun(_settings: Settings) -> Check:
    """The device that taps are made with."""
    name = str(TUN)
    if not TUN.exists():
        text = "is not there (a container needs --device /dev/net/tun)"
        return Check(name, State.MISSING, text, check.as_root("modprobe tun"))
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        mend = check.as_root(f"chmod 666 {TUN}" if isinstance(error, PermissionError) else "modprobe tun")
        return Check(name, State.MISSING, f"cannot be opened: {error.strerror}", mend)
    return check.ok(name, "can be opened")


def namespaces(_settings: Settings) -> Check:
    """The test networks, made and unmade for real."""
    name = "namespaces"
    who = "as root" if os.geteuid() == 0 else "in a user namespace"
    if check.lacks_program(name, "setpriv", ""):
        return Check(name, State.WARN, "not tried: setpriv is not installed")
    try:
        Networks(f"doctor-{os.getpid()}-{secrets.token_hex(4)}", TINY).close()
    except LabError as error:
        return Check(name, State.MISSING, f"{error.what.rstrip('.')} ({who})", _mend_namespaces())
    return check.ok(name, f"networks, bridges and taps can be made {who}")


def _mend_namespaces() -> str:
    forbidding = [f"{name}={good}" for name, bad, good in KERNEL_SWITCHES if _kernel_setting(name) == bad]
    if forbidding and os.geteuid() != 0:
        return check.as_root(f"sysctl -w {' '.join(forbidding)}")
    if not os.access(TUN, os.R_OK | os.W_OK):
        return ""  # the check of the device says what mends it
    if not Path("/sys/module/bridge").exists():
        return check.as_root("modprobe bridge")
    if os.geteuid() != 0:
        return check.as_root("pytest-ixy doctor   # root needs no user namespace")
    return "docker run --cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun …   # in a container"


def _kernel_setting(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def mmdebstrap(settings: Settings) -> Check | None:
    """What installs packages into the image."""
    if settings.qemu.image:
        return None
    vital = must_build(settings)
    return check.lacks_program("mmdebstrap", "mmdebstrap", BUILDER, vital=vital) or check.ok(
        "mmdebstrap", "can build the machine image"
    )


def mke2fs(settings: Settings) -> Check | None:
    """What writes the image's file system."""
    if settings.qemu.image:
        return None
    vital = must_build(settings)
    return check.lacks_program("mke2fs", "mke2fs", BUILDER, vital=vital) or check.ok(
        "mke2fs", programs.find("mke2fs")
    )


def user_ids(settings: Settings) -> Check | None:
    """For an ordinary user: a range of user ids, without which the image's files cannot have owners."""
    if os.geteuid() == 0 or settings.qemu.image:
        return None
    name, state = "user ids", State.MISSING if must_build(settings) else State.WARN
    if lacking := check.lacks_program(name, "newuidmap", BUILDER, vital=must_build(settings)):
        return lacking
    done = programs.output_of(["unshare", "--map-root-user", "--map-auto", "true"])
    if done.returncode == 0:
        return check.ok(name, "a range of user ids is this user's to build the machine image with")
    why = (done.stderr.strip().splitlines() or [f"unshare ended with status {done.returncode}"])[0]
    return Check(name, state, f"the machine image cannot be built by this user: {why}", _mend_user_ids(why))


def _mend_user_ids(why: str) -> str:
    if "unrecognized option" in why or "don't exist" in why:  # util-linux before 2.38; a user without a name
        return check.as_root("pytest --ixy-repo=…   # root needs no range of user ids")
    ranges = "--add-subuids 100000-165535 --add-subgids 100000-165535"
    return check.as_root(f"usermod {ranges} {check.user()}")


def machine_image(settings: Settings) -> Check:
    """The image: built, or somebody's own."""
    name = "machine image"
    if own := settings.qemu.image:
        if own.is_file() and os.access(own, os.R_OK):
            return check.ok(name, f"this user's own, {own}")
        return Check(name, State.MISSING, f"{own} is not a file that this user may read")
    image = present_image()
    if image.disk.exists():
        return check.ok(name, f"{image.name} in {image.folder}")
    return Check(name, State.WARN, "not built yet; the first run does it", "pytest-ixy image build")


def saved_state(settings: Settings) -> Check | None:
    """The booted machine that runs are restored from."""
    image, wish = present_image(), settings.qemu
    if wish.image or not image.disk.exists():
        return None
    chosen, _ = accel.choose(wish.accel, image.folder)
    state = saved.find(Hardware(image, chosen, wish.memory, offline=settings.offline))
    if state.memory.exists():
        return check.ok("saved state", f"a booted machine is kept in {state.folder.name}")
    text = "no booted machine is kept yet; the first run boots one"
    return Check("saved state", State.WARN, text, "pytest-ixy image build")


PROBES: tuple[Callable[[Settings], Check | None], ...] = (
    qemu,
    qemu_img,
    kvm,
    tun,
    namespaces,
    mmdebstrap,
    mke2fs,
    user_ids,
    machine_image,
    saved_state,
)
