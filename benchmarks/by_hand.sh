#!/bin/bash
# One trial of examples/virtio by hand, to be run by `unshare -n`: three machines restored from a saved state,
# two networks, ssh, scp and tcpdump. Prints "PHASE SECONDS" for each phase, and "count N" at the end.
#
#   by_hand.sh FOLDER each|once|built PACKETS
#
# FOLDER has: qemu, QEMU's arguments, one on a line; memory and disk, the saved state; key, to log in with;
# tree, the work tree. `each` builds on every machine, `once` on one whose result is sent to the others,
# `built` nothing, as the tree is built.
set -eu
cd "$1" && how=$2 packets=$3
mapfile -t qemu <qemu
nodes=(pcap fwd pktgen)
declare -A port=([pcap]=2201 [fwd]=2202 [pktgen]=2203) nics=([pcap]=b:06 [fwd]="a:06 b:07" [pktgen]=a:06)
declare -A monitor
number=0

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

began=${EPOCHREALTIME/./}
over() { # the phase that ends now
    local now=${EPOCHREALTIME/./}
    printf '%s %d.%06d\n' "$1" $(((now - began) / 1000000)) $(((now - began) % 1000000))
    began=$now
}
options=(-q -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlPath="$PWD/ssh-%p"
    -o ConnectTimeout=10)
on() { ssh "${options[@]}" -p "${port[$1]}" ixy@127.0.0.1 "${@:2}"; }
everywhere() { # the command on all machines at once, its name as argument
    local jobs=() node
    for node in "${nodes[@]}"; do "$1" "$node" & jobs+=($!); done
    for node in "${jobs[@]}"; do wait "$node"; done
}

sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
for network in a b; do ip link add "net-$network" type bridge mcast_snooping 0 && ip link set "net-$network" up; done
for node in "${nodes[@]}"; do
    arguments=("${qemu[@]//127.0.0.1:0-/127.0.0.1:${port[$node]}-}")
    for nic in ${nics[$node]}; do
        tap=$node-${nic%:*}
        ip tuntap add "$tap" mode tap vnet_hdr
        ip link set "$tap" master "net-${nic%:*}" up
        arguments+=(-netdev "tap,id=$tap,ifname=$tap,script=no,downscript=no")
    done
    qemu-img create -q -f qcow2 -F qcow2 -b "$PWD/disk" "$node.qcow2"
    arguments+=(-drive "if=none,id=disk,file=$node.qcow2,format=qcow2,cache=unsafe,discard=unmap")
    arguments+=(-device virtio-blk-pci,drive=disk,addr=04.0 -serial "file:$node.console")
    mkfifo "$node.monitor"
    "${arguments[@]}" -monitor stdio -incoming defer <"$node.monitor" >"$node.said" 2>&1 &
    exec {descriptor}>"$node.monitor"
    monitor[$node]=$descriptor
    # no RARP frames, which would land in the capture
    printf 'migrate_set_parameter announce-rounds 0\nmigrate_incoming "exec:cat memory"\n' >&"$descriptor"
done
for node in "${nodes[@]}"; do
    until grep -qE "VM status: paused[[:space:]]*$" "$node.said"; do
        echo "info status" >&"${monitor[$node]}"
        sleep 0.05
    done
    echo cont >&"${monitor[$node]}"
    for nic in ${nics[$node]}; do
        tap=$node-${nic%:*} mac=$((++number))
        device="virtio-net-pci,netdev=$tap,addr=${nic#*:}.0,mac=52:54:00:16:01:0$mac,romfile="
        echo "device_add $device,disable-legacy=off,disable-modern=off" >&"${monitor[$node]}"
    done
done
over restore

connect() {
    until ssh -M -f -N "${options[@]}" -p "${port[$1]}" ixy@127.0.0.1; do sleep 0.2; done
    on "$1" sudo date -s "@$EPOCHSECONDS" >/dev/null # the clock stood still meanwhile
}
everywhere connect
over connect

send() { tar -C tree -cf - . | zstd -q -1 | on "$1" "mkdir it && zstd -dcq | tar -C it -xf -"; }
case $how in
    once) send fwd ;;
    *) everywhere send ;;
esac
over send
build() { on "$1" "cd it && make" >"$1.build"; }
case $how in
    each) everywhere build ;;
    once)
        build fwd
        on fwd "tar -C it -cf - . | zstd -q -1" >made.tar.zst
        fetch() { [[ $1 == fwd ]] || on "$1" "mkdir it && zstd -dcq | tar -C it -xf -" <made.tar.zst; }
        everywhere fetch
        ;;
esac
setup() { on "$1" "cd it && sudo ./setup-hugepages.sh" >"$1.setup"; }
everywhere setup
over build

start() { # a role, and what it prints when it is ready
    touch "$1.log"
    on "$1" "cd it && sudo $2" >"$1.log" 2>&1 &
    running[$1]=$!
    until grep -q "^ready" "$1.log"; do sleep 0.05; done
}
declare -A running
start pcap "./pcap 0000:00:06.0 /tmp/capture.pcap $packets"
start fwd "./fwd 0000:00:06.0 0000:00:07.0"
over start
start pktgen "./pktgen 0000:00:06.0 --rate 25000"
wait "${running[pcap]}"
over capture
end() { [[ $1 == pcap ]] || on "$1" "sudo pkill -INT -x $1" || true; }
everywhere end
wait "${running[fwd]}" "${running[pktgen]}" || true
over stop
scp "${options[@]}" -P "${port[pcap]}" ixy@127.0.0.1:/tmp/capture.pcap capture.pcap
over fetch
count=$(tcpdump -nr capture.pcap "udp dst port 1337 and ether[0] = 1 and ether[1] = 3 and ether[42:2] = 0x6978" 2>/dev/null |
    wc -l)
over check
for node in "${nodes[@]}"; do ssh "${options[@]}" -p "${port[$node]}" -O exit ixy@127.0.0.1; done
for node in "${nodes[@]}"; do echo quit >&"${monitor[$node]}"; done
wait
over end
echo "count $count"
