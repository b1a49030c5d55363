#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: run's options, containers that stay, ps and rm
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null
run() {
	within 100 layerctl run --rm "$@"
}

step "options"
assert_eq "$(KEPT=ours run -e A=b -e KEPT -e NOT_SET tiny sh -c 'echo $A $KEPT ${NOT_SET-none}')" "b ours none"
assert_eq "$(run -w /made/for/it tiny pwd)" /made/for/it
assert_eq "$(run -u 1000:7 tiny sh -c 'id -u; id -g' | tr '\n' ' ')" "1000 7 "
assert_eq "$(run -u app tiny id -u)" 1000
assert_eq "$(run --entrypoint /bin/echo tiny a b)" "a b"
assert_eq "$(run --hostname some-host tiny hostname)" some-host
assert_eq "$(run --hostname some-host tiny cat /etc/hostname)" some-host
assert_eq "$(status_of run --read-only tiny touch /x)" 1
assert_eq "$(status_of run tiny /etc/passwd)" 126
assert_eq "$(status_of run tiny no-such-program)" 127
assert_eq "$(status_of run -u nobody-here tiny id)" 125
assert_eq "$(status_of run -v no-path tiny id)" 125
assert_eq "$(status_of run -v a:b tiny id)" 125
assert_eq "$(status_of run -v x:/a -v y:/a tiny id)" 125
assert_eq "$(status_of run --network no-such tiny id)" 125
assert_eq "$(status_of run --name a/b tiny id)" 125
assert_eq "$(status_of run --no-such-option tiny id)" 125
assert_eq "$(status_of run -it tiny id </dev/null)" 125
assert_eq "$(layerctl volume ls --filter frozen=false --quiet | wc -l)" 0 "volumes after refusals"
[ -z "$(run tiny sh -c 'dd if=/dev/vda of=/dev/null 2>/dev/null && echo read')" ] || fail "it reads a disk of the host"
assert_eq "$(run tiny sh -c 'cat /proc/sys/kernel/hostname >/dev/null; echo x >/proc/sys/kernel/hostname || echo no' 2>/dev/null)" no

step "containers that stay"
assert_eq "$(status_of layerctl run --name kept tiny sh -c 'echo mine >/file; exit 9')" 9
assert_eq "$(status_of layerctl run --name kept tiny id)" 125
grep -q 'exists' "$T/err" || fail "a name that is taken: $(cat "$T/err")"
assert_eq "$(layerctl ps --quiet | wc -l)" 0 "running"
assert_eq "$(layerctl ps -a --format json | jq -c '.[] | [.name, .image, .running, .exit_code]')" '["kept","tiny",false,9]'
assert_eq "$(volume_value kept .parent_name)" "$(image_volume tiny)" "the parent"
mkdir "$T/m"
mount "$(disk kept)" "$T/m"
assert_eq "$(cat "$T/m/file")" mine "what it wrote"
refused -m 'mounted|busy|in use' layerctl rm kept
umount "$T/m"
layerctl deactivate kept
refused -m 'kept' layerctl image rm tiny
id=$(layerctl ps -aq)
assert_eq "$(layerctl rm "$id")" "$id"
assert_eq "$(layerctl ps -aq | wc -l)" 0 containers
refused -m 'no such container' layerctl rm kept
assert_eq "$(status_of layerctl run tiny true)" 0
name=$(layerctl ps -a --format json | jq -r '.[0].name')
[[ $name =~ ^[a-z]+_[a-z]+[0-9]+$ ]] || fail "an invented name: $name"
layerctl image rm --force tiny
assert_eq "$(layerctl image ls -q | wc -l)" 0 images
layerctl rm "$name"
layerctl image prune
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes left"
