"""A stand-in for a TeraVM lab: machines of the project's own image behind a bastion."""
