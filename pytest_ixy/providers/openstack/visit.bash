# On a node that is new: wait until its first start is over, see to it that nobody there uses the test NICs, and tell
# where they are.
#
# MACS  their addresses, as the cloud gave them out
# SECONDS_TO_WAIT  for the first start, and for the NICs
# SYS, ETC  /sys and /etc, but in tests
#
# Answers are lines: "nic MAC PCI INTERFACE", and "device PCI MAC" for every other network device of the PCI bus.

shopt -s nullglob extglob
if [[ $SYS == /sys ]] && command -v cloud-init >/dev/null; then
    timeout "$SECONDS_TO_WAIT" cloud-init status --wait >/dev/null 2>&1
fi

interface() { # folder of the interface that has this address
    local path found
    for path in "$SYS"/class/net/*/address; do
        read -r found <"$path" && [[ $found == "$1" && -e ${path%/*}/device ]] && { echo "${path%/*}"; return; }
    done
    return 1
}

pci() { # address of the PCI device behind an interface; a virtio device lies below it
    local path
    path=$(readlink -f "$1/device") || return
    while [[ $path == *virtio+([0-9]) ]]; do path=${path%/*}; done
    echo "${path##*/}"
}

quiet() { # ADDRESS INTERFACE
    mkdir -p "$ETC/systemd/network" "$ETC/NetworkManager/conf.d"
    printf '[Match]\nMACAddress=%s\n[Link]\nUnmanaged=yes\n' "$1" >"$ETC/systemd/network/00-ixy-${1//:/}.network"
    printf '[keyfile]\nunmanaged-devices+=mac:%s\n' "$1" >"$ETC/NetworkManager/conf.d/ixy-${1//:/}.conf"
    [[ $SYS == /sys ]] || return
    echo 1 >"/proc/sys/net/ipv6/conf/$2/disable_ipv6"
    ip addr flush dev "$2"
    ip link set dev "$2" down
} 2>/dev/null

end=$((SECONDS + SECONDS_TO_WAIT)) # udev and drivers may still be at it
for mac in $MACS; do
    until interface "$mac" >/dev/null || ((SECONDS >= end)); do sleep 0.3; done
done
if [[ $SYS == /sys ]]; then
    command -v udevadm >/dev/null && udevadm settle -t 10
fi
for mac in $MACS; do
    path=$(interface "$mac") || continue
    quiet "$mac" "${path##*/}"
    echo "nic $mac $(pci "$path") ${path##*/}"
done
if [[ $SYS == /sys ]]; then
    systemctl -q is-active systemd-networkd && networkctl reload
    systemctl -q is-active NetworkManager && nmcli general reload
    for mac in $MACS; do
        path=$(interface "$mac") && quiet "$mac" "${path##*/}"
    done
fi >/dev/null 2>&1
for path in "$SYS"/bus/pci/devices/*/class; do
    read -r class <"$path" && [[ $class == 0x02* ]] || continue
    path=${path%/class} mac=
    for file in "$path"/{net,virtio*/net}/*/address; do read -r mac <"$file"; done
    echo "device ${path##*/} ${mac:--}"
done
true
