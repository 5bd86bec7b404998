"""A mechanism driver of neutron's ML2 that binds every port at once: there are no agents and no machines."""

from __future__ import annotations

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BindAnywhere(api.MechanismDriver):
    """Says of every port that it is plugged in, whatever its vnic type."""

    def initialize(self):
        """Nothing to do."""

    def bind_port(self, context):
        """Bind to the first segment there is."""
        segment = context.segments_to_bind[0][api.ID]
        details = {portbindings.CAP_PORT_FILTER: False}
        context.set_binding(segment, portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE)
