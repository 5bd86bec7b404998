# The state of a host: what is recorded of it when a lease begins, and put back when it ends, both in the file
# `before`. What could not be put back is told in lines "untidy WORDS". Comes before lease.bash, which calls it.

stat_of() { # what /proc says of a process behind its name
    local line=
    { IFS= read -r -d '' line <"/proc/$1/stat"; } 2>/dev/null
    fields=(${line##*) })
    [[ $line ]]
}

sessions() { # sessions in which something runs that was started under the lease
    local file fields
    for file in $(grep -lzsx "PYTEST_IXY_LEASE=$token" /proc/[0-9]*/environ); do
        file=${file#/proc/}
        stat_of "${file%/environ}" && [[ ${fields[3]} != 0 ]] && echo "${fields[3]}"
    done | sort -u
}

members() { # processes of those sessions
    local file fields all=" ${*//$'\n'/ } "
    for file in /proc/[0-9]*; do
        stat_of "${file#/proc/}" || continue
        [[ ${fields[0]} != [ZX] && $all == *" ${fields[3]} "* ]] && echo "${file#/proc/}"
    done
}

end_processes() {
    local signal found all
    found=$(sessions)
    [[ $found ]] || return 0
    for signal in INT TERM KILL KILL; do
        for _ in 1 2 3 4 5; do
            all=$(members "$found")
            [[ $all ]] || return 0
            kill -s "$signal" $all
            sleep 0.2
        done
    done
    echo "untidy processes cannot be ended: ${all//$'\n'/ }"
}

interfaces() { echo /sys/bus/pci/devices/"$1"/{net,virtio*/net}/*; }

driver_of() {
    local link
    link=$(readlink "/sys/bus/pci/devices/$1/driver") && echo "${link##*/}"
}

hugetlbfs() { # where huge pages are mounted
    local path kind
    while read -r _ path kind _; do [[ $kind == hugetlbfs ]] && printf '%b\n' "${path//\\/\\0}"; done </proc/mounts
}

huge_files() { hugetlbfs | while IFS= read -r path; do find "$path" -xdev -type f 2>/dev/null; done; }

record() { # the state that is put back when the lease ends
    local folder total path
    local all=(/sys/devices/system/node/node*/hugepages/hugepages-*) # each memory's own, where there are several
    ((${#all[@]})) || all=(/sys/kernel/mm/hugepages/hugepages-*)
    for folder in "${all[@]}"; do
        read -r total <"$folder/nr_hugepages" && echo "pages $total $folder"
    done
    hugetlbfs | while IFS= read -r path; do echo "mount $path"; done
    huge_files | while IFS= read -r path; do echo "file $path"; done
    read -r path </proc/sys/kernel/core_pattern && echo "core $path"
}

record_nic() {
    local nic=$1 override= path flags mtu driver
    grep -q "^driver $nic " before && return
    driver=$(driver_of "$nic")
    { read -r override <"/sys/bus/pci/devices/$nic/driver_override"; } 2>/dev/null
    [[ $override == "(null)" ]] && override=
    echo "driver $nic ${driver:--} ${override:--}" >>before
    for path in $(interfaces "$nic"); do
        read -r flags <"$path/flags" && read -r mtu <"$path/mtu" && echo "link $nic $((flags & 1)) $mtu" >>before
        addresses "${path##*/}" | while read -r path; do echo "address $nic $path" >>before; done
    done
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

put_link() { # ADDRESS UP MTU
    local path flags mtu to=(down up)
    for path in $(interfaces "$1"); do
        read -r mtu <"$path/mtu"
        ((mtu == $3)) || ip link set dev "${path##*/}" mtu "$3" || echo "untidy ${path##*/} has an MTU of $mtu, not $3"
        read -r flags <"$path/flags"
        ((flags % 2 == $2)) && continue
        ip link set dev "${path##*/}" "${to[$2]}" || echo "untidy ${path##*/} cannot be set ${to[$2]}"
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

