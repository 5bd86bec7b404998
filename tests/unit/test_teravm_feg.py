"""The upgrade of a FEG: real files behind a real SSH server; compose is a stand-in (`compose_standin.py`)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sshd import needs_root, until

from pytest_ixy.errors import LabError, TargetError
from pytest_ixy.labtable import FegTable
from pytest_ixy.remote import Host
from pytest_ixy.teravm import feg, health, vigil
from pytest_ixy.teravm.tag import Tag

pytest_plugins = ["sshd_fixtures"]
pytestmark = needs_root

STANDIN = Path(__file__).with_name("compose_standin.py")
OLD, NEW = Tag("1.6.0-1634000000-0a1b2c3d", "0a1b2c3d"), Tag("1.7.0-1634668331-66d9b7be", "66d9b7be")
COMPOSE = """version: "3.7"
services:
  session_proxy:
    image: lab/gateway_python:${IMAGE_VERSION}
  redis:
    image: lab/redis:6
"""
DOTENV = (
    "# of the lab\r\nCOMPOSE_PROJECT_NAME=feg\r\nIMAGE_VERSION=\"0a1b2c3d\"  # set by CI\r\nTOKEN='a b'\r\n"
)
KEPT = ".pytest-ixy-before"


class Feg:
    """The project in a folder, and what can be pulled."""

    def __init__(self, root: Path):
        self.root, self.folder = root, root / "docker"
        self.folder.mkdir(parents=True)
        (root / "bin").mkdir()
        for name in ("docker", "docker-compose"):
            program = root / "bin" / name
            program.write_text(f"#!{sys.executable} -IS\n" + STANDIN.read_text())
            program.chmod(0o755)
        self.compose, self.dotenv = self.folder / "docker-compose.yml", self.folder / ".env"
        self.compose.write_text(COMPOSE)
        self.dotenv.write_bytes(DOTENV.encode())
        self.dotenv.chmod(0o640)
        os.chown(self.dotenv, 1234, 1234)
        self.offers(**{OLD.hash: "good", NEW.hash: "good"})
        environment = {**self.environment, "IMAGE_VERSION": "of the login"}
        subprocess.run(["docker-compose", "up", "-d"], cwd=self.folder, env=self.environment, check=True)
        self.login = environment

    @property
    def environment(self):
        path = f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "STANDIN": str(self.root)}

    def offers(self, **images):
        lines = [f"lab/gateway_python:{name} {how}" for name, how in images.items()]
        (self.root / "registry").write_text("\n".join([*lines, "lab/redis:6"]) + "\n")

    @property
    def engine(self):
        return json.loads((self.root / "engine.json").read_text())

    @property
    def running(self):
        return {name: one["image"] for name, one in self.engine["containers"].items()}

    @property
    def calls(self):
        return (self.root / "calls").read_text().splitlines()

    def is_as_before(self):
        files = self.dotenv.read_bytes() == DOTENV.encode() and self.compose.read_text() == COMPOSE
        return files and sorted(path.name for path in self.folder.iterdir()) == [".env", "docker-compose.yml"]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(vigil, "STEADY", 0.5)
    monkeypatch.setattr(vigil, "PAUSE", 0.2)


@pytest.fixture
def lab(tmp_path):
    return Feg(tmp_path / "feg")


@pytest.fixture
def node(sshd, lab):
    with Host.connect(replace(sshd.access, name="feg1", environment=lab.login), deadline=30) as host:
        yield host


@pytest.fixture
def log(tmp_path):
    return tmp_path / "steps" / "step.log"


def table(lab, **more):
    return FegTable(
        **{"host": "127.0.0.1", "name": "feg1", "folder": str(lab.folder), "prune_at": 100, **more}
    )


def upgrade(node, lab, log, tag=NEW, **more):
    return feg.upgrade(node, table(lab, **more), tag, log, lambda _words: None)


def test_an_upgrade_changes_the_version_and_nothing_else(lab, node, log):
    done = upgrade(node, lab, log)
    assert done.title == "feg1 0a1b2c3d → 66d9b7be"
    assert (done.numbers, done.notes) == ({"before": "0a1b2c3d", "after": "66d9b7be"}, ())
    assert lab.dotenv.read_bytes() == DOTENV.replace("0a1b2c3d", "66d9b7be").encode()
    assert (lab.dotenv.stat().st_mode & 0o777, lab.dotenv.stat().st_uid) == (0o640, 1234)
    assert lab.running == {"session_proxy": "lab/gateway_python:66d9b7be", "redis": "lab/redis:6"}
    assert sorted(path.name for path in lab.folder.iterdir()) == [".env", "docker-compose.yml"]
    assert "a b" not in log.read_text()  # .env may hold secrets
    well = health.feg(node, table(lab), NEW, log, lambda _words: None)
    assert well.title == "2 services up, IMAGE_VERSION=66d9b7be"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "IMAGE_VERSION=66d9b7be\n"),
        ("A=1", "A=1\nIMAGE_VERSION=66d9b7be\n"),
        ("A=1\r\n", "A=1\r\nIMAGE_VERSION=66d9b7be\r\n"),
        ("IMAGE_VERSION=\n", "IMAGE_VERSION=66d9b7be\n"),
        (" export IMAGE_VERSION = 'old'  # why\n", " export IMAGE_VERSION = '66d9b7be'  # why\n"),
        ("IMAGE_VERSION=a#b # why\n", "IMAGE_VERSION=66d9b7be # why\n"),
        ('IMAGE_VERSION="open\n', "IMAGE_VERSION=66d9b7be\n"),
        (
            "#IMAGE_VERSION=old\nMY_IMAGE_VERSION=x\n",
            "#IMAGE_VERSION=old\nMY_IMAGE_VERSION=x\nIMAGE_VERSION=66d9b7be\n",
        ),
        ("IMAGE_VERSION=a\nB=2\nIMAGE_VERSION=b\n", "IMAGE_VERSION=66d9b7be\nB=2\nIMAGE_VERSION=66d9b7be\n"),
        ("P='\\n&\\1'\nIMAGE_VERSION=a\t\nÄ=\\\\\n", "P='\\n&\\1'\nIMAGE_VERSION=66d9b7be\t\nÄ=\\\\\n"),
    ],
)
def test_the_rest_of_the_file_stays_as_it_is(lab, node, log, before, after):
    lab.dotenv.write_bytes(before.encode())
    upgrade(node, lab, log)
    assert lab.dotenv.read_bytes() == after.encode()


def test_a_file_that_is_missing_is_made_and_removed_again(lab, node, log):
    lab.dotenv.unlink()
    upgrade(node, lab, log)
    assert lab.dotenv.read_text() == "IMAGE_VERSION=66d9b7be\n"
    lab.dotenv.unlink()
    lab.offers(**{"": "good", NEW.hash: "broken"})
    with pytest.raises(TargetError, match="rolled back to the version before"):
        upgrade(node, lab, log)
    assert not lab.dotenv.exists()


def test_a_link_stays_a_link(lab, node, log):
    lab.dotenv.rename(lab.root / "real.env")
    lab.dotenv.symlink_to("../real.env")
    upgrade(node, lab, log)
    assert lab.dotenv.is_symlink()
    assert "66d9b7be" in (lab.root / "real.env").read_text()


def test_an_image_that_is_not_there_is_the_builds_fault_and_rolled_back(lab, node, log):
    lab.offers(**{OLD.hash: "good"})
    with pytest.raises(TargetError) as caught:
        upgrade(node, lab, log)
    assert "`docker-compose pull` failed." in caught.value.what
    assert "66d9b7be not found: manifest unknown" in caught.value.what
    assert caught.value.what.endswith("After that: it was rolled back to 0a1b2c3d, which is up.")
    assert lab.is_as_before()
    assert (lab.dotenv.stat().st_mode & 0o777, lab.dotenv.stat().st_uid) == (0o640, 1234)
    assert lab.running["session_proxy"] == "lab/gateway_python:0a1b2c3d"


def test_a_container_that_cannot_be_made_is_the_builds_fault(lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "broken"})
    with pytest.raises(
        TargetError, match=r"`docker-compose up -d` failed(?s:.)*OCI(?s:.)*0a1b2c3d, which is up\.$"
    ):
        upgrade(node, lab, log)
    assert lab.is_as_before()


def test_a_registry_out_of_reach_is_the_labs_fault(lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "offline"})
    with pytest.raises(LabError, match=r"connection refused(?s:.)*0a1b2c3d, which is up\.$"):
        upgrade(node, lab, log)
    assert lab.is_as_before()


def test_a_pull_has_a_deadline(lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "slow"})
    with pytest.raises(
        LabError, match=r"did not end: 4 s were over(?s:.)*rolled back to 0a1b2c3d, which is up\.$"
    ):
        upgrade(node, lab, log, install="4s")
    assert lab.is_as_before()


def test_a_version_before_that_is_not_up_either_is_told(lab, node, log):
    lab.offers(**{OLD.hash: "crashes", NEW.hash: "broken"})
    with pytest.raises(TargetError, match=r"rolled back to 0a1b2c3d, which is NOT up: (?s:.)*session_proxy"):
        upgrade(node, lab, log, health="2s")
    assert lab.is_as_before()


def test_an_engine_that_is_down_is_the_labs_fault(lab, node, log):
    (lab.root / "registry").unlink()
    with pytest.raises(LabError, match=r"Cannot connect to the Docker daemon(?s:.)*FAILED"):
        upgrade(node, lab, log)
    assert lab.is_as_before()


def test_a_folder_without_a_project_is_the_labs_fault(lab, node, log):
    lab.compose.unlink()
    with pytest.raises(LabError, match=r"there is no docker-compose.yml in"):
        upgrade(node, lab, log)
    assert "down" not in " ".join(lab.calls[1:])
    with pytest.raises(LabError, match=r"No such file or directory"):
        upgrade(node, lab, log, folder=str(lab.root / "none"))


@pytest.fixture
def server(tmp_path):
    """A web server with the compose file of the new build."""
    (tmp_path / "www").mkdir()
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "www")
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_projects_variable_may_have_a_name_that_we_use_too(lab, node, log):
    for file in (lab.dotenv, lab.compose):
        file.write_bytes(file.read_bytes().replace(b"IMAGE_VERSION", b"HASH"))
    upgrade(node, lab, log, variable="HASH")
    assert lab.running["session_proxy"] == "lab/gateway_python:66d9b7be"


@pytest.mark.skipif(not (shutil.which("curl") or shutil.which("wget")), reason="not installed: curl")
def test_the_compose_file_of_the_build_is_fetched(lab, node, log, server, tmp_path):
    text = COMPOSE.replace("redis", "cache")
    (tmp_path / "www" / "66d9b7be.yml").write_text(text)
    lab.offers(**{OLD.hash: "good", NEW.hash: "good"})
    with (lab.root / "registry").open("a") as registry:
        registry.write("lab/cache:6\n")
    file = f"http://127.0.0.1:{server.server_port}/{{hash}}.yml"
    upgrade(node, lab, log, file=file)
    assert lab.compose.read_text() == text
    assert set(lab.running) == {"session_proxy", "cache"}
    with pytest.raises(TargetError, match=r"404(?s:.)*rolled back to 66d9b7be, which is up\.$"):
        upgrade(node, lab, log, OLD, file=file)
    assert lab.compose.read_text() == text
    with pytest.raises(LabError, match=r"rolled back to 66d9b7be, which is up\.$"):
        upgrade(node, lab, log, OLD, file="http://127.0.0.1:9/{hash}.yml")
    with pytest.raises(LabError, match=r"404a.yml: No such file(?s:.)*which is up\.$"):
        upgrade(node, lab, log, OLD, file=f"{tmp_path}/404a.yml")


def test_a_compose_file_may_lie_on_the_host(lab, node, log):
    (lab.root / "66d9b7be it's.yml").write_text(COMPOSE + "# of the build\n")
    upgrade(node, lab, log, file=f"{lab.root}/{{hash}} it's.yml")
    assert lab.compose.read_text().endswith("# of the build\n")
    with pytest.raises(LabError, match=r"No such file(?s:.)*which is up\.$"):
        upgrade(node, lab, log, OLD, file=f"{lab.root}/{{hash}}.yml")


def test_a_full_disk_is_pruned_while_the_version_before_still_runs(lab, node, log):
    done = upgrade(node, lab, log, prune_at=1)
    assert "unused images were removed" in done.notes[0]
    calls = lab.calls
    assert calls.index("docker image prune") < calls.index("docker-compose down")
    assert "lab/gateway_python:0a1b2c3d" in lab.engine["images"]


def test_an_interrupt_rolls_back(lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "hangs"})
    main = threading.main_thread().ident

    def interrupt():
        assert until((lab.root / "hangs").exists)
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Thread(target=interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        upgrade(node, lab, log)
    timer.join()
    assert lab.is_as_before()
    assert lab.running["session_proxy"] == "lab/gateway_python:0a1b2c3d"


def test_what_a_lost_connection_left_is_put_back_by_the_next_upgrade(sshd, lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "hangs"})

    def cut():
        assert until((lab.root / "hangs").exists)
        for pid in sshd.sessions():
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(
        LabError, match=r"could NOT be brought back; the next upgrade puts its files back first"
    ):
        upgrade(node, lab, log)
    thread.join()
    assert (lab.folder / KEPT / ".env").read_bytes() == DOTENV.encode()
    lab.offers(**{OLD.hash: "good", NEW.hash: "broken"})
    told = pytest.raises(TargetError, match=r"rolled back to 0a1b2c3d, which is up\.$")
    with Host.connect(node.access, deadline=30) as again, told:
        upgrade(again, lab, log)
    assert lab.is_as_before()


def test_an_upgrade_that_was_cut_off_is_told(lab, node, log):
    (lab.folder / KEPT).mkdir()
    lab.dotenv.rename(lab.folder / KEPT / ".env")
    shutil.copy(lab.compose, lab.folder / KEPT)
    lab.dotenv.write_text("IMAGE_VERSION=half")
    (lab.folder / ".env.ixy-new").write_text("IMAGE")
    done = upgrade(node, lab, log)
    assert done.notes == ("an upgrade before was cut off; its compose file and .env were put back first",)
    assert done.numbers["before"] == "0a1b2c3d"
    assert lab.dotenv.read_bytes() == DOTENV.replace("0a1b2c3d", "66d9b7be").encode()
    assert sorted(path.name for path in lab.folder.iterdir()) == [".env", "docker-compose.yml"]


def well(node, lab, log, tag=NEW, **more):
    return health.feg(node, table(lab, **{"health": "3s", **more}), tag, log, lambda _words: None)


@pytest.mark.parametrize(
    ("how", "words"), [("ill", "session_proxy: unhealthy for"), ("crashes", "session_proxy: ")]
)
def test_a_service_that_is_not_well_is_the_builds_fault(lab, node, log, how, words):
    lab.offers(**{OLD.hash: "good", NEW.hash: how})
    upgrade(node, lab, log)
    with pytest.raises(TargetError) as caught:
        well(node, lab, log)
    assert words in caught.value.what
    assert "redis" not in caught.value.what
    assert "session_proxy_1  | Traceback: no mconfig" in caught.value.what
    if how == "crashes":
        assert "started anew" in caught.value.what or "restarting" in caught.value.what


def test_a_service_without_a_container_is_told(lab, node, log):
    upgrade(node, lab, log)
    state = lab.engine
    del state["containers"]["redis"]
    (lab.root / "engine.json").write_text(json.dumps(state))
    with pytest.raises(TargetError, match="redis: no container for"):
        well(node, lab, log)


def test_containers_of_another_build_are_told(lab, node, log):
    upgrade(node, lab, log)
    state = lab.engine
    state["containers"]["session_proxy"]["image"] = "lab/gateway_python:0a1b2c3d"
    (lab.root / "engine.json").write_text(json.dumps(state))
    with pytest.raises(
        TargetError, match=r"images: none of .* is of build 66d9b7be(?s:.)*but of image lab/gateway_py"
    ):
        well(node, lab, log)


def test_another_version_in_the_file_is_the_labs_fault(lab, node, log):
    lab.offers(**{OLD.hash: "good", NEW.hash: "good"})
    upgrade(node, lab, log)
    lab.compose.write_text(COMPOSE.replace("${IMAGE_VERSION}", NEW.hash))
    lab.dotenv.write_text("IMAGE_VERSION=other\n")
    with pytest.raises(LabError, match=r"IMAGE_VERSION: 'other', not '66d9b7be'"):
        well(node, lab, log)
