"""A volume driver of cinder that keeps no bytes: what there is of a volume is its record."""

from __future__ import annotations

from cinder import interface
from cinder.volume import driver


@interface.volumedriver
class PaperVolumes(driver.VolumeDriver):
    """Says yes to all that making, attaching and removing a volume asks of a driver."""

    VERSION = "1"

    def check_for_setup_error(self):
        """Nothing can be wrong."""

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": "paper",
            "vendor_name": "none",
            "driver_version": self.VERSION,
            "storage_protocol": "none",
            "total_capacity_gb": 1000,
            "free_capacity_gb": 1000,
        }

    def create_volume(self, volume):
        """Nothing to do."""

    def delete_volume(self, volume):
        """Nothing to do."""

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        """Say that the image is in the volume: else it would be fetched."""
        return {}, True

    def ensure_export(self, context, volume):
        """Nothing to do."""

    def create_export(self, context, volume, connector):
        """Nothing to do."""

    def remove_export(self, context, volume):
        """Nothing to do."""

    def initialize_connection(self, volume, connector):
        """What nova is told to attach."""
        return {"driver_volume_type": "fake", "data": {"volume_id": volume.id}}

    def terminate_connection(self, volume, connector, **_more):
        """Nothing to do."""
