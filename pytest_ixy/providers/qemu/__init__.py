"""The embedded default: three QEMU machines on this host, joined by bridges in a private namespace."""
