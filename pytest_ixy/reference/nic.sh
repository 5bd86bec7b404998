# Sourced by the reference roles: network interfaces by their PCI address, driven by the node's kernel.

# Print the name of the interface at that PCI address, with a kernel driver bound to it.
interface_at() {
    local device=/sys/bus/pci/devices/$1 name tries
    [ -e "$device" ] || { echo "there is no PCI device $1" >&2; return 1; }
    for tries in 1 2 3 4 5 6 7 8 9 10; do
        name=$(ls -d "$device"/net/* "$device"/virtio*/net/* 2>/dev/null | head -n 1)
        [ -z "$name" ] || { basename "$name"; return 0; }
        [ "$tries" != 1 ] || rebind "$1" "$device"
        sleep 0.3
    done
    echo "no kernel driver of this node drives the PCI device $1" >&2
    return 1
}

# Give the device back to the kernel, when a userspace driver has or had it.
rebind() {
    if [ -e "$2/driver" ]; then echo "$1" >"$2/driver/unbind"; fi
    echo >"$2/driver_override"
    echo "$1" >/sys/bus/pci/drivers_probe
}

# Nothing but the test's own frames: no addresses, no offloads that merge or change frames.
# Not again where another role works on the same NIC: it would lose its link.
quieten() {
    [ -z "${NIC_SHARED:-}" ] || return 0
    ip link set "$1" down
    # virtio: no interrupt for each frame that was sent
    ethtool -C "$1" tx-frames 0 >/dev/null 2>&1 || true
    # QEMU's vmxnet3 takes frames and loses them when the ring is full, so that nobody is slowed down
    case $(readlink "/sys/class/net/$1/device/driver") in
        */vmxnet3) ethtool -G "$1" rx 4096 >/dev/null 2>&1 || true ;;
    esac
    sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1" 2>/dev/null || true
    ethtool -K "$1" gro off gso off tso off lro off rx off tx off >/dev/null 2>&1 || true
    # One frame after the other: of a batch, those that no protocol of this kernel wants reach tcpdump last.
    # Kernels before 5.4 hand on one by one.
    sysctl -qw net.core.gro_normal_batch=1 2>/dev/null || true
    # First in, first out: the usual queue sorts frames by flows, and drops those that waited for 5 ms.
    require tc
    tc qdisc replace dev "$1" root pfifo limit 20000
    ip link set "$1" arp off multicast off promisc on up
}

# Wait until those have a link: some devices need seconds for it, and a frame before that is lost.
await_links() {
    local nic tries up
    for nic in "$@"; do
        for tries in {1..100}; do
            read -r up 2>/dev/null <"/sys/class/net/$nic/carrier" || up=0
            [ "$up" != 1 ] || break
            sleep 0.1
        done
    done
}

require() {
    command -v "$1" >/dev/null || { echo "the reference needs $1 on this node, and it is not installed" >&2; exit 1; }
}
