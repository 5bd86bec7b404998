# The reference pcap for traffic that ends: tcpdump writes all that comes in, until nothing more does. That is
# soon after the file has the size that is named, and later when it stays smaller.
set -eu
. ./nic.sh
require tcpdump
nic=$(interface_at "$PCI_ADDR_PCAP")
quieten "$nic"
await_links "$nic"
tcpdump -Z root -i "$nic" -Q in -n -s 0 -B 16384 -U --immediate-mode -w "$PCAP_OUT" &
dump=$!
trap 'kill "$dump" 2>/dev/null || true; wait "$dump" || true; exit 130' INT
trap 'kill "$dump" 2>/dev/null || true; wait "$dump" || true; exit 143' TERM
last=0
quiet=0
while kill -0 "$dump" 2>/dev/null; do
    sleep 0.1
    size=$(stat -c %s "$PCAP_OUT" 2>/dev/null || echo 0)
    quiet=$((quiet + 1))
    [ "$size" = "$last" ] || quiet=0
    last=$size
    [ "$size" -lt "$1" ] && enough=30 || enough=4
    # a header of 24 bytes alone: nothing has come yet
    if [ "$size" -gt 24 ] && [ "$quiet" -ge "$enough" ]; then
        kill "$dump"
        break
    fi
done
wait "$dump"
