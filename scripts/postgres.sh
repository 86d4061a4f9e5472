#!/usr/bin/env bash
# A PostgreSQL server for the tests: Debian's packages are unpacked below SELFSAME_CACHE/postgresql, nothing is
# installed. A server that is installed already is used as it is.
set -euo pipefail
: "${SELFSAME_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/selfsame}"
to=$SELFSAME_CACHE/postgresql

if [ -n "${SELFSAME_POSTGRES:-}" ] && [ -x "$SELFSAME_POSTGRES/initdb" ]; then
	echo "PostgreSQL: $SELFSAME_POSTGRES"
	exit 0
fi
for bin in "$to"/usr/lib/postgresql/*/bin /usr/lib/postgresql/*/bin; do
	if [ -z "${SELFSAME_POSTGRES_FETCH:-}" ] && [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then
		echo "PostgreSQL: $bin"
		exit 0
	fi
done
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "PostgreSQL: no server, and no apt-get to fetch one" >&2; exit 1; }

mkdir -p "$SELFSAME_CACHE"
tmp=$(mktemp -d "$SELFSAME_CACHE/.postgresql.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp"/{debs,lists/partial,cache/archives/partial,log,root}
opts=(-q -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o "Dir::Cache=$tmp/cache" -o "Dir::Log=$tmp/log" -o Acquire::Languages=none -o Acquire::Retries=2
	-o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success=)
server() { apt-cache "${opts[@]}" depends postgresql 2>/dev/null | sed -n 's/^ *Depends: \(postgresql-[0-9]\+\)$/\1/p' | head -n 1 || true; }
pkg=$(server)
if [ -z "$pkg" ]; then
	opts+=(-o "Dir::State::lists=$tmp/lists")
	apt-get "${opts[@]}" update >/dev/null
	pkg=$(server)
fi
[ -n "$pkg" ] || { echo "PostgreSQL: apt knows no server" >&2; exit 1; }

# The server, and the libraries below it that this machine lacks. LLVM serves its just-in-time compiler only.
wanted=("$pkg" "${pkg/postgresql-/postgresql-client-}")
while read -r p; do
	if [ -n "${SELFSAME_POSTGRES_FETCH:-}" ] || ! dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q ' installed$'; then wanted+=("$p"); fi
done < <(apt-cache "${opts[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$pkg" |
	grep -E '^lib[a-z0-9.+-]+$' | grep -vE '^(libc6|libgcc-s1|libstdc\+\+6|libcrypt1|libllvm.*|.*-perl|libc-bin)$' | sort -u)
echo "PostgreSQL: fetching ${wanted[*]} into $to"
if ! (cd "$tmp/debs" && apt-get "${opts[@]}" download "${wanted[@]}" >/dev/null); then # lists that are older than the mirror
	opts+=(-o "Dir::State::lists=$tmp/lists")
	apt-get "${opts[@]}" update >/dev/null
	(cd "$tmp/debs" && apt-get "${opts[@]}" download "${wanted[@]}" >/dev/null)
fi
for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp/root"; done
if [ -d "$tmp/root/lib" ] && [ ! -L "$tmp/root/lib" ]; then # before /usr was merged
	mkdir -p "$tmp/root/usr/lib"
	cp -a "$tmp/root/lib/." "$tmp/root/usr/lib/"
	rm -rf "$tmp/root/lib"
fi
rm -rf "$tmp/root/usr/share/doc" "$tmp/root/usr/share/man" "$tmp/root/usr/share/locale"
find "$tmp/root" -type l ! -exec test -e {} \; -delete # links into packages that were left out
rm -rf "$to"
mv "$tmp/root" "$to"
"$to"/usr/lib/postgresql/*/bin/postgres --version
