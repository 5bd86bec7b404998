from __future__ import annotations

import json
import os
import stat
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from needs import need_programs

from pytest_ixy import paths
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.qemu import cloud, disks, machine
from pytest_ixy.providers.qemu.machine import Hardware


def silent(_text):
    pass


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    need_programs("qemu-img")


@pytest.fixture(params=["qcow2", "raw"])
def disk(tmp_path, request):
    path = tmp_path / f"user's, own.{request.param}"
    subprocess.run(["qemu-img", "create", "-q", "-f", request.param, path, "4M"], check=True)
    return path


def user_data(image):
    text = (image.seed / "user-data").read_text()
    first, _, rest = text.partition("\n")
    assert first == "#cloud-config"
    return json.loads(rest)


def test_the_image_is_used_where_it_is(disk):
    image = cloud.ensure(disk, silent)
    assert image.disk.resolve() == disk
    assert image.disk_format == disk.suffix[1:]
    assert not image.kernel
    assert image.folder.parent == paths.images_folder()


def test_the_image_is_only_read(disk):
    before = disk.read_bytes(), disk.stat().st_mtime_ns
    cloud.ensure(disk, silent)
    assert (disk.read_bytes(), disk.stat().st_mtime_ns) == before


def test_the_seed_lets_the_key_in_and_fixes_the_host_key(disk):
    image = cloud.ensure(disk, silent)
    config = user_data(image)
    (user,) = config["users"]
    assert user["name"] == image.user
    assert user["ssh_authorized_keys"] == [public_of(image.key.read_bytes())]
    assert config["ssh_keys"]["ed25519_public"] == image.host_key
    assert public_of(config["ssh_keys"]["ed25519_private"].encode()) == image.host_key


def public_of(private):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = load_ssh_private_key(private, None).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_private_keys_are_the_users_own(disk):
    image = cloud.ensure(disk, silent)
    assert stat.S_IMODE(image.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(image.folder.stat().st_mode) == 0o700
    assert not (image.folder / "host_key").exists()


def test_only_the_management_nic_is_configured():
    assert machine.MANAGEMENT_MAC in cloud.NETWORK
    assert cloud.NETWORK.count("macaddress") == 1


def test_it_is_made_once(disk):
    first = cloud.ensure(disk, silent)
    before = first.key.read_bytes()
    assert cloud.ensure(disk, silent) == first
    assert first.key.read_bytes() == before


def test_an_image_that_has_changed_is_another_one(disk):
    first = cloud.ensure(disk, silent)
    os.utime(disk, (time.time(), disk.stat().st_mtime + 10))
    assert cloud.ensure(disk, silent).name != first.name


def test_half_made_is_made_again(disk):
    first = cloud.ensure(disk, silent)
    first.disk.unlink()
    second = cloud.ensure(disk, silent)
    assert second == first
    assert public_of(second.key.read_bytes()) in user_data(second)["users"][0]["ssh_authorized_keys"]


def test_what_cannot_be_read_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"There is no image .*nowhere"):
        cloud.ensure(tmp_path / "nowhere.qcow2", silent)
    with pytest.raises(UsageError, match="cannot be used"):
        cloud.ensure(tmp_path, silent)


def test_a_spoiled_qcow2_is_a_usage_error(tmp_path):
    spoiled = tmp_path / "spoiled.qcow2"
    spoiled.write_bytes(b"QFI\xfb" + b"\xff" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        cloud.ensure(spoiled, silent)


def test_a_name_like_an_option_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "./--help", "4M"], check=True)
    assert cloud.ensure(tmp_path / "--help", silent).disk.resolve() == tmp_path / "--help"


def test_an_overlay_leaves_its_base_alone(disk, tmp_path):
    before = disk.read_bytes()
    path = disks.overlay(disk, disk.suffix[1:], tmp_path / "overlay.qcow2")
    subprocess.run(["qemu-io", "-c", "write -P 7 0 1M", path], check=True, stdout=subprocess.DEVNULL)
    assert disk.read_bytes() == before
    info = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True)
    assert json.loads(info.stdout)["full-backing-filename"] == str(disk)


def test_a_small_image_gets_a_disk_to_grow_into(disk, tmp_path):
    image = cloud.ensure(disk, silent)
    path = disks.overlay(image.disk, image.disk_format, tmp_path / "overlay.qcow2", image.size)
    info = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True)
    assert json.loads(info.stdout)["virtual-size"] == cloud.SIZE


def test_a_large_image_keeps_its_size(tmp_path):
    large = tmp_path / "large.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", large, "20G"], check=True)
    assert cloud.ensure(large, silent).size == 20 << 30


def test_what_root_does_at_the_end_of_the_first_boot_is_bash():
    subprocess.run(["bash", "-n", "-c", cloud.SETTLE], check=True)


def test_an_overlay_on_nothing_is_a_lab_error(tmp_path):
    with pytest.raises(LabError, match="could not be made"):
        disks.overlay(tmp_path / "nowhere", "raw", tmp_path / "overlay.qcow2")


def test_qemu_shows_the_seed_as_a_disk_named_cidata(disk, tmp_path):
    """What cloud-init looks for: a file system with that label and these files."""
    need_programs("qemu-system-x86_64")
    image = cloud.ensure(disk, silent)
    (seed,) = [word for word in Hardware(image, "tcg", 256).arguments() if "vvfat" in word]
    options = dict(part.split("=", 1) for part in seed.replace(",,", "\0").split(",") if "=" in part)
    options.pop("node-name")
    options["dir"] = options["dir"].replace("\0", ",")
    copy = tmp_path / "seed.img"
    source = "json:" + json.dumps(typed(options))
    command = ["qemu-img", "dd", "-O", "raw", "bs=1M", "count=4", f"if={source}", f"of={copy}"]
    subprocess.run(command, check=True)
    content = copy.read_bytes()
    assert b"CIDATA" in content
    assert (image.seed / "user-data").read_bytes() in content.replace(b"\0", b"")
    assert b"local-hostname: ixy" in content


def typed(options):
    return {key: {"on": True, "off": False}.get(value, value) for key, value in options.items()}
