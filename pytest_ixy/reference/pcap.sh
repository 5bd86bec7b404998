# The reference pcap: tcpdump writes the first PCAP_N frames that come in.
set -eu
. ./nic.sh
require tcpdump
nic=$(interface_at "$PCI_ADDR_PCAP")
quieten "$nic"
await_links "$nic"
exec tcpdump -Z root -i "$nic" -Q in -n -s 0 -B 16384 -c "$PCAP_N" -w "$PCAP_OUT"
