"""The provider openstack on a real one: all that it asks of an API. No server is entered here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import testbeds
from contents import contents

from pytest_ixy import ledger, paths, sweep
from pytest_ixy.errors import LabError, NotOfferedError, UsageError
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.openstack import door, removal
from pytest_ixy.providers.openstack.entrance import Entrance
from pytest_ixy.providers.openstack.lookup import Lookup
from pytest_ixy.providers.openstack.provider import OpenStack
from pytest_ixy.providers.openstack.reference import Thing
from pytest_ixy.topology import forward_topology

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # the library of itself
HERE = Path(__file__).parent
RUN = "2026-11-22T05-01-17-forward-ixy-9c31"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, cloud):
    surround(monkeypatch, tmp_path, cloud)


def surround(patch, folder, cloud):
    for name in ("STATE", "CACHE"):
        patch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    patch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud.clouds))
    patch.setattr(Entrance, "enter", Entrance.enter)  # put back afterwards
    door._known.clear()


@pytest.fixture
def as_before(tenant):
    before = contents(tenant)
    yield before
    assert contents(tenant) == before


@pytest.fixture
def undo():
    """Takes what removes what a test made; does it last first."""
    with ExitStack() as stack:
        yield stack.callback


@pytest.fixture
def book():
    made = ledger.create(RUN)
    yield made
    assert sweep.settle(made).errors == ()


@pytest.fixture(scope="module")
def whole(cloud, tenant, tmp_path_factory):
    """A testbed that was made of nothing, its ledger, and what the project had before: to be looked at."""
    before, folder = contents(tenant), tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        surround(patch, folder, cloud)
        book = ledger.create(RUN)
        provider, testbed = testbeds.provision(book, folder, testbeds.settings(folder))
        yield SimpleNamespace(testbed=testbed, book=book, before=before, folder=folder)
        assert provider.destroy() == []
        assert sweep.settle(book) == sweep.Swept(RUN, (), ())
    assert contents(tenant) == before


@pytest.fixture
def build(as_before, book, tmp_path):
    """Provision by keys of [openstack]; unmade at the end."""
    made = []

    def build(**table):
        provider, testbed = testbeds.provision(book, tmp_path, testbeds.settings(tmp_path, **table))
        made.append(provider)
        return testbed

    yield build
    for provider in made:
        assert provider.destroy() == []


def refused(build, kind, words, **table):
    with pytest.raises(kind, match=words) as caught:
        build(**table)
    assert caught.value.hint
    assert "\n" not in caught.value.what
    return caught.value


def test_a_testbed_is_made_of_nothing(whole, tenant):
    testbed = whole.testbed
    servers = {name: tenant.compute.get_server(id_) for name, id_ in testbed.private["servers"].items()}
    assert {name: server.status for name, server in servers.items()} == dict.fromkeys(
        ["pcap", "fwd", "pktgen"], "ACTIVE"
    )
    assert all(server.metadata == {"pytest-ixy": RUN} for server in servers.values())
    assert testbed.record.name == "openstack"
    assert testbed.record.image == "paper"
    assert any("flavor small" in note for note in testbed.record.notes)
    assert json.loads(json.dumps(testbed.private)) == testbed.private
    assert [nic.pci for nic in testbed.topology.node("fwd").nics] == list(testbeds.SLOTS)
    for node in testbed.nodes:
        assert re.fullmatch(r"172\.30\.0\.\d+", node.address)
        assert testbed.accesses[node.name].key.startswith(str(whole.folder))


def test_test_ports_let_everything_pass_and_networks_say_nothing(whole, tenant):
    testbed = whole.testbed
    ports = {
        name: [tenant.network.get_port(id_) for id_ in ids] for name, ids in testbed.private["ports"].items()
    }
    for port in (port for some in ports.values() for port in some):
        assert (port.is_port_security_enabled, port.security_group_ids, port.status) == (False, [], "ACTIVE")
        assert RUN in port.description
        assert "pytest-ixy" in port.tags
    names = {
        name: [tenant.network.get_network(port.network_id).name for port in some]
        for name, some in ports.items()
    }
    assert [name.rpartition("9c31-")[2][5:] for name in names["fwd"]] == ["pktgen-fwd", "fwd-pcap"]
    assert names["pktgen"] == names["fwd"][:1]
    assert names["pcap"] == names["fwd"][1:]
    (subnet,) = tenant.network.subnets(network_id=ports["pcap"][0].network_id)
    assert (subnet.is_dhcp_enabled, subnet.gateway_ip) == (False, None)
    (management,) = [
        port
        for port in tenant.network.ports(device_id=testbed.private["servers"]["fwd"])
        if port.is_port_security_enabled
    ]
    rules = tenant.network.get_security_group(management.security_group_ids[0]).security_group_rules
    assert {
        (rule["protocol"], rule["port_range_min"]) for rule in rules if rule["direction"] == "ingress"
    } == {("tcp", 22), ("icmp", None)}


def test_all_that_is_made_is_in_the_ledger(whole, tenant):
    things = Counter(Thing.parse(entry.name).kind for entry in whole.book.entries())
    made = {kind: len(now) - len(whole.before[kind]) for kind, now in contents(tenant).items()}
    of_router = 2  # its interface, its gateway's address does not show
    assert things == {
        "keypair": made["keypairs"], "security-group": made["groups"], "network": made["networks"],
        "subnet": made["subnets"], "router": made["routers"], "server": made["servers"],
        "floating-ip": made["floating IPs"], "port": made["ports"] - of_router + 1,
    }  # fmt: skip


def test_who_provisioned_nothing_can_serve_the_testbed(whole):
    """As in a worker of xdist."""
    testbed, fresh = whole.testbed, OpenStack()
    assert fresh.ended(testbed, "pcap") is None
    assert fresh.counters(testbed) == {}
    with pytest.raises(NotOfferedError, match="vnic_type 'normal'"):
        fresh.link(testbed, "fwd", 0, up=False)
    console = Path(testbed.nodes[0].console)
    console.write_text("")
    fresh.end_traffic(testbed)
    assert "FAKE CONSOLE" in console.read_text()


def test_servers_boot_from_new_volumes_and_one_that_somebody_removes_is_known_to_be_dead(build, tenant):
    testbed = build(flavor="diskless", volume=1)
    servers = testbed.private["servers"]
    volumes = list(tenant.block_storage.volumes())
    assert [volume.size for volume in volumes] == [1, 1, 1]
    assert {each["server_id"] for volume in volumes for each in volume.attachments} == set(servers.values())
    gone = tenant.compute.get_server(servers["fwd"])
    tenant.compute.delete_server(gone)
    tenant.compute.wait_for_delete(gone)
    assert OpenStack().ended(testbed, "fwd") == "its server is gone"


def test_virtual_functions_that_no_host_has_are_told(build):
    error = refused(build, LabError, "could not be made", vnic_type="direct")
    assert "virtual functions" in error.hint


def test_the_link_of_a_virtual_function_goes_down_and_up(whole, tenant, undo):
    network = tenant.network.get_port(whole.testbed.private["ports"]["pcap"][0]).network_id
    port = tenant.network.create_port(network_id=network, binding_vnic_type="direct")
    undo(tenant.network.delete_port, port)
    testbed = replace(whole.testbed, private={**whole.testbed.private, "ports": {"fwd": [port.id]}})
    for up in (False, True):
        OpenStack().link(testbed, "fwd", 0, up=up)
        assert tenant.network.get_port(port).is_admin_state_up is up


@pytest.fixture
def by_hand(tenant, undo, tmp_path):
    """What ixy-ci's README says to make; the key is in the folder of config.toml."""
    network = tenant.network
    made = {}
    for number, (name, ports) in enumerate(
        {"pktgen-fwd": ("pktgen", "fwd-in"), "fwd-pcap": ("fwd-out", "pcap")}.items()
    ):
        made[name] = one = network.create_network(name=name)
        undo(network.delete_network, one)
        network.create_subnet(network_id=one.id, ip_version=4, cidr=f"10.1.{number}.0/24")
        for port in ports:
            made[port] = network.create_port(
                name=port, network_id=one.id, is_port_security_enabled=False, security_group_ids=[]
            )
            undo(network.delete_port, made[port])
    made["internet"] = internet = network.create_network(name="internet")
    undo(network.delete_network, internet)
    subnet = network.create_subnet(network_id=internet.id, ip_version=4, cidr="10.1.9.0/24")
    outside = network.find_network("outside")
    router = network.create_router(name="r", external_gateway_info={"network_id": outside.id})
    undo(network.delete_router, router)
    network.add_interface_to_router(router, subnet_id=subnet.id)
    undo(network.remove_interface_from_router, router, subnet_id=subnet.id)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    tenant.compute.create_keypair(name="ixy-ci", public_key=(tmp_path / "id.pub").read_text())
    undo(tenant.compute.delete_keypair, "ixy-ci")
    return made


LOGIN = {
    "cloud": None, "user_domain": "Default", "project_domain": "Default", "ssh_login": "debian",
    "keypair": "ixy-ci", "private_key_path": "id",
}  # fmt: skip


@pytest.fixture
def login(tenant):
    """ixy-ci's keys for the log-in."""
    auth = tenant.config.config["auth"]
    names = {"user_name": auth["username"], "project_name": auth["project_name"]}
    return {**LOGIN, **names, "auth_url": auth["auth_url"], "password": auth["password"]}


def test_the_setup_of_ixy_ci_is_used_and_left(by_hand, tenant, build, book, login):
    before = contents(tenant)
    testbed = build(**login)
    for name, ports in {"pktgen": ["pktgen"], "fwd": ["fwd-in", "fwd-out"], "pcap": ["pcap"]}.items():
        assert testbed.private["ports"][name] == [by_hand[port].id for port in ports]
        assert tenant.network.get_port(by_hand[ports[0]].id).device_id == testbed.private["servers"][name]
    assert {Thing.parse(entry.name).kind for entry in book.entries()} == {
        "security-group",
        "port",
        "floating-ip",
        "server",
    }
    access = testbed.accesses["fwd"]
    assert (access.user, Path(access.key).name) == ("debian", "id")
    refused(
        build,
        LabError,
        "The port pcap is in use|The port fwd-in is in use|The port pktgen is in use",
        **login,
    )
    assert tenant.compute.get_server(testbed.private["servers"]["fwd"]).key_name == "ixy-ci"
    assert set(before["ports"]) < set(contents(tenant)["ports"])


@pytest.fixture
def find(cloud, tmp_path):
    """What would be used, by keys of [openstack]; nothing is made."""

    def find(**table):
        settings = testbeds.settings(tmp_path, **table)
        entered = door.enter(door.reference(settings))
        return Lookup(entered, settings.openstack).find(forward_topology(settings.pci))

    return find


def test_what_was_made_by_hand_is_used_as_far_as_one_wants(by_hand, find, tenant):
    assert find().management.id == by_hand["internet"].id
    assert find().pool.name == "outside"
    none = find(networks=[], floating_ips=False)
    assert (none.networks, none.ports, none.pool) == ({}, {}, None)
    crossed = find(networks=["fwd-pcap", by_hand["pktgen-fwd"].id])
    assert crossed.networks["pktgen-fwd"].id == by_hand["fwd-pcap"].id
    assert set(crossed.ports) == set()
    tenant.network.update_port(by_hand["pcap"], is_port_security_enabled=True)
    with pytest.raises(LabError, match="port pcap has port security on") as caught:
        find()
    assert f"--disable-port-security {by_hand['pcap'].id}" in caught.value.hint


def test_the_domain_of_the_project_need_not_be_told(find, login):
    keys = {"keypair": None, "private_key_path": None, "project_domain": None}
    assert find(**{**login, **keys}).flavor.name == "small"


def test_a_project_that_is_not_the_users_is_told_with_the_nearest(build, login, tmp_path):
    (tmp_path / "id").write_text("")
    keys = {"keypair": None, "private_key_path": None, "project_domain": None}
    wrong = f"{login['project_name']}x"
    words = f"no project '{wrong}'; did you mean '{login['project_name']}'"
    refused(build, UsageError, words, **{**login, **keys, "project_name": wrong})


def test_a_wrong_password_is_told(build, login):
    keys = {"keypair": None, "private_key_path": None}
    error = refused(build, UsageError, r"refused \(401\)", **{**login, **keys, "password": "guessed"})
    assert "guessed" not in str(error)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("flavor", "smal", "no flavor 'smal'; did you mean 'small'"),
        ("image", "papers", "no image 'papers'; did you mean 'paper'"),
        ("networks", ["a", "outsid"], "no network 'a'"),
        ("management_network", "outsid", "no network 'outsid'; did you mean 'outside'"),
        ("floating_ip_pool", "outsidde", "no floating IP pool 'outsidde'; did you mean 'outside'"),
        ("keypair", "mine", "no keypair 'mine'"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(build, book, key, value, words):
    refused(build, UsageError, words, **{key: value})
    assert not book.entries()


def test_of_two_with_one_name_none_is_taken(build, tenant, undo):
    twins = [tenant.network.create_network(name="twin") for _ in range(2)]
    for twin in twins:
        undo(tenant.network.delete_network, twin)
    error = refused(build, UsageError, "2 of the name 'twin'", management_network="twin")
    assert twins[0].id in error.hint


def test_the_quota_of_servers_is_told_and_nothing_is_left(build, tenant, admin, undo):
    project = tenant.current_project_id
    admin.compute.update_quota_set(project, instances=len(list(tenant.compute.servers())) + 2)
    undo(admin.compute.revert_quota_set, project)
    error = refused(build, LabError, "[Qq]uota .*instances")
    assert "have the quota raised" in error.hint


@pytest.mark.parametrize("quota", ["port of ports", "floatingip of ips"])
def test_the_quota_of_networks_is_told_and_nothing_is_left(build, tenant, admin, undo, quota):
    kind, _, words = quota.split()
    project = tenant.current_project_id
    used = len(list(getattr(tenant.network, words)(project_id=project)))
    admin.network.update_quota(project, **{kind: used})
    undo(admin.network.delete_quota, project)
    refused(build, LabError, f"quota .*{kind}")


def test_no_valid_host_is_told_and_nothing_is_left(build, tenant, admin, undo):
    admin.compute.update_quota_set(tenant.current_project_id, ram=-1)
    undo(admin.compute.revert_quota_set, tenant.current_project_id)
    flavor = admin.compute.create_flavor(name="gigantic", ram=1 << 28, vcpus=1, disk=1)
    undo(admin.compute.delete_flavor, flavor)
    error = refused(build, LabError, "No valid host was found", flavor="gigantic")
    assert "smaller flavor" in error.hint


def test_a_zone_that_there_is_not_is_told(build):
    refused(build, LabError, "availability zone", availability_zone="moon")


def test_a_network_of_somebody_elses_does_not_let_its_port_security_go(build, admin, undo):
    shared = [admin.network.create_network(name=name, is_shared=True) for name in ("s1", "s2")]
    for number, network in enumerate(shared):
        undo(admin.network.delete_network, network)
        admin.network.create_subnet(network_id=network.id, ip_version=4, cidr=f"10.3.{number}.0/24")
    error = refused(build, LabError, r"forbidden \(403\)", networks=["s1", "s2"])
    assert "Port security" in error.hint


@pytest.mark.usefixtures("as_before")
def test_what_somebody_plugged_into_our_networks_stays_and_is_told(tenant, tmp_path, monkeypatch):
    monkeypatch.setattr(removal, "HELD", 2.0)
    monkeypatch.setattr(removal, "_held", set())
    book = ledger.create("plugged")
    provider, testbed = testbeds.provision(book, tmp_path, testbeds.settings(tmp_path))
    network = tenant.network.get_port(testbed.private["ports"]["pcap"][0]).network_id
    foreign = tenant.network.create_port(network_id=network, name="foreign")
    errors = provider.destroy()
    tenant.network.get_port(foreign.id)
    tenant.network.delete_port(foreign)
    assert [error.split(" ")[0] for error in errors] == ["subnet", "network"]
    assert "it is still there: " in errors[1]
    book.release()
    (swept,) = sweep.sweep()
    assert (len(swept.removed), swept.errors) == (2, ())


@pytest.mark.usefixtures("as_before")
def test_look_alikes_of_others_are_not_touched(cloud, undo, tmp_path):
    """They have the same names, but not the run's mark: of another user in the project, and next door."""
    settings = testbeds.settings(tmp_path)
    killed = ledger.create("dead-run")
    testbeds.provision(killed, tmp_path, settings)
    things = [Thing.parse(entry.name) for entry in killed.entries()]
    killed.release()
    alike = []
    for name in ("neighbour", "other"):
        connection = cloud.connect(name)
        for thing in things:
            if thing.kind == "network":
                network = connection.network.create_network(
                    name=thing.name, description="pytest-ixy another-run"
                )
                undo(connection.network.delete_network, network)
                port = connection.network.create_port(network_id=network.id, name=thing.name)
                undo(connection.network.delete_port, port)
                alike.append((connection, network, port))
    (swept,) = sweep.sweep()
    assert len(swept.removed) == len(things)
    for connection, network, port in alike:
        assert connection.network.get_network(network.id).id
        assert connection.network.get_port(port.id).id


@pytest.mark.usefixtures("as_before")
def test_an_interruption_in_the_middle_leaves_nothing(book, tmp_path):
    def interrupt(step):
        if any(entry.name.startswith("server ") for entry in book.entries()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        testbeds.provision(book, tmp_path, testbeds.settings(tmp_path), Progress(interrupt))


@pytest.fixture
def boundless(tenant, admin, undo):
    """The project has no quotas."""
    project = tenant.current_project_id
    admin.compute.update_quota_set(project, instances=-1, cores=-1, ram=-1)
    undo(admin.compute.revert_quota_set, project)
    kinds = "network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"
    admin.network.update_quota(project, **dict.fromkeys(kinds, -1))
    undo(admin.network.delete_quota, project)


@pytest.mark.usefixtures("boundless")
def test_killed_at_any_entry_nothing_is_left_after_a_sweep(as_before, tenant, book, tmp_path):
    provider, _ = testbeds.provision(book, tmp_path, testbeds.settings(tmp_path))
    count = len(book.entries())
    assert provider.destroy() == []
    command = [sys.executable, HERE / "killed.py", tmp_path, str(count)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE)
    left = contents(tenant)
    assert len(left["servers"]) >= 3
    assert len(left["networks"]) > count
    swept = [
        one
        for some in all_at_once(dict.fromkeys("abc", lambda: list(sweep.sweep()))).values()
        for one in some
    ]
    assert len(swept) == count
    assert [one.errors for one in swept if one.errors] == []
    assert [path for path in paths.ledgers_folder().iterdir() if path.stem != book.run] == []
    assert contents(tenant) == as_before
