"""Why a role ended: a real core dump asked by a real gdb over a real SSH server, and one brought over."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from bundles import make_run
from sshd import Sshd

from pytest_ixy.bundle import Exit
from pytest_ixy.nodestate import NodeState
from pytest_ixy.postmortem import Scene, examine
from pytest_ixy.probe import Core, Seen

pytest_plugins = ["sshd_fixtures"]

PROGRAM = """
static void strike(volatile int *nowhere) { *nowhere = 1; }
static void forward(int depth) { if (depth) forward(depth - 1); else strike(0); }
int main(void) { forward(2); return 0; }
"""
SEGFAULT = (
    "[   16.445033] fwd[160]: segfault at 0 ip 0000000000403f7e sp 00007ffd194d6170 error 6 in fwd[401000]\n"
)
CRASHED = make_run("fwd", exit=Exit(status=139, signal="SIGSEGV"), ended_itself=True, stopped_by=None)


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """What a program that crashed leaves, named as the kernel would."""
    if not shutil.which("gdb"):
        pytest.skip("not installed: gdb")
    folder = tmp_path_factory.mktemp("crashed")
    (folder / "fwd.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-g", "-O0", "fwd.c", "-o", "fwd"], cwd=folder, check=True)
    name = f"core.160.11.{folder}/fwd".replace("/", "!")
    gdb = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "run"]
    made = [*gdb, "-ex", f"generate-core-file {folder}/{name}", "./fwd"]
    said = subprocess.run(made, cwd=folder, capture_output=True, text=True, check=False)
    if not (folder / name).exists():  # where nobody may trace a process
        pytest.skip(f"needs ptrace: {said.stderr[-200:]}")
    return Core(str(folder / name), (folder / name).stat().st_size)


@pytest.fixture
def scene(tmp_path):
    """Makes the place where fwd ended, having printed that."""

    def make(host, *cores, printed="ready\n", kernel="", name="fwd"):
        folder = tmp_path / "bundle"
        (folder / "roles").mkdir(parents=True, exist_ok=True)
        (folder / "roles" / f"{name}.log").write_text(printed)
        return Scene(host, Seen(NodeState(), kernel, cores), name, folder)

    return make


def test_gdb_tells_where_it_was(host, scene, core):
    place = scene(host, core, kernel=SEGFAULT)
    crash = examine(place, CRASHED).crash
    assert (crash.what, crash.frames) == ("SIGSEGV", ("strike", "forward", "forward", "forward", "main"))
    assert crash.text.startswith("#0 ")
    assert crash.kernel[0].startswith("fwd[160]: segfault at 0")
    whole = (place.folder / crash.file).read_text()
    for words in (crash.fingerprint, "rip ", "Thread 1", "Mapped address spaces", "fwd[160]: segfault"):
        assert words in whole


def test_what_the_program_says_comes_first(host, scene, core):
    printed = "fwd: ring.c:31: put: Assertion `index < size' failed.\n"
    crash = examine(scene(host, core, printed=printed), CRASHED).crash
    assert crash.what == "ring.c:31: put: Assertion `index < size' failed."
    assert crash.frames[0] == "strike"
    assert "index < size" in crash.text


def test_a_crash_without_a_core_is_one_too(host, scene):
    crash = examine(scene(host), CRASHED).crash
    assert (crash.what, crash.frames, crash.text) == ("SIGSEGV", (), "")


@pytest.mark.parametrize(
    "run",
    [
        make_run("pcap"),
        make_run("fwd"),
        make_run("fwd", exit=Exit(status=137, signal="SIGKILL"), stopped_by="KILL"),
        make_run("fwd", exit=Exit(status=3), ended_itself=True),
    ],
)
def test_who_ended_otherwise_has_not_crashed(host, scene, run):
    assert examine(scene(host), run) is run


def test_a_role_that_was_started_again_has_not_the_first_ones_crash(host, scene):
    elsewhere = Core("/nowhere/core.160.11.!x", 1)
    run = make_run("fwd")
    assert examine(scene(host, elsewhere, name="fwd-2"), run) is run


@pytest.fixture(scope="module")
def bare_host(tmp_path_factory):
    """A node that has no gdb."""
    folder = tmp_path_factory.mktemp("bare")
    tools = folder / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "env", "gzip", "kill", "setsid", "sleep", "stat", "sudo", "zstd"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    server = Sshd(folder, f"SetEnv PATH={tools}")
    with server.connect() as host:
        yield host
    server.stop()


def test_a_node_without_gdb_gives_the_core(bare_host, scene, tmp_path):
    core = tmp_path / "core.160.11.!home!ixy!fwd"
    core.write_bytes(b"core" * 1000)
    place = scene(bare_host, Core(str(core), 4000))
    crash = examine(place, CRASHED).crash
    assert crash.core == "roles/fwd.core.zst"
    assert subprocess.check_output(["zstd", "-dcq", place.folder / crash.core]) == core.read_bytes()
    assert "gdb /home/ixy/fwd CORE" in crash.text


def test_a_core_that_is_gone(bare_host, scene):
    crash = examine(scene(bare_host, Core("/nowhere/core.160.11.!x", 4000)), CRASHED).crash
    assert (crash.what, crash.core) == ("SIGSEGV", None)
