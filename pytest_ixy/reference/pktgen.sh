# The reference pktgen: tcpreplay sends numbered packets that were made beforehand, then waits to be stopped.
set -eu
. ./nic.sh
require tcpreplay
nic=$(interface_at "$PCI_ADDR_PKTGEN")
quieten "$nic"
trap 'kill "$sender" 2>/dev/null || true; exit 130' INT
trap 'kill "$sender" 2>/dev/null || true; exit 143' TERM
echo "ready: sending"
tcpreplay -q -K --pps="${PKTGEN_RATE:-25000}" -i "$nic" packets.pcap &
sender=$!
wait "$sender"
sleep infinity &
sender=$!
wait "$sender"
