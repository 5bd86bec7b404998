"""Is the cloud that the other tests rely on one? All but quotas as an ordinary user, beside the other."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack, contextmanager

import openstack
import pytest
from contents import contents
from openstack import exceptions


@pytest.fixture(scope="module")
def other(cloud):
    """Not the tenant, so that whoever develops can use the same cloud."""
    with cloud.connect("other") as connection:
        yield connection


@pytest.fixture
def undo(other):
    """Takes what removes what was made, and does it last first; nothing may be left."""
    before = contents(other)
    with ExitStack() as stack:
        yield stack.callback
    assert contents(other) == before


@pytest.fixture
def image(other):
    return other.image.find_image("paper")


@pytest.fixture
def flavor(other):
    return other.compute.find_flavor("small")


def make_network(other, undo, name, cidr, **options):
    network = other.network.create_network(name=name, **options)
    undo(other.network.delete_network, network)
    subnet = other.network.create_subnet(name=name, network_id=network.id, cidr=cidr, ip_version=4)
    return network, subnet


def make_port(other, undo, network):
    port = other.network.create_port(network_id=network.id, port_security_enabled=False, security_groups=[])
    undo(other.network.delete_port, port)
    assert port.is_port_security_enabled is False
    return port


def make_server(other, undo, **options):
    server = other.compute.create_server(**options)
    undo(other.compute.wait_for_delete, server)
    undo(other.compute.delete_server, server)
    return server


@contextmanager
def refused(kind, *words):
    with pytest.raises(kind) as caught:
        yield
    for word in words:
        assert word in str(caught.value)


def test_servers_on_two_networks_become_active_and_are_reached_from_outside(other, undo, image, flavor):
    networks = [make_network(other, undo, name, f"10.{name}.0.0/24") for name in ("10", "20")]
    outside = other.network.find_network("outside")
    router = other.network.create_router(name="r", external_gateway_info={"network_id": outside.id})
    undo(other.network.delete_router, router)
    inside = networks[0][1].id
    other.network.add_interface_to_router(router, subnet=inside)
    undo(other.network.remove_interface_from_router, router, subnet=inside)
    ports = [[make_port(other, undo, network) for network, _ in networks] for _ in range(3)]
    servers = [
        make_server(other, undo, name=f"s{number}", image_id=image.id, flavor_id=flavor.id, tags=["ours"],
                    networks=[{"port": port.id} for port in both])
        for number, both in enumerate(ports)
    ]  # fmt: skip
    for server in servers:
        assert other.compute.wait_for_server(server, wait=120).status == "ACTIVE"
    for first, _ in ports:
        address = other.network.create_ip(floating_network_id=outside.id, port_id=first.id)
        undo(other.network.delete_ip, address)
        assert address.floating_ip_address.startswith("172.30.0.")
    assert {other.network.get_port(port.id).status for both in ports for port in both} == {"ACTIVE"}
    assert {server.id for server in other.compute.servers(tags="ours")} == {server.id for server in servers}


def test_a_server_boots_from_a_new_volume(other, undo, image):
    disk = {
        "uuid": image.id, "source_type": "image", "destination_type": "volume", "boot_index": 0,
        "volume_size": 2, "delete_on_termination": True,
    }  # fmt: skip
    flavor = other.compute.find_flavor("diskless")
    undo(until_no_volumes, other)
    server = make_server(
        other, undo, name="v", flavor_id=flavor.id, networks="none", block_device_mapping=[disk]
    )
    assert other.compute.wait_for_server(server, wait=120).status == "ACTIVE"
    (volume,) = other.block_storage.volumes()
    assert (volume.size, volume.status) == (2, "in-use")


def until_no_volumes(other):
    deadline = time.monotonic() + 60
    while list(other.block_storage.volumes()):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_quotas_are_kept(other, admin, undo, image, flavor):
    project = other.current_project_id
    admin.compute.update_quota_set(project, instances=0)
    undo(admin.compute.revert_quota_set, project)
    with refused(exceptions.ForbiddenException, "Quota exceeded for instances"):
        other.compute.create_server(name="q", image_id=image.id, flavor_id=flavor.id, networks="none")
    admin.network.update_quota(project, network=0)
    undo(admin.network.delete_quota, project)
    with refused(exceptions.ConflictException, "Quota exceeded for resources: ['network']"):
        other.network.create_network(name="q")


def test_what_is_in_use_stays(other, undo):
    network, _ = make_network(other, undo, "used", "10.30.0.0/24")
    make_port(other, undo, network)
    with refused(exceptions.ConflictException, "one or more ports still in use"):
        other.network.delete_network(network)


def test_a_server_that_fits_nowhere_fails_with_a_reason(other, admin, undo, image):
    flavor = admin.compute.create_flavor(name="huge", ram=1, vcpus=1, disk=1 << 20)
    undo(admin.compute.delete_flavor, flavor)
    server = make_server(other, undo, name="h", image_id=image.id, flavor_id=flavor.id, networks="none")
    with pytest.raises(exceptions.ResourceFailure):
        other.compute.wait_for_server(server, wait=60)
    assert "No valid host was found" in other.compute.get_server(server.id).fault["message"]


def test_accounts_see_what_they_should(cloud, tenant, other, undo):
    name = f"seen-{secrets.token_hex(4)}"
    network = tenant.network.create_network(name=name)
    undo(tenant.network.delete_network, network)
    assert cloud.connect("neighbour").network.find_network(name).id == network.id
    assert other.network.find_network(name) is None
    with refused(exceptions.ForbiddenException):
        tenant.compute.create_flavor(name=name, ram=1, vcpus=1, disk=1)


def test_a_wrong_password_is_refused(other):
    wrong = {**other.config.config["auth"], "password": "guessed"}
    with (
        openstack.connect(
            load_yaml_config=False, load_envvars=False, auth=wrong, region_name="RegionOne"
        ) as it,
        refused(exceptions.SDKException, "HTTP 401"),
    ):
        it.authorize()
