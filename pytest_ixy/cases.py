"""The tests of scenario `lifecycle` by name."""

RESTART, KILLED, LATE, IDLE, DUPLEX, LINK, AGAIN = CASES = (
    "fwd-restart", "fwd-killed", "pcap-late", "idle", "duplex", "link", "again",
)  # fmt: skip
