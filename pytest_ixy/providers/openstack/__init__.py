"""Provider `openstack`: servers of a cloud, with everything that they need."""
