# The reference pcap for traffic that ends: tcpdump writes all that comes in. Once something has come, it ends
# when nothing more does: soon after PCAP_N frames, later when there are fewer.
set -eu
. ./nic.sh
require tcpdump
nic=$(interface_at "$PCI_ADDR_PCAP")
quieten "$nic"
came() { cat "/sys/class/net/$nic/statistics/rx_packets"; }
start=$(came)
last=$start
quiet=0
tcpdump -Z root -i "$nic" -Q in -n -s 0 -B 16384 -w "$PCAP_OUT" &
dump=$!
trap 'kill "$dump" 2>/dev/null || true; wait "$dump" || true; exit 130' INT
trap 'kill "$dump" 2>/dev/null || true; wait "$dump" || true; exit 143' TERM
while kill -0 "$dump" 2>/dev/null; do
    sleep 0.1
    now=$(came)
    quiet=$((quiet + 1))
    [ "$now" = "$last" ] || quiet=0
    last=$now
    [ $((now - start)) -lt "$PCAP_N" ] && enough=20 || enough=4
    if [ "$now" != "$start" ] && [ "$quiet" -ge "$enough" ]; then
        kill "$dump"
        break
    fi
done
wait "$dump"
