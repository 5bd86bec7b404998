# The lease on this node: one run at a time has it. Run as root, all of it under a lock, so that nobody sees half
# of it. Times are seconds since boot by this node's own clock; after a boot /run is empty, and nothing of a run is
# left.
#
# FOLDER   where the lease lies
# ACTION   take or free
# TOKEN    of whoever asks
# OWNER    user@machine
# RUN      the run's id, which is what the lease is for
# EXPIRY   seconds without a heartbeat after which the owner counts as dead
# PLACE    the run's folder on this node, removed when the lease ends
# NICS     PCI or MAC addresses of the test NICs
#
# Answers are lines: "held SINCE OWNER RUN", or "dead AGE OWNER RUN" when it was taken over, "untidy WORDS" for what
# could not be put back, "nic GIVEN PCI MAC", and at last "taken MACHINE", "freed" or "other".

shopt -s nullglob
LC_ALL=C
umask 022
mkdir -p -- "$FOLDER" && cd -- "$FOLDER" || exit 1
command -v flock >/dev/null || { echo "this host has no flock (util-linux)"; exit 1; }
exec 9>lock
flock -w 60 9 || { echo "another program keeps the lock of $FOLDER"; exit 1; }

clock() { read -r now _ </proc/uptime; now=${now%.*}; }

load() { # what stands in the lease: one word on a line each
    token=
    [[ -f lease ]] || return 1
    { read -r token; read -r owner; read -r run; read -r since; read -r expiry; read -r machine; } <lease
    [[ $token ]]
}

age() { # seconds since the owner's last heartbeat
    local beat=
    { read -r beat <"beat-$token"; } 2>/dev/null
    echo $((now - ${beat:-$since}))
}

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
    for folder in /sys/kernel/mm/hugepages/hugepages-*; do
        read -r total <"$folder/nr_hugepages" && echo "pages $total $folder"
    done
    hugetlbfs | while IFS= read -r path; do echo "mount $path"; done
    huge_files | while IFS= read -r path; do echo "file $path"; done
    read -r path </proc/sys/kernel/core_pattern && echo "core $path"
}

record_nic() {
    local nic=$1 override= path flags driver
    grep -q "^driver $nic " before && return
    driver=$(driver_of "$nic")
    { read -r override <"/sys/bus/pci/devices/$nic/driver_override"; } 2>/dev/null
    [[ $override == "(null)" ]] && override=
    echo "driver $nic ${driver:--} ${override:--}" >>before
    for path in $(interfaces "$nic"); do
        read -r flags <"$path/flags" && echo "link $nic $((flags & 1))" >>before
    done
}

put_driver() { # ADDRESS DRIVER OVERRIDE
    local device=/sys/bus/pci/devices/$1 has
    [[ -e $device ]] || { echo "untidy $1 is no longer there"; return; }
    has=$(driver_of "$1")
    [[ ${has:--} == "$2" ]] && return
    [[ $has ]] && echo "$1" >"$device/driver/unbind"
    if [[ $2 == - ]]; then # nobody's device must not write to memory
        printf '\0\0' | dd of="$device/config" bs=1 seek=4 conv=notrunc
        return
    fi
    [[ -e $device/driver_override ]] && echo "${3#-}" >"$device/driver_override"
    echo "$1" >"/sys/bus/pci/drivers/$2/bind"
    [[ $(driver_of "$1") == "$2" ]] || { echo "untidy $2 does not take $1"; return; }
    command -v udevadm >/dev/null && udevadm settle -t 5
}

put_link() { # ADDRESS UP
    local path flags to=(down up)
    for path in $(interfaces "$1"); do
        read -r flags <"$path/flags"
        ((flags % 2 == $2)) && continue
        ip link set dev "${path##*/}" "${to[$2]}" || echo "untidy ${path##*/} cannot be set ${to[$2]}"
    done
}

put_back() {
    local word one two three path
    end_processes
    while read -r word one two three; do
        case $word in
            core) printf '%s\n' "$one${two:+ $two}${three:+ $three}" >/proc/sys/kernel/core_pattern ;;
            driver) put_driver "$one" "$two" "$three" ;;
            link) put_link "$one" "$two" ;;
        esac
    done <before
    huge_files | while IFS= read -r path; do grep -qxF "file $path" before || rm -f -- "$path"; done
    hugetlbfs | while IFS= read -r path; do grep -qxF "mount $path" before || umount "$path"; done
    while read -r word one two; do
        [[ $word == pages ]] || continue
        read -r three <"$two/nr_hugepages"
        [[ $three == "$one" ]] || echo "$one" >"$two/nr_hugepages"
        read -r three <"$two/nr_hugepages"
        [[ $three == "$one" ]] || echo "untidy ${two##*/}: $three pages, there were $one"
    done <before
    while IFS= read -r path; do
        [[ $path == /*/.cache/pytest-ixy/?*/?* ]] && rm -rf -- "$path" && path=${path%/*} && rmdir "$path" "${path%/*}"
    done <places
    [[ $run ]] && rm -rf -- "/tmp/ixy-$run-"* "/var/tmp/ixy-cores-$run-"*
    rm -f -- lease before places beat-*
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

tell() {
    local nic found
    for nic in $NICS; do
        found=$(address "$nic")
        echo "nic $nic $found"
        [[ $found ]] && record_nic "${found%% *}"
    done
    printf '%s\n' "$PLACE" >>places
    echo "taken $machine"
}

take() {
    clock
    if load; then
        [[ $token == "$TOKEN" ]] && { tell; return; }
        (($(age) < expiry)) && { echo "held $((now - since)) $owner $run"; return; }
        echo "dead $(age) $owner $run"
        put_back
        clock
    fi
    record >before
    : >places
    read -r machine </proc/sys/kernel/random/uuid
    echo "$now" >"beat-$TOKEN"
    printf '%s\n' "$TOKEN" "$OWNER" "$RUN" "$now" "$EXPIRY" "$machine" >lease.new && mv lease.new lease || exit 1
    tell
}

free() {
    if load && [[ $token == "$TOKEN" ]]; then put_back && echo freed; else echo other; fi
}

"$ACTION"
