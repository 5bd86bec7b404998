# The reference pktgen: tcpreplay sends numbered packets that were made beforehand, then waits to be stopped.
set -eu
. ./nic.sh
require tcpreplay
nic=$(interface_at "$PCI_ADDR_PKTGEN")
quieten "$nic"
trap 'exit 130' INT
trap 'exit 143' TERM
echo "ready: sending"
# Nothing in the background: what is started there at the moment of a signal would be left behind.
tcpreplay -q -K --pps="${PKTGEN_RATE:-25000}" -i "$nic" packets.pcap
while :; do sleep 1; done
