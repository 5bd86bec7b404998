# NICs of a host: found by either address; their state, which is recorded in the file `before` and put back. What
# could not be put back is told in lines "untidy WORDS".

interfaces() { echo /sys/bus/pci/devices/"$1"/{net,virtio*/net}/*; }

driver_of() {
    local link
    link=$(readlink "/sys/bus/pci/devices/$1/driver") && echo "${link##*/}"
}

record_nic() {
    local nic=$1 override= path driver
    grep -q "^driver $nic " before && return
    driver=$(driver_of "$nic")
    { read -r override <"/sys/bus/pci/devices/$nic/driver_override"; } 2>/dev/null
    [[ $override == "(null)" ]] && override=
    echo "driver $nic ${driver:--} ${override:--}" >>before
    for path in $(interfaces "$nic"); do
        record_interface "$nic" "$path" "${path##*/}" >>before
    done
}

record_interface() { # ADDRESS PATH NAME
    local flags mtu ipv6=- frames word
    echo "name $1 $3"
    { read -r ipv6 <"/proc/sys/net/ipv6/conf/$3/disable_ipv6"; } 2>/dev/null
    frames=$(ring "$3" 2>/dev/null) && [[ $frames ]] && echo "ring $1 $frames"
    frames=$(frames_for_an_interrupt "$3" 2>/dev/null)
    features "$3" 2>/dev/null | while read -r word; do echo "feature $1 $word"; done
    echo "tuning $1 $ipv6 ${frames:--} $(queue "$3" 2>/dev/null)"
    read -r flags <"$2/flags" && read -r mtu <"$2/mtu" && echo "link $1 $((flags & 1)) $mtu $flags"
    addresses "$3" | while read -r word; do echo "address $1 $word"; done
}

addresses() { # of an interface, those that are not of the link alone
    local address
    ip -o address show dev "$1" scope global | while read -r _ _ _ address _; do echo "$address"; done
}

put_driver() { # ADDRESS DRIVER OVERRIDE
    local device=/sys/bus/pci/devices/$1 has
    [[ -e $device ]] || { echo "untidy $1 is no longer there"; return; }
    has=$(driver_of "$1")
    if [[ ${has:--} != "$2" ]]; then
        [[ $has ]] && echo "$1" >"$device/driver/unbind"
        if [[ $2 == - ]]; then # nobody's device must not write to memory
            printf '\0\0' | dd of="$device/config" bs=1 seek=4 conv=notrunc
        else
            echo "$2" >"$device/driver_override"
            echo "$1" >"/sys/bus/pci/drivers/$2/bind"
            command -v udevadm >/dev/null && udevadm settle -t 5
        fi
    fi
    [[ -e $device/driver_override ]] && echo "${3#-}" >"$device/driver_override"
    [[ $(driver_of "$1") == "${2#-}" ]] || echo "untidy $2 does not take $1"
}

put_names() { # two may have got each other's, so none gets its own before the others have given it up
    local word nic name path temporary
    for temporary in 1 ""; do
        while read -r word nic name; do
            [[ $word == name ]] || continue
            path=$(interfaces "$nic")
            [[ $path == *" "* || -z $path || ${path##*/} == "$name" ]] && continue # several, none, or all is well
            ip link set dev "${path##*/}" down
            [[ $temporary ]] && word=ixy${nic//[:.]/} || word=$name
            ip link set dev "${path##*/}" name "$word" || echo "untidy ${path##*/} was called $name"
        done <before
    done
}

put_link() { # ADDRESS UP MTU FLAGS
    local path flags mtu name to=(down up) on=(off on)
    for path in $(interfaces "$1"); do
        name=${path##*/}
        read -r mtu <"$path/mtu"
        ((mtu == $3)) || ip link set dev "$name" mtu "$3" || echo "untidy $name has an MTU of $mtu, not $3"
        read -r flags <"$path/flags"
        ((flags == $4)) && continue
        ip link set dev "$name" "${to[$2]}" promisc "${on[$4 >> 8 & 1]}" allmulticast "${on[$4 >> 9 & 1]}" \
            multicast "${on[$4 >> 12 & 1]}" arp "${on[!($4 >> 7 & 1)]}" || echo "untidy $name cannot be set ${to[$2]}"
    done
}

features() { # of an interface, those that can be switched, by the names that ethtool takes, as they are asked for
    ethtool -k "$1" | sed -n '
        s/^[[:space:]]*//
        s/^\([rt]x\)-checksumming:/\1:/
        s/^scatter-gather:/sg:/
        s/^tcp-segmentation-offload:/tso:/
        s/^udp-fragmentation-offload:/ufo:/
        s/^generic-segmentation-offload:/gso:/
        s/^generic-receive-offload:/gro:/
        s/^large-receive-offload:/lro:/
        s/^\([rt]x\)-vlan-offload:/\1vlan:/
        s/^ntuple-filters:/ntuple:/
        s/^receive-hashing:/rxhash:/
        s/: o[nf]* \[requested \(on\|off\)\]$/: \1/
        s/^\([a-z0-9-]*\): \(on\|off\)$/\1 \2/p'
}

changed_features() { # ADDRESS INTERFACE: those that are not as they were, "NAME on" or "NAME off" as it was
    sed -n "s/^feature $1 //p" before | grep -vxF -f <(features "$2")
}

frames_for_an_interrupt() {
    ethtool -c "$1" | sed -n 's/^tx-frames:[[:space:]]*\([0-9]*\)$/\1/p'
}

ring() { # how many frames an interface has room for
    ethtool -g "$1" | sed -n '/^Current/,$s/^RX:[[:space:]]*\([0-9]*\)$/\1/p'
}

put_ring() { # ADDRESS FRAMES
    local path name
    for path in $(interfaces "$1"); do
        name=${path##*/}
        [[ $(ring "$name") == "$2" ]] || ethtool -G "$name" rx "$2" || echo "untidy $name has another ring, not $2"
    done
}

queue() { # which kind of queue frames wait in to be sent
    local kind
    read -r _ kind _ < <(tc qdisc show dev "$1" root)
    echo "${kind:--}"
}

put_tuning() { # ADDRESS IPV6-DISABLED FRAMES QUEUE
    local path name change
    for path in $(interfaces "$1"); do
        name=${path##*/}
        for _ in 1 2; do # some switch others with them
            change=$(changed_features "$1" "$name")
            [[ $change ]] && ethtool -K "$name" $change >/dev/null
        done
        change=$(changed_features "$1" "$name")
        [[ $change ]] && echo "untidy $name had ${change//$'\n'/, }"
        [[ $3 == - || $(frames_for_an_interrupt "$name") == "$3" ]] || ethtool -C "$name" tx-frames "$3"
        [[ $2 == - ]] || echo "$2" >"/proc/sys/net/ipv6/conf/$name/disable_ipv6"
        [[ $(queue "$name") == "$4" ]] || tc qdisc del dev "$name" root # so that it gets its usual one
        [[ $4 == @(-|no*) || $(queue "$name") == "$4" ]] || tc qdisc replace dev "$name" root "$4"
    done
}

put_address() { # ADDRESS OF-THE-INTERFACE
    local path
    for path in $(interfaces "$1"); do
        addresses "${path##*/}" | grep -qxF "$2" && continue
        ip address add "$2" dev "${path##*/}" || echo "untidy ${path##*/} does not get its address $2 again"
    done
}

below() { # an interface, and those that it is made of
    local path
    printf '%s ' "$1"
    for path in /sys/class/net/"$1"/lower_*; do below "${path##*/lower_}"; done
}

ways() { # GIVEN ADDRESS: say so if the host is reached through that NIC
    local path found
    [[ $PEER ]] && found=$(ip -o route get "$PEER") || return
    found=${found#* dev }
    found=" $(below "${found%% *}")"
    for path in $(interfaces "$2"); do [[ $found == *" ${path##*/} "* ]] && echo "way $1 ${path##*/}"; done
} 2>/dev/null

address() { # PCI address of a NIC that is given by either address, and its MAC if the kernel drives it
    local path found
    for path in /sys/bus/pci/devices/*/{net,virtio*/net}/*/address; do
        read -r found <"$path" || continue
        path=${path#/sys/bus/pci/devices/}
        [[ $path == "$1"/* || $found == "$1" ]] && { echo "${path%%/*} $found"; return; }
    done
    [[ -e /sys/bus/pci/devices/$1 ]] && echo "$1"
}

