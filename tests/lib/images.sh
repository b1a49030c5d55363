# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Images for the tests in the VM. Source after pool.sh.

# What a container gets that names no network: a bridge takes its time in an emulated machine.
export LAYERBLK_NETWORK=none

# mkimage KIND OUT [OPTIONS]: see tests/lib/mkimage.py.
mkimage() {
	/usr/bin/python3 "$TEST_REPO/tests/lib/mkimage.py" "$@"
}

# containers_on DEVICE: a pool with the tiny image, for containers that are still there when the test ends. With ROOTS=shared, their roots are
# shared unless they say otherwise, and what those have in common is there already.
containers_on() {
	pool_on "$1"
	defer 'layerctl ps -aq | xargs -r layerctl rm -f >/dev/null'
	mkimage oci "$T/tiny"
	layerctl image import "$T/tiny" >/dev/null
	[ "${ROOTS-}" = shared ] || return 0
	mkdir -p /etc/layerblk
	defer 'rm /etc/layerblk/layerblk.conf'
	echo 'root = shared' >/etc/layerblk/layerblk.conf
	layerctl create tiny true | xargs layerctl rm >/dev/null
}

# builds_on DEVICE: a pool with the tiny image to build from, and $T for what is built from it.
builds_on() {
	pool_on "$1"
	cd "$T" || exit
	export TMPDIR=$T
	mkimage oci tiny
	layerctl image import -q tiny >/dev/null
}

# status_of COMMAND...: prints its exit status; what it says goes to $T/out and $T/err.
status_of() {
	local rc=0

	"$@" >"$T/out" 2>"$T/err" || rc=$?
	echo $rc
}

# image_volume IMAGE: the name of the image's top layer's volume. It is the layer
# whose only descendants are containers; the layers' chain ends in it.
image_volume() {
	layerctl image inspect "$1" |
		jq -r '(if type == "array" then .[0] else . end) | .Layers[-1].volume'
}

# tiny_is_right DIRECTORY: fails unless it holds what the tiny image's four
# layers, one over the other, must come to.
tiny_is_right() {
	(
		cd "$1" || exit 1
		assert_eq "$(stat -c '%a %u %g' all)" "750 1000 1001" "all"
		assert_eq "$(cat all/text)" "text of the third layer" "all/text"
		assert_eq "$(cat all/text-again)" "text of the second layer" "the hard link kept the old file"
		assert_eq "$(stat -c '%a %u %g %h' all/text-again)" "640 1000 1001 1" "all/text-again"
		assert_eq "$(stat -c '%a' all/setuid)" 4755 "all/setuid"
		assert_eq "$(stat -c %s all/empty)" 0 "all/empty"
		assert_eq "$(stat -c %s all/zeros)" 1048576 "all/zeros"
		cmp -n 1048576 all/zeros /dev/zero
		assert_eq "$(stat -c %s all/noise)" 300000 "all/noise"
		assert_eq "$(readlink all/link)" text "all/link"
		assert_eq "$(readlink all/dangling)" /no/such/file "all/dangling"
		[ -p all/fifo ] || fail "all/fifo is no fifo"
		assert_eq "$(stat -c '%F %t %T %a' all/null)" "character special file 1 3 666" "all/null"
		assert_eq "$(stat -c '%F %t %T' all/disk)" "block special file 7 0" "all/disk"
		assert_eq "$(stat -c %Y all/old)" 930000000 "the time of all/old"
		assert_eq "$(stat -c %Y etc/passwd)" 1600000000 "the time of etc/passwd"
		assert_eq "$(stat -c %Y bin)" 1600000000 "the time of a directory"
		[ -f "all/$(printf 'n%.0s' {1..200})" ] || fail "the long name"
		[ -f all/ünïcödé ] || fail "the name that is not ASCII"
		assert_eq "$(/usr/bin/python3 -c 'import os; print(os.getxattr("all/attr", "user.origin").decode())')" \
			"second layer" "user.origin"
		assert_eq "$(/usr/bin/python3 -c 'import os; print(os.getxattr("all/attr", "trusted.mark").decode())')" \
			yes "trusted.mark"
		[ ! -e removed ] || fail "a whiteout did not remove a file"
		[ ! -e gone ] || fail "a whiteout did not remove a directory"
		assert_eq "$(ls -A opaque)" above "an opaque directory"
		assert_eq "$(cat becomes-dir/inside)" "a directory now"
		assert_eq "$(cat becomes-file)" "a file now"
		assert_eq "$(tail -n 1 etc/layers)" app "etc/layers"
		assert_eq "$(stat -c %a tmp)" 1777 "tmp"
		[ -z "$(find . -xdev -name '.wh.*')" ] || fail "a whiteout's file is there"
	)
}
