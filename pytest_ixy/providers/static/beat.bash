# The heartbeat of a lease: for each line that comes one goes back, "beats" or "lost". Nothing is started for it, so
# that a trial does not feel it.
#
# $1 folder of the lease, $2 token of its owner

cd -- "$1" || exit 1
while IFS= read -r _; do
    token=
    { IFS= read -r token <lease; } 2>/dev/null
    [[ $token == "$2" ]] || { echo lost; exit; }
    read -r now _ </proc/uptime
    echo "${now%.*}" >"beat-$2"
    echo beats
done
