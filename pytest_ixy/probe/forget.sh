# What was captured has been fetched: a trial without end must not take the disk from those after it.
#
# CAPTURES  how the names of the trial's captures begin

[[ ! $CAPTURES ]] || rm -f -- "$CAPTURES"-*.pcap 2>/dev/null || true
