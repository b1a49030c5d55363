#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: signals reach the container; it outlives a killed layerctl and conmon; what is killed is cleared up after by the next command
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

containers_on "$VM_DISK_pool"
layers=$(layerctl volume ls --quiet | sort)

nothing_left() {
	assert_eq "$(layerctl volume ls --quiet | sort)" "$layers" volumes
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(ls -A /run/layerblk/containers)" ] || fail "left: $(ls /run/layerblk/containers)"
	[ -z "$(crun --root /run/layerblk/oci list -q)" ] || fail "crun knows a container"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	pgrep -f 'crun --root|conmon --api' && fail "a crun or conmon is left"
	[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d)" ] || fail "a cgroup is left"
}
up() {
	grep -q ready "$T/out"
}
none_runs() {
	[ -z "$(layerctl ps -q)" ]
}
conmon_of() {
	cat "/run/layerblk/containers/$(layerctl inspect "$1" | jq -r '.[0].Id')/conmon.pid"
}
LOOP='echo ready; while :; do sleep 0.1; done'

step "signals"
layerctl run --rm tiny sh -c 'trap "echo got TERM; exit 5" TERM; echo ready; while :; do sleep 0.1; done' >"$T/out" & pid=$!
wait_until 60 up
kill -TERM $pid
rc=0
wait $pid || rc=$?
assert_eq "$rc" 5 "the exit status"
grep -q 'got TERM' "$T/out" || fail "no TERM in the container"
nothing_left

step "it outlives its layerctl"
layerctl run --rm --name client -v data:/data tiny sh -c "$LOOP" >"$T/out" & pid=$!
wait_until 60 up
kill -KILL $pid
wait $pid || true
assert_eq "$(within 60 layerctl ps --format json | jq -r '.[].name')" client "running"
assert_eq "$(within 60 layerctl exec client echo here)" here
within 60 layerctl stop -t 0 client
layers=$(printf '%s\ndata' "$layers" | sort)
nothing_left

step "it outlives its conmon"
layerctl run -d --name stays tiny sh -c 'echo kept >/file; while :; do sleep 0.1; done' >/dev/null
kill -KILL "$(conmon_of stays)"
assert_eq "$(within 60 layerctl ps --format json | jq -r '.[] | [.name, .state] | @csv')" '"stays","running"'
assert_eq "$(within 60 layerctl exec stays cat /file)" kept
refused -m running layerctl rm stays
within 60 layerctl stop -t 0 stays
assert_eq "$(within 60 layerctl ps -a --format json | jq -c '.[] | [.name, .running, .exit_code]')" '["stays",false,137]'
within 60 layerctl start stays
assert_eq "$(within 60 layerctl exec stays cat /file)" kept "after a start"

step "killed with its conmon"
init=$(layerctl inspect stays | jq '.[0].State.Pid')
kill -KILL "$(conmon_of stays)" "$init"
wait_until 60 none_runs
assert_eq "$(within 60 layerctl ps -a --format json | jq -c '.[] | [.name, .state, .exit_code]')" '["stays","exited",137]'
within 60 layerctl rm stays
nothing_left

step "rm --force ends a running one"
layerctl run --name forced tiny sh -c "$LOOP" >"$T/out" & pid=$!
wait_until 60 up
within 60 layerctl rm --force forced
rc=0
wait $pid || rc=$?
assert_eq "$rc" 137 "its command's exit status"
nothing_left

step "killed when the container is made and does not run yet"
cat >"$T/runtime" <<END
#!/bin/sh
case " \$* " in
*" start "*) : >$T/starting; exec sleep 1000 ;;
esac
exec crun "\$@"
END
chmod +x "$T/runtime"
layerctl run --runtime "$T/runtime" --name waits -v data:/data tiny true >/dev/null 2>&1 & pid=$!
wait_until 60 test -e "$T/starting"
assert_eq "$(layerctl ps --format '{{.Names}}')" waits "while somebody starts it"
kill -KILL $pid
wait $pid || true
ended() {
	layerctl ps -a --filter status=exited --format '{{.Names}}' | grep -qx waits
}
wait_until 60 ended
layerctl rm waits >/dev/null
nothing_left

step "killed at random moments"
for ((i = 0; i < 8; i++)); do
	layerctl run --rm -v data:/data tiny sh -c 'dd if=/dev/zero of=/data/x bs=64k count=20 2>/dev/null' >/dev/null 2>&1 & pid=$!
	sleep "$((RANDOM % 3)).$((RANDOM % 10))$((RANDOM % 10))"
	kill -KILL $pid 2>/dev/null || true
	wait $pid || true
done
wait_until 100 none_runs
# Those that were killed between making and starting.
layerctl ps -aq | xargs -r layerctl rm >/dev/null
nothing_left
within 100 layerctl run --rm -v data:/data tiny true
nothing_left
