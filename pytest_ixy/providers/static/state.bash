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
    for path in kernel/core_pattern net/core/gro_normal_batch; do
        read -r total <"/proc/sys/$path" && echo "sysctl $path $total"
    done
}

