# What state this node is in, as lines "WORD VALUE…", root's to ask. Programs are slow to start under
# emulation, so the shell does what it can.
#
# NICS   PCI addresses of the test NICs
# CORES  folder for the core dumps of what crashes from now on
# AFTER  not empty when the trial is over, so that cores go where they went before

shopt -s nullglob
LC_ALL=C

while read -r key value _; do
    case $key in MemTotal:) total=$value ;; MemAvailable:) echo "memory $total $value"; break ;; esac
done </proc/meminfo

for folder in /sys/kernel/mm/hugepages/hugepages-*; do
    size=${folder##*-}
    read -r total <"$folder/nr_hugepages" && read -r free <"$folder/free_hugepages" || continue
    echo "pages ${size%kB} $total $free"
done

while read -r _ path kind _; do
    [[ $kind == hugetlbfs ]] || continue
    printf -v path %b "${path//\\/\\0}"
    find "$path" -xdev -type f 2>/dev/null | head -n 100 | while IFS= read -r file; do echo "file $file"; done
done </proc/mounts

for nic in $NICS; do
    device=/sys/bus/pci/devices/$nic
    [[ -e $device ]] || { echo "nic $nic"; continue; }
    driver=- features=- link=-
    read -r vendor <"$device/vendor"
    read -r model <"$device/device"
    while IFS== read -r key value; do [[ $key == DRIVER ]] && driver=$value; done <"$device/uevent"
    command=$(od -An -tx1 -j4 -N2 "$device/config")
    for file in "$device"/virtio*/features; do read -r features <"$file"; done
    for file in "$device"/net/*/operstate "$device"/virtio*/net/*/operstate; do read -r link <"$file"; done
    echo "nic $nic $vendor $model $driver $features $link ${command// /}"
done

# whoever asks is in this session, or started it
asking=" $$ "
parent=$$
while [[ $parent -gt 1 ]] && read -r -d '' line 2>/dev/null <"/proc/$parent/stat" || [[ $line ]]; do
    fields=(${line##*) })
    [[ $parent == "$$" ]] && mine=${fields[3]}
    parent=${fields[1]} line=
    asking+="$parent "
done
parents=() called=() told=()
for file in /proc/[0-9]*/stat; do
    line=
    { IFS= read -r -d '' line <"$file"; } 2>/dev/null
    [[ $line ]] || continue
    pid=${line%% *}
    fields=(${line##*) })
    line=${line#*(}
    parents[pid]=${fields[1]} called[pid]=${line%) *}
    [[ ${fields[0]} == [ZX] || ${fields[3]} == "$mine" || $asking == *" $pid "* ]] && continue
    ((fields[6] & 0x200000)) && continue # a kernel thread
    { IFS= read -r group <"/proc/$pid/cgroup"; } 2>/dev/null
    [[ $group == */system.slice/* && $group != */ssh*.service* ]] && continue # the system's own
    told[pid]=${fields[19]}
done

# who has come by another connection, to look on, is nobody's role
visits() {
    local pid=$1
    while [[ ${parents[pid]:-0} -gt 0 ]]; do
        [[ ${called[pid]} == sshd* && $asking != *" $pid "* ]] && return 0
        pid=${parents[pid]}
    done
    return 1
}
count=0
for pid in "${!told[@]}"; do
    visits "$pid" && continue
    ((++count > 250)) && break
    echo "process $pid ${told[pid]} ${called[pid]//[^[:print:]]/?}"
done

if [[ ! $AFTER ]]; then
    read -r pattern </proc/sys/kernel/core_pattern
    echo "core_pattern $pattern"
    mkdir -p -m 1777 "$CORES" && echo "$CORES/core.%p.%s.%E" >/proc/sys/kernel/core_pattern
    dmesg 2>/dev/null | tail -n 1 >"$CORES/said"
fi
