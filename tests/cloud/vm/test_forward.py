"""The whole way in a cloud: servers that boot, networks that carry frames, a verdict, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import cloud_image
import pytest
from contents import contents

from pytest_ixy.providers.qemu import image
from pytest_ixy.rules import rules

EXAMPLE = Path(__file__).parents[3] / "examples" / "virtio"
CONFIG = """provider = "openstack"
[openstack]
cloud = "tenant"
flavor = "machine"
image = "{image}"
ssh_login = "ixy"
[test]
packets = 20000
[timeouts]
connect = 600
"""


@pytest.fixture(scope="module")
def uploaded(admin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    return cloud_image.upload(admin, image.ensure(print, folder), folder)


def outcomes(report):
    """What became of each test, by the part of its name that follows the target's label."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        found[case.get("name").rstrip("]").partition("-")[2]] = kinds[0] if kinds else "passed"
    return found


def test_forward_passes_on_servers_of_a_cloud(cloud, tenant, uploaded, tmp_path):
    before = contents(tenant, volumes=False)
    (tmp_path / "config.toml").write_text(CONFIG.format(image=uploaded))
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.clouds), "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--ixy-config=config.toml",
        f"--ixy-repo={EXAMPLE}", "--junitxml=report.xml", "--html=report.html", "--self-contained-html",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
    found = outcomes(tmp_path / "report.xml")
    assert done.returncode == 0, found
    assert {name: found.get(name) for name in rules()} == dict.fromkeys(rules(), "passed")
    assert "openstack" in (tmp_path / "report.html").read_text("utf-8")
    assert contents(tenant, volumes=False) == before
