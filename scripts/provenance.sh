# provenance COMMAND SECONDS [NOTE]: the first lines of a file of results: how to repeat it, and on what it was measured. To be sourced.
provenance() {
	printf '# command: %s\n' "$1"
	printf '# commit: %s\n' "$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	printf '# machine: %s, %s processors; %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)" "$(getconf _NPROCESSORS_ONLN)" "$(go version | cut -d' ' -f3,4)"
	printf '# date: %s; seconds: %s%s\n' "$(date -u +%F)" "$2" "${3:+ ($3)}"
}
