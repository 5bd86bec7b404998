# The reference fwd: the kernel hands frames on, both ways, and changes nothing in them.
set -eu
. ./nic.sh
require tc
left=$(interface_at "$PCI_ADDR_FWD_SRC")
right=$(interface_at "$PCI_ADDR_FWD_DST")
for nic in "$left" "$right"; do
    quieten "$nic"
    tc qdisc replace dev "$nic" clsact
done
trap 'for nic in "$left" "$right"; do tc qdisc del dev "$nic" clsact || true; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tc filter add dev "$left" ingress matchall action mirred egress redirect dev "$right"
tc filter add dev "$right" ingress matchall action mirred egress redirect dev "$left"
await_links "$left" "$right"
echo "ready: forwarding"
while :; do sleep 1; done
