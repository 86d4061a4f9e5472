# Reads `go test -v`: prints the result line of each package, all output of a failed one,
# and every skipped test with its reason. With ci=true a skip that .ci/allowed-skips does not
# list ("test PACKAGE TEST reason...", PACKAGE without the module's path) fails.
BEGIN {
	while ((getline line < ".ci/allowed-skips") > 0) {
		n = split(line, f, " ")
		if (f[1] == "test" && n > 3) allow[f[2] " " f[3]] = 1
	}
}
/^(ok|FAIL|\?)[ ]*\t/ {
	pkg = $2
	sub(/^github.com\/selfsame-ml\/selfsame\/?/, "", pkg)
	if (pkg == "") pkg = "."
	if ($1 == "FAIL") { printf "%s", buf; bad = 1 }
	for (i = 1; i <= skips; i++) {
		if ((pkg " " skip[i]) in allow) note = "allowed"
		else if (ci == "true") { note = "not in .ci/allowed-skips"; bad = 1 }
		else note = "something it needs is absent"
		printf "--- SKIP: %s %s (%s):%s\n", pkg, skip[i], note, why[i]
	}
	print
	fflush()
	buf = ""; skips = 0; last = ""
	next
}
/^[ ]*--- SKIP: / {
	name = $0; sub(/^[ ]*--- SKIP: /, "", name); sub(/ \(.*/, "", name)
	skip[++skips] = name; why[skips] = last
}
{ buf = buf $0 "\n" }
/^[ ]+[^ ]+\.go:[0-9]+: / { last = $0; sub(/^[ ]+[^ ]+\.go:[0-9]+:/, "", last) }
/^(# |go: |panic: )/ && !/^# / { print }
END {
	if (buf != "") { printf "%s", buf; bad = 1 }
	exit bad
}
