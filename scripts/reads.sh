#!/usr/bin/env bash
# reads.sh OUT.csv: correctors of reads side by side on reads that are not our own simulator's, measured by
# `selfsame measure reads`. Illumina reads (HiSeq 2500, 150 bases) come from ART on real genomes:
#   ecoli     E. coli MG1655; the reference of the aligners is the genome itself
#   relative  that stretch of MG1655 with 1 % known variants; reference MG1655
#   dh1       E. coli DH1, a real relative; reference MG1655
#   aureus    S. aureus N315, a real relative farther away; reference S. aureus COL
#   pacbio    real PacBio reads of E. coli K-12 (wtdbg2-examples), about 30x; truth is MG1655 where minimap2 puts
#             them; reference: the altered K-12 that comes with them
# Every setting is a variable:
#   READS_GENOMES  which of these (default all; none: write OUT.csv only)      READS_LAYOUTS  single paired (default both; paired on ecoli, relative)
#   READS_DEPTHS   1 2 4 8 32                        READS_SEEDS    1 2 3
#   READS_BASES    length of the stretch (500000)    READS_FROM     its first base, from 0 (0)
#   READS_METHODS  raw lighter-k17 lighter-k23 lighter-k21-a1 fastp minimap2-copy bwa-copy bayes selfsame selfsame-50 (default all;
#                  the others keep what earlier runs gave)
#   READS_MODEL    model of the last two, what `selfsame denoise --model` takes (default: its own);
#   READS_MODEL_PACBIO that of pacbio (pacbio), READS_DENOISE and READS_DENOISE_PACBIO more arguments (none; --kind long)
#   READS_DIR      bulk data, and READS_ROWS the rows so far (default runs/reads and rows.csv there)
#   READS_THREADS  threads of every tool (default all)    READS_WRAP  command put before everything (nice -n 19)
#   READS_NOTE     a remark for the head of OUT.csv
# The tools are Debian's (art-nextgen-simulation-tools, lighter, fastp, minimap2, bwa). What is not installed is
# unpacked into the cache with dpkg-deb, as are the genomes (ragout-examples, wtdbg2-examples): no root is needed.
# A method that fails is named and the rest goes on; the exit status is 1 then.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
out=${1:?usage: scripts/reads.sh OUT.csv}
read -ra genomes <<<"${READS_GENOMES:-ecoli relative dh1 aureus pacbio}"
read -ra layouts <<<"${READS_LAYOUTS:-single paired}"
read -ra depths <<<"${READS_DEPTHS:-1 2 4 8 32}"
read -ra seeds <<<"${READS_SEEDS:-1 2 3}"
read -ra methods <<<"${READS_METHODS:-raw lighter-k17 lighter-k23 lighter-k21-a1 fastp minimap2-copy bwa-copy bayes selfsame selfsame-50}"
read -ra wrap <<<"${READS_WRAP:-}"
bases=${READS_BASES:-500000} from=${READS_FROM:-0} threads=${READS_THREADS:-$(getconf _NPROCESSORS_ONLN)}
dir=${READS_DIR:-runs/reads}
rows=${READS_ROWS:-$dir/rows.csv}
selfsame=${SELFSAME:-bin/selfsame}
model=()
[ -z "${READS_MODEL:-}" ] || model=(--model "$READS_MODEL")
cache=${SELFSAME_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/selfsame}/debian
mkdir -p "$dir" "$cache" "$(dirname "$rows")" "$(dirname "$out")"
touch "$rows"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/reads" ./scripts/reads || exit 1
reads=$tmp/reads
failures=()

say() { echo "reads.sh: $*" >&2; }

# unpack PACKAGE...: Debian packages into the cache, with what they need and this machine has not.
unpack() {
	local names
	names=$(apt-get install --no-install-recommends --print-uris -y "$@" 2>/dev/null | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p")
	[ -n "$names" ] || return 0 # installed
	say "unpacking" $names "into the cache"
	# shellcheck disable=SC2086
	(cd "$cache" && apt-get download $names >"$tmp/apt" 2>&1) || { cat "$tmp/apt" >&2; return 1; }
	local deb
	for deb in "$cache"/*.deb; do dpkg-deb -x "$deb" "$cache" && rm "$deb" || return 1; done
}

export PATH=$PATH:$cache/usr/bin LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$cache/usr/lib/$(uname -m)-linux-gnu
for t in art_illumina:art-nextgen-simulation-tools lighter:lighter fastp:fastp minimap2:minimap2 bwa:bwa; do
	command -v "${t%%:*}" >/dev/null || unpack "${t##*:}" || { say "${t##*:} cannot be had: apt-get update, or install it"; exit 1; }
done
# example PACKAGE PATH: where a file of an examples package lies, installed or unpacked.
example() {
	local p
	for p in "/usr/share/doc/$2" "$cache/usr/share/doc/$2"; do [ ! -e "$p" ] || { echo "$p"; return; }; done
	unpack "$1" >&2 && [ -e "$cache/usr/share/doc/$2" ] && echo "$cache/usr/share/doc/$2"
}

# genome NAME: the FASTA file of a genome.
genome() {
	local f=$dir/genomes/$1.fa
	[ -e "$f" ] || {
		mkdir -p "$dir/genomes"
		local gz
		gz=$(example ragout-examples "ragout/examples/$2") || { say "no $2"; return 1; }
		gzip -cd "$gz" >"$f.new" && mv "$f.new" "$f"
	} || return 1
	echo "$f"
}

mg1655() { genome mg1655 E.Coli/references/MG1655-K12.fasta.gz; }

# prepare GENOME: sets source (genome that reads come from), reference and places (known variants, may be empty).
prepare() {
	local g=$dir/genomes
	source=$g/$1-$from-$bases.fa places=$g/$1-$from-$bases.tsv
	case $1 in
	ecoli | relative) reference=$(mg1655) || return 1 ;;
	dh1) reference=$(mg1655) && whole=$(genome dh1-whole E.Coli/references/DH1.fasta.gz) || return 1 ;;
	aureus) reference=$(genome col S.Aureus/references/COL.fasta.gz) && whole=$(genome n315-whole S.Aureus/references/N315.fasta.gz) || return 1 ;;
	esac
	if [ ! -e "$source" ] || [ ! -e "$places" ]; then
		case $1 in
		ecoli) "$reads" cut -from "$from" -bases "$bases" -name ecoli "$reference" "$source" && echo "# none" >"$places" ;;
		relative) "$reads" cut -from "$from" -bases "$bases" -name relative "$reference" "$tmp/plain.fa" && "$reads" mutate -seed 1 "$tmp/plain.fa" "$source" "$places" ;;
		*)
			"$reads" cut -from "$from" -bases "$bases" -name "$1" "$whole" "$source" &&
				minimap2 -cx asm20 --cs -t "$threads" "$reference" "$source" >"$tmp/asm.paf" 2>"$tmp/err" && "$reads" variants "$tmp/asm.paf" "$places"
			;;
		esac || { rm -f "$source"; return 1; }
	fi
	[ -e "$reference.sa" ] || bwa index "$reference" 2>"$tmp/err" || return 1
}

interleave() { paste <(paste - - - - <"$1") <(paste - - - - <"$2") | tr '\t' '\n'; }

# simulate GENOME LAYOUT DEPTH SEED: true.fq, raw.fq (interleaved; mates also in 1.fq and 2.fq) and places.tsv in $data.
simulate() {
	data=$dir/data/$1-$2-$3-$4-$from-$bases
	[ ! -e "$data/done" ] || return 0
	rm -rf "$data" && mkdir -p "$data" || return 1
	if [ "$1" = pacbio ]; then
		pacbio
	elif [ "$2" = single ]; then
		art_illumina -ss HS25 -l 150 -f "$3" -rs "$4" -sam -na -q -i "$source" -o "$data/art" >/dev/null 2>"$tmp/err" &&
			mv "$data/art.fq" "$data/raw.fq" &&
			"$reads" truth -sam "$data/art.sam" -variants "$places" -read-variants "$data/places.tsv" "$source" "$data/true.fq"
	else # fragments of 250 bases: most mates overlap by 50, as fastp -c needs
		art_illumina -ss HS25 -l 150 -f "$3" -rs "$4" -p -m 250 -s 30 -sam -na -q -i "$source" -o "$data/art" >/dev/null 2>"$tmp/err" &&
			mv "$data/art1.fq" "$data/1.fq" && mv "$data/art2.fq" "$data/2.fq" && interleave "$data/1.fq" "$data/2.fq" >"$data/raw.fq" &&
			"$reads" truth -mates -sam "$data/art.sam" -variants "$places" -read-variants "$data/places.tsv" "$source" "$data/true.fq"
	fi || return 1
	rm -f "$data"/art*
	touch "$data/done"
}

# pacbio: real reads, the part of each that aligns to MG1655 with mapping quality 30 and 1,000 bases or more, from the stretch.
pacbio() {
	local tar
	tar=$(example wtdbg2-examples wtdbg2-examples/selfSampleData.tar.gz) && tar xzf "$tar" -C "$data" || return 1
	local own=$data/selfSampleData
	minimap2 -ax map-pb --eqx --secondary=no -t "$threads" "$(mg1655)" "$own/pacbio_filtered.fastq" 2>"$tmp/err" |
		awk -v from="$from" -v to="$((from + bases))" '/^@/ || ($5 >= 30 && $4 > from && $4 <= to)' >"$data/pacbio.sam" &&
		minimap2 -cx asm5 --cs -t "$threads" "$own/reference.fasta" "$(mg1655)" >"$tmp/asm.paf" 2>"$tmp/err" &&
		"$reads" variants "$tmp/asm.paf" "$tmp/places.tsv" &&
		"$reads" truth -sam "$data/pacbio.sam" -least 1000 -raw "$data/raw.fq" -variants "$tmp/places.tsv" -read-variants "$data/places.tsv" "$(mg1655)" "$data/true.fq" &&
		cp "$own/reference.fasta" "$dir/genomes/k12-altered.fa" && rm -rf "$own" "$data/pacbio.sam"
}

clock() { "${wrap[@]}" "$reads" time "$tmp/clock" "$@" >"$tmp/log" 2>"$tmp/err"; }

# copying LAYOUT ALIGNER...: align and copy the reference's bases.
copying() {
	local mates=
	[ "$1" = single ] || mates=-mates
	clock bash -c 'set -o pipefail; mates=$1 reads=$2 reference=$3 to=$4; shift 4; "$@" | "$reads" copy $mates "$reference" "$to"' - "$mates" "$reads" "$reference" "$tmp/cor.fq" "${@:2}"
}

# correct METHOD GENOME LAYOUT DEPTH: writes $tmp/cor.fq; returns 77 where the method is not for such reads.
correct() {
	local in=("$data/raw.fq") k alpha
	[ "$3" = single ] || in=("$data/1.fq" "$data/2.fq")
	local model=("${model[@]}")
	case $1 in
	raw)
		ln -s "$(realpath "$data/raw.fq")" "$tmp/cor.fq"
		echo ",," >"$tmp/clock"
		;;
	lighter-k*) # alpha = 7 / depth as its README has it, at most 1; with -a1 always 1: at 8x it corrects nothing with 7/8
		[ "$2" != pacbio ] || return 77
		k=${1#lighter-k} k=${k%-a1} alpha=1
		[[ $1 = *-a1 ]] || alpha=$(awk -v c="$4" 'BEGIN { a = 7 / c; print (a > 1 ? 1 : a) }')
		local files=() f
		for f in "${in[@]}"; do files+=(-r "$f"); done
		clock lighter "${files[@]}" -k "$k" "$bases" "$alpha" -t "$threads" -od "$tmp" || return 1
		if [ "$3" = single ]; then mv "$tmp/raw.cor.fq" "$tmp/cor.fq"; else interleave "$tmp/1.cor.fq" "$tmp/2.cor.fq" >"$tmp/cor.fq"; fi
		;;
	fastp) # nothing but its correction of overlapping mates
		[ "$3" = paired ] || return 77
		clock fastp -c -A -G -Q -L -w "$threads" -i "$data/1.fq" -I "$data/2.fq" -o "$tmp/1.cor.fq" -O "$tmp/2.cor.fq" -j "$tmp/fastp.json" -h "$tmp/fastp.html" &&
			interleave "$tmp/1.cor.fq" "$tmp/2.cor.fq" >"$tmp/cor.fq"
		;;
	minimap2-copy)
		if [ "$2" = pacbio ]; then set -- "$1" "$2" "$3" "$4" map-pb; else set -- "$1" "$2" "$3" "$4" sr; fi
		copying "$3" minimap2 -ax "$5" --secondary=no -t "$threads" "$reference" "${in[@]}"
		;;
	bwa-copy)
		[ "$2" != pacbio ] || return 77
		copying "$3" bwa mem -t "$threads" "$reference" "${in[@]}"
		;;
	bayes) denoise "$2" "$3" --model bayes ;;
	selfsame) [ "$2" != pacbio ] || model=(--model "${READS_MODEL_PACBIO:-pacbio}"); denoise "$2" "$3" "${model[@]}" ;;
	selfsame-50) [ "$2" != pacbio ] || model=(--model "${READS_MODEL_PACBIO:-pacbio}"); denoise "$2" "$3" "${model[@]}" --max-false-corrections 50 ;;
	*) say "no method $1" && return 1 ;;
	esac
}

# denoise GENOME LAYOUT ARGS...: mates go interleaved. READS_DENOISE adds arguments, READS_DENOISE_PACBIO for real long reads.
denoise() {
	local more mates=()
	read -ra more <<<"${READS_DENOISE:-}"
	[ "$2" = single ] || mates=(--interleaved)
	[ "$1" != pacbio ] || read -ra more <<<"${READS_DENOISE_PACBIO:---kind long}"
	clock "$selfsame" denoise "$data/raw.fq" -o "$tmp/cor.fq" --qualities posterior --threads "$threads" "${mates[@]}" "${@:3}" "${more[@]}"
}

# row GENOME LAYOUT DEPTH SEED METHOD
row() {
	local key="$1,$2,$3,$4,$5" scores
	rm -f "$tmp"/cor.fq "$tmp"/*.cor.fq "$tmp/clock"
	correct "$5" "$1" "$2" "$3"
	case $? in
	0) ;;
	77) return 0 ;;
	*) failures+=("$key") && say "FAILED: $key" && tail -n 3 "$tmp/err" >&2 && return 0 ;;
	esac
	scores=$("${wrap[@]}" "$selfsame" measure reads --truth "$data/true.fq" --raw "$data/raw.fq" --corrected "$tmp/cor.fq" --variants "$data/places.tsv" --json 2>"$tmp/err" |
		"$reads" fields reads.total bases tp fp fn fn_wrong gain gain_strict sensitivity precision false_corrections_per_mb variants.kept variants.lost variants.share errors_raw errors_corrected reliability.calibration_error) ||
		{ failures+=("$key: measure") && say "FAILED: measure $key" && tail -n 3 "$tmp/err" >&2 && return 0; }
	grep -v "^$key," "$rows" >"$tmp/rows"
	echo "$key,$scores,$(cat "$tmp/clock")" | tee -a "$tmp/rows" >&2
	cp "$tmp/rows" "$rows"
}

for g in "${genomes[@]}"; do
	[ "$g" != none ] || continue
	if [ "$g" != pacbio ]; then prepare "$g" || { failures+=("genome $g") && say "FAILED: genome $g" && tail -n 3 "$tmp/err" >&2; continue; }; fi
	for layout in "${layouts[@]}"; do
		d=("${depths[@]}") s=("${seeds[@]}")
		case $g-$layout in
		ecoli-* | relative-* | *-single) ;;
		*) continue ;;
		esac
		[ "$g" != pacbio ] || { d=(30) s=(1); }
		for depth in "${d[@]}"; do
			for seed in "${s[@]}"; do
				simulate "$g" "$layout" "$depth" "$seed" || { failures+=("data $g $layout $depth $seed") && say "FAILED: data $g $layout $depth $seed" && tail -n 3 "$tmp/err" >&2; continue; }
				[ "$g" != pacbio ] || reference=$dir/genomes/k12-altered.fa
				for m in "${methods[@]}"; do row "$g" "$layout" "$depth" "$seed" "$m"; done
			done
		done
	done
done
version() { { "$@" 2>&1 || true; } | sed -n 's/.*[Vv]ersion:* *\([0-9][^ ]*\).*/\1/p; s/^\(fastp\|Lighter v\|\)[ ]*\([0-9][0-9.r-]*\)$/\2/p' | head -n 1; }
{
	echo "# command: scripts/reads.sh (denoise: ${READS_DENOISE:-default}${READS_MODEL:+, model $(basename "$READS_MODEL")}); bases $((from + 1)) to $((from + bases)) of each genome"
	echo "# commit: $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	echo "# machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(getconf _NPROCESSORS_ONLN) processors; $(go version | cut -d' ' -f3,4)"
	echo "# tools: ART $(version art_illumina), lighter $(version lighter -v), fastp $(version fastp --version), minimap2 $(version minimap2 --version), bwa $(version bwa)"
	echo "# date: $(date -u +%F). Definitions: selfsame measure reads --help. Empty: no denominator, or not measured. seconds, cpu_seconds and mib are of the method alone (aligners: index made before)"
	[ -z "${READS_NOTE:-}" ] || echo "# note: $READS_NOTE"
	echo "genome,layout,depth,seed,method,reads,bases,tp,fp,fn,fn_wrong,gain,gain_strict,sensitivity,precision,fp_per_mb,variants_kept,variants_lost,variants_share,errors_raw,errors_corrected,calibration_error,seconds,cpu_seconds,mib"
	sort -t, -k1,1 -k2,2 -k3,3n -k4,4n -k5,5 "$rows"
} >"$out.new" && mv "$out.new" "$out"
if [ "${#failures[@]}" -gt 0 ]; then
	printf 'reads.sh: failed: %s\n' "${failures[@]}" >&2
	exit 1
fi
echo "$out"
