"""The links of test NICs, as far as a cloud lets its users at them."""

from __future__ import annotations

from pytest_ixy.errors import NotOfferedError
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.trouble import attempt

SEEN = {"direct", "direct-physical"}
"""The vnic types of which a node sees the link go: the host's NIC tells its virtual functions."""


def switch(cloud: Cloud, port: str, *, up: bool) -> None:
    """Let the link of a port come up or go down.

    Raises:
        NotOfferedError: the node would not see it.
        LabError: the cloud did not do it.
    """
    network = cloud.sdk.network
    now = attempt("look at a port", cloud.where, lambda: network.get_port(port))
    if now.binding_vnic_type not in SEEN:
        raise NotOfferedError(
            f"the provider openstack cannot let a node see its link go with a port of vnic_type "
            f"{now.binding_vnic_type!r}"
        )
    attempt("switch a port", cloud.where, lambda: network.update_port(port, is_admin_state_up=up))
