"""The upgrade of an AGW: real apt and dpkg in a folder, reached by a real SSH server."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aptroot import AptHost
from sshd import needs, needs_root, until

from pytest_ixy.errors import LabError, TargetError, UsageError
from pytest_ixy.labtable import AgwTable
from pytest_ixy.remote import Host
from pytest_ixy.teravm import agw, health, tag, vigil
from pytest_ixy.teravm.apt import PAUSE

pytest_plugins = ["sshd_fixtures"]
pytestmark = [needs_root, needs("apt-get", "dpkg-deb")]

OLD, NEW, NEWER = "1.6.0-1634000000-0a1b2c3d", "1.7.0-1634668331-66d9b7be", "1.8.0-1640000000-66d9ffff"
FAILS = "#!/bin/sh\n[ \"$1\" != configure ] || { echo 'no licence for the pipeline'; exit 3; }\n"


@pytest.fixture
def lab(sshd, tmp_path):
    """The host, with two versions in its repository."""
    host = AptHost(tmp_path / "agw", sshd.access)
    host.publish(OLD)
    host.publish(NEW)
    host.update()
    yield host
    host.stop()


@pytest.fixture
def node(lab):
    with Host.connect(lab.access, deadline=30) as host:
        yield host


@pytest.fixture
def log(tmp_path):
    return tmp_path / "steps" / "step.log"


def table(**more):
    return AgwTable(**{"host": "127.0.0.1", "services": ["sctpd"], **more})


def upgrade(node, log, version, **more):
    told = []
    done = agw.upgrade(node, table(**more), tag.parse(version), log, told.append)
    return done, told


def test_latest_is_the_first_row(lab, node, log):
    lab.publish(NEWER)
    assert tag.resolve(node, table(), "latest", log) == tag.Tag(NEWER, "66d9ffff")
    assert NEWER in log.read_text()


@pytest.mark.parametrize("asked", ["66d9b7be", "66D9B7", "66d9b7be" + "0" * 32])
def test_a_build_is_found_by_its_hash_shorter_or_longer(lab, node, log, asked):
    lab.publish(NEWER)
    assert tag.resolve(node, table(), asked, log).version == NEW


def test_a_hash_that_may_be_two_is_refused(lab, node, log):
    lab.publish("1.8.0-1640000000-66d9b7ff")
    with pytest.raises(LabError, match=r"66d9b7 may be any of 66d9b7be, 66d9b7ff"):
        tag.resolve(node, table(), "66d9b7", log)


def test_an_unknown_hash_is_told_with_the_newest_versions(node, log):
    with pytest.raises(LabError, match=r"no build 123456789") as caught:
        tag.resolve(node, table(), "123456789", log)
    assert caught.value.hint == f"the newest ones are {NEW}, {OLD}"


@pytest.mark.parametrize(
    "asked", ["", "66d9", "66d9b7bg", "66d9b7be; id", "$(id)", "6" * 41, "66d9b7\n", "-66d9b7b"]
)
def test_what_is_no_hash_reaches_no_shell(node, log, asked):
    with pytest.raises(UsageError, match="names no build"):
        tag.resolve(node, table(), asked, log)
    assert not log.exists()


@pytest.mark.parametrize("version", ["1.9.0", "1.9.0-1634668331", "1.9.0-now-66d9b7be", "9-1-2-66d9b7be"])
def test_a_newest_version_that_names_no_build_is_no_valid_tag(lab, node, log, version):
    lab.publish(version)
    with pytest.raises(LabError, match=rf"'{version}', is not a valid tag"):
        tag.resolve(node, table(), "latest", log)
    assert tag.resolve(node, table(), "66d9b7be", log).version == NEW


def test_a_package_that_apt_does_not_know_is_told(node, log):
    with pytest.raises(LabError, match=r"magma2"):
        tag.resolve(node, table(package="magma2"), "latest", log)


def test_a_failing_update_is_told_with_its_last_lines(lab, node, log):
    lab.sources("deb [trusted=yes] nonsense:/nowhere ./")
    with pytest.raises(LabError, match=r"`apt-get update` failed(?s:.)*nonsense could not be found"):
        tag.resolve(node, table(), "latest", log)


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server(lab):
    """The repository behind a web server."""
    serve = partial(Files, directory=str(lab.repository))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        lab.sources(f"deb [trusted=yes] http://127.0.0.1:{server.server_port}/ ./")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_list_that_cannot_be_fetched_hides_the_newest_only(server, lab, node, log):
    """apt-get ends well then, and goes on with the list that it has."""
    assert tag.resolve(node, table(), "latest", log).version == NEW
    server.shutdown()
    server.server_close()
    with pytest.raises(LabError, match=r"the newest is not known(?s:.)*Failed to fetch http"):
        tag.resolve(node, table(), "latest", log)
    with pytest.raises(LabError, match=r"the newest is not known"):
        tag.resolve(node, table(), "123456789", log)
    assert tag.resolve(node, table(), "66d9b7be", log).version == NEW
    with pytest.raises(LabError, match=r"could not be fetched"):
        upgrade(node, log, NEW)


def test_another_source_may_be_dead(lab, node, log):
    lab.sources(f"deb [trusted=yes] file:{lab.repository} ./", "deb [trusted=yes] http://127.0.0.1:9/ ./")
    assert tag.resolve(node, table(), "latest", log).version == NEW
    assert "Failed to fetch http://127.0.0.1:9/" in log.read_text()


def test_packages_that_were_fetched_do_not_pile_up(server, lab, node, log):
    lab.update()
    upgrade(node, log, NEW)
    assert lab.installed() == f"installed {NEW}"
    assert not list((lab.root / "var/cache/apt/archives").glob("*.deb"))


def test_the_installed_build_can_be_asked_for(lab, node, log):
    with pytest.raises(LabError, match="magma is not installed"):
        tag.installed(node, table(), log)
    upgrade(node, log, NEW)
    assert tag.installed(node, table(), log) == tag.Tag(NEW, "66d9b7be")
    lab.publish("1.9")
    lab.update()
    agw.upgrade(node, table(), tag.Tag("1.9", ""), log, lambda _words: None)
    with pytest.raises(LabError, match=r"the installed version, '1.9', is not a valid tag"):
        tag.installed(node, table(), log)


def test_an_upgrade_installs_and_restarts(lab, node, log):
    done, _ = upgrade(node, log, OLD)
    assert (done.title, done.numbers["before"]) == (f"magma none → {OLD}", "none")
    before = lab.pid()
    done, told = upgrade(node, log, NEW)
    assert done.title == f"magma {OLD} → {NEW}"
    assert done.numbers == {"before": OLD, "after": NEW}
    assert lab.installed() == f"installed {NEW}"
    assert lab.pid() != before
    assert told[-1] == "restarting sctpd"
    done, _ = upgrade(node, log, OLD)  # the way back is an upgrade too
    assert lab.installed() == f"installed {OLD}"


def test_what_is_there_already_is_only_restarted(lab, node, log):
    upgrade(node, log, NEW)
    before = lab.pid()
    log.unlink()
    done, _ = upgrade(node, log, NEW)
    assert done.title == f"magma was at {NEW} already; only its services were restarted"
    assert lab.pid() != before
    assert "apt-get" not in log.read_text()


def test_unmet_dependencies_are_the_builds_fault(lab, node, log):
    upgrade(node, log, OLD)
    lab.publish(NEWER, depends="magma-libfluid (>= 0.1)")
    lab.update()
    before = lab.pid()
    with pytest.raises(TargetError, match=r"dependencies are not met(?s:.)*magma-libfluid"):
        upgrade(node, log, NEWER)
    assert lab.installed() == f"installed {OLD}"
    assert lab.pid() == before


def test_a_package_that_cannot_be_configured_is_the_builds_fault_and_put_back(lab, node, log):
    upgrade(node, log, OLD)
    lab.publish(NEWER, postinst=FAILS)
    lab.update()
    with pytest.raises(TargetError, match=rf"no licence(?s:.)*After that: magma was put back to {OLD}$"):
        upgrade(node, log, NEWER)
    assert lab.installed() == f"installed {OLD}"
    assert health_of(node, log, OLD).title == f"sctpd up, magma at {OLD}"


def test_that_nothing_was_there_before_is_said(lab, node, log):
    lab.publish(NEWER, postinst=FAILS)
    lab.update()
    with pytest.raises(TargetError, match="was not installed before"):
        upgrade(node, log, NEWER)


def test_a_version_before_that_is_nowhere_any_more_is_told(lab, node, log):
    upgrade(node, log, OLD)
    (lab.repository / f"magma_{OLD}_all.deb").unlink()
    lab.publish(NEWER, postinst=FAILS)
    lab.update()
    with pytest.raises(TargetError, match=rf"magma could NOT be put back to {OLD}"):
        upgrade(node, log, NEWER)


def test_a_needed_package_that_fails_is_the_builds_fault(lab, node, log):
    lab.publish("1.0", name="libfluid", postinst=FAILS)
    lab.publish(NEWER, depends="libfluid")
    lab.update()
    with pytest.raises(TargetError, match="no licence"):
        upgrade(node, log, NEWER)


def test_a_full_disk_is_the_labs_fault(lab, node, log):
    upgrade(node, log, OLD)
    full = "#!/bin/sh\n[ \"$1\" != configure ] || { echo 'cp: error: No space left on device'; exit 1; }\n"
    lab.publish(NEWER, postinst=full)
    lab.update()
    with pytest.raises(LabError, match=rf"No space left(?s:.)*put back to {OLD}"):
        upgrade(node, log, NEWER)


def test_a_package_that_cannot_be_fetched_is_the_labs_fault(lab, node, log):
    upgrade(node, log, OLD)
    lab.publish(NEWER).unlink()
    lab.update()
    with pytest.raises(LabError, match=r"could not be fetched"):
        upgrade(node, log, NEWER)
    assert lab.installed() == f"installed {OLD}"


def test_a_service_that_does_not_start_is_the_builds_fault(lab, node, log):
    upgrade(node, log, OLD)
    lab.publish(NEWER, postinst=f"#!/bin/sh\nchmod 644 {lab.root}/fs/usr/sbin/sctpd\n")
    lab.update()
    with pytest.raises(TargetError, match=rf"service sctpd could not be restarted(?s:.)*put back to {OLD}$"):
        upgrade(node, log, NEWER)
    assert health_of(node, log, OLD)


def test_a_service_that_is_none_is_the_labs_fault(node, log):
    with pytest.raises(LabError, match="service sctp could not be restarted"):
        upgrade(node, log, NEW, restart=["sctp"])


def test_an_interrupt_puts_the_version_before_back(lab, node, log):
    upgrade(node, log, OLD)
    hangs = lab.root / "hangs"
    lab.publish(NEWER, postinst=f'#!/bin/sh\n[ "$1" != configure ] || {{ touch {hangs}; exec sleep 600; }}\n')
    lab.update()
    main = threading.main_thread().ident

    def interrupt():
        assert until(hangs.exists)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        upgrade(node, log, NEWER)
    thread.join()
    assert lab.installed() == f"installed {OLD}"
    assert log.read_text().endswith(f"--- magma was put back to {OLD}\n")
    assert health_of(node, log, OLD)


def test_who_may_not_restart_a_service_is_no_fault_of_the_build(lab, node, log):
    upgrade(node, log, NEW)
    lab.service("sctpd", "#!/bin/sh\necho 'Interactive authentication required.' >&2\nexit 1\n")
    with pytest.raises(LabError, match="service sctpd could not be restarted"):
        upgrade(node, log, NEW, root=False)


def test_without_root_nothing_is_installed(lab, node, log):
    with pytest.raises(LabError, match="only root can install") as caught:
        upgrade(node, log, NEW, root=False)
    assert "root = false" in caught.value.hint
    assert lab.installed() == ""


def test_a_lock_is_waited_for(lab, node, log):
    told, waits = [], threading.Event()

    def tell(words):
        told.append(words)
        waits.set()

    with (lab.root / "var/lib/apt/lists/lock").open("w") as lists:
        fcntl.lockf(lists, fcntl.LOCK_EX)
        thread = threading.Timer(2 * PAUSE, lambda: fcntl.lockf(lists, fcntl.LOCK_UN))
        thread.start()
        assert tag.resolve(node, table(), "latest", log).version == NEW
        thread.join()
    with (lab.root / "var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        thread = threading.Timer(2 * PAUSE, lambda: fcntl.lockf(lock, fcntl.LOCK_UN))
        thread.start()
        agw.upgrade(node, table(), tag.parse(NEW), log, tell)
        thread.join()
    assert lab.installed() == f"installed {NEW}"


def test_a_lock_that_nobody_gives_back_is_the_labs_fault(lab, node, log):
    with (lab.root / "var/lib/apt/lists/lock").open("w") as lists:
        fcntl.lockf(lists, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="lock"):
            tag.resolve(node, table(install="3s"), "latest", log)


def test_a_dpkg_that_was_cut_off_is_set_right(lab, node, log):
    upgrade(node, log, OLD)
    status = (lab.root / "var/lib/dpkg/status").read_text()
    (lab.root / "var/lib/dpkg/updates/0001").write_text(status.replace(" installed", " half-configured"))
    done, _ = upgrade(node, log, NEW)
    assert "dpkg had been interrupted" in done.notes[0]
    assert lab.installed() == f"installed {NEW}"


def test_an_upgrade_has_a_deadline(lab, node, log):
    lab.publish(NEWER, postinst="#!/bin/sh\n[ $1 != configure ] || sleep 600\n")
    upgrade(node, log, OLD)
    with pytest.raises(LabError, match=r"did not end: 8 s were over"):
        upgrade(node, log, NEWER, install="8s")
    assert lab.installed() == f"installed {OLD}"


def test_what_a_package_starts_is_not_ended_with_the_lease(lab, log):
    lab.publish(NEWER, postinst=f"#!/bin/sh\nenv >{lab.root}/seen\n")
    leased = replace(lab.access, environment={**lab.access.environment, "PYTEST_IXY_LEASE": "token"})
    with Host.connect(leased, deadline=30) as node:
        lab.update()
        upgrade(node, log, NEWER)
    seen = (lab.root / "seen").read_text()
    assert "DEBIAN_FRONTEND=noninteractive" in seen
    assert "token" not in seen


def health_of(node, log, version, **more):
    return health.agw(node, table(**more), tag.parse(version), log, lambda _words: None)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(vigil, "STEADY", 1.0)
    monkeypatch.setattr(vigil, "PAUSE", 0.2)


@pytest.mark.usefixtures("soon")
def test_a_service_that_is_down_is_the_builds_fault_and_named(lab, node, log):
    upgrade(node, log, NEW)
    lab.service("mme")
    with pytest.raises(TargetError, match=r"mme: mme is dead \(status 3\) for \d s$"):
        health_of(node, log, NEW, services=["sctpd", "mme"], health="2s")


@pytest.mark.usefixtures("soon")
def test_a_service_may_take_its_time(lab, node, log):
    upgrade(node, log, NEW)
    subprocess.run(["kill", str(lab.pid())], check=True)
    restart = threading.Timer(
        2.0, lambda: subprocess.run([lab.root / "bin/service", "sctpd", "restart"], check=True)
    )
    restart.start()
    done = health_of(node, log, NEW)
    restart.join()
    assert done.numbers["seconds"] > 2


@pytest.mark.usefixtures("soon")
def test_a_service_that_is_started_again_and_again_is_not_up(lab, node, log):
    lab.publish(NEWER, daemon="#!/bin/sh\nexec sleep 0.4\n")
    lab.update()
    upgrade(node, log, NEWER)
    over = threading.Event()

    def keep():
        while not over.wait(0.5):
            subprocess.run([lab.root / "bin/service", "sctpd", "restart"], check=True)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        with pytest.raises(TargetError, match=r"sctpd: .*, started anew \d+ times? meanwhile"):
            health_of(node, log, NEWER, health="6s")
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("soon")
def test_another_version_is_the_labs_fault(node, log):
    upgrade(node, log, OLD)
    with pytest.raises(LabError, match=rf"magma: installed {OLD}, not {NEW}"):
        health_of(node, log, NEW, health="1s")


@pytest.mark.usefixtures("soon")
def test_a_host_that_is_lost_is_the_labs_fault(sshd, lab, log):
    with Host.connect(lab.access, deadline=30) as node:
        upgrade(node, log, NEW)
        with pytest.raises(LabError, match=r"^lost node agw: .* while `status of services` ran"):
            health.agw(node, table(), tag.parse(NEW), log, lambda _words: cut(sshd))


def cut(sshd):
    for pid in sshd.sessions():
        subprocess.run(["kill", "-9", str(pid)], check=False)
