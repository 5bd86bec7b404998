"""What a project has."""

from __future__ import annotations


def contents(connection, *, volumes=True):
    """Names and ids of all that a project has, by kind; not of volumes where the cloud has no cinder."""
    compute, network = connection.compute, connection.network
    mine = {"project_id": connection.current_project_id}
    found = {
        "servers": compute.servers(),
        "keypairs": compute.keypairs(),
        "volumes": connection.block_storage.volumes() if volumes else (),
        "networks": network.networks(**mine),
        "subnets": network.subnets(**mine),
        "ports": network.ports(**mine),
        "routers": network.routers(**mine),
        "floating IPs": network.ips(**mine),
        "groups": network.security_groups(**mine),
    }
    return {kind: sorted((thing.name, thing.id) for thing in things) for kind, things in found.items()}
