# The reference pktgen: tcpreplay sends frames that were made beforehand, then waits to be stopped. They are
# numbered packets at an even rate, or those of a capture that is named, in the capture's own rhythm.
set -eu
. ./nic.sh
require tcpreplay
nic=$(interface_at "$PCI_ADDR_PKTGEN")
quieten "$nic"
await_links "$nic"
[ $# != 0 ] || set -- --pps="${PKTGEN_RATE:-25000}" packets.pcap
trap 'exit 130' INT
trap 'exit 143' TERM
# Held in memory, a packet takes 1 KB and is sent in time; 920,000 of them did not fit into a small machine.
[ "$(stat -c %s "${!#}")" -gt 16000000 ] || set -- -K "$@"
echo "ready: sending"
# Nothing in the background: what is started there at the moment of a signal would be left behind.
tcpreplay -q -i "$nic" "$@"
while :; do sleep 1; done
