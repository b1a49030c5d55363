#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: create, start, stop, restart, kill, pause, wait, ps, inspect, logs, exec, rename: a container with a life of its own
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

containers_on "$VM_DISK_pool"
ctl() {
	within 100 layerctl "$@"
}
state() {
	ctl inspect "$1" | jq -r ".[0].State.$2"
}
said() {
	layerctl logs "$1" | grep -q "$2"
}

logs=$(ls -A /var/lib/layerblk/containers 2>/dev/null || true)

step "created, started, ended"
id=$(ctl create --name one --label colour=red tiny sh -c 'echo begun; echo to stderr >&2; echo more >>/file; wc -l </file')
assert_eq "${#id}" 64 "an id"
assert_eq "$(state one Status)" created
assert_eq "$(ctl ps -a --format json | jq -r '.[0].status')" Created
assert_eq "$(ctl ps -q | wc -l)" 0 running
assert_eq "$(ctl logs one)" "" "before it ran"
assert_eq "$(ctl start one)" one
assert_eq "$(ctl wait one)" 0
assert_eq "$(ctl logs one 2>/dev/null | tr '\n' ' ')" "begun 1 "
assert_eq "$(ctl logs one 2>&1 >/dev/null)" "to stderr"

step "what it wrote is there when it starts again"
assert_eq "$(ctl start -a one 2>/dev/null | tr '\n' ' ')" "begun 2 "
ctl start one
ctl wait "${id:0:12}" >/dev/null
assert_eq "$(ctl logs --tail 1 one)" 3
assert_eq "$(ctl logs one 2>/dev/null | grep -c begun)" 3 "the log of all its lives"
[ -z "$(ctl logs --until 1h one)" ] || fail "what it said an hour ago"
[[ $(ctl logs -t --tail 1 one) =~ ^20[0-9-]*T[0-9:.]*[+-][0-9:]*\ 3$ ]] || fail "logs -t: $(ctl logs -t --tail 1 one)"

step "run -d, ps"
ctl run -d --name two tiny sh -c 'trap "echo TERM; exit 3" TERM; trap "exit 6" USR1; echo up; while :; do sleep 0.1; done' >/dev/null
wait_until 30 said two up
assert_eq "$(ctl ps --format json | jq -r '.[].name')" two
[[ $(ctl ps --format json | jq -r '.[].status') == Up\ * ]] || fail "its status"
assert_eq "$(ctl ps -a --filter name=on --format json | jq -r '.[].name')" one "a filter"
assert_eq "$(ctl ps -a --filter label=colour=red -q)" "${id:0:12}" "a filter"
assert_eq "$(ctl ps --filter status=exited --format json | jq -r '.[].name')" one "a filter"
assert_eq "$(ctl ps -l --format json | jq -r '.[].name')" two "the latest"
refused -m filter layerctl ps --filter no-such=1
refused -m running layerctl rm two

assert_eq "$(ctl ps --format '{{.Names}} {{.State}}')" "two running" "a template"
assert_eq "$(ctl ps --format 'table {{.Names}}\t{{.Image}}' | tail -n 1 | tr -s ' ')" "two tiny" "a table of them"
assert_eq "$(ctl inspect -f '{{.Name}} {{.State.Status}}' one two | tr '\n' ' ')" "/one exited /two running " "a template"
assert_eq "$(ctl container ls -aq | wc -l)" 2 "Docker's longer names"

step "exec"
assert_eq "$(ctl exec two sh -c 'echo $A $0' 2>/dev/null)" "sh"
assert_eq "$(ctl exec -e A=b -w /all -u 1000 two sh -c 'echo $A; pwd; id -u' | tr '\n' ' ')" "b /all 1000 "
assert_eq "$(echo through | ctl exec -i two cat)" through
rc=0
ctl exec two sh -c 'exit 7' || rc=$?
assert_eq "$rc" 7 "exec's exit status"
rc=0
ctl exec two no-such 2>/dev/null || rc=$?
assert_eq "$rc" 127 "exec of what is not there"
ctl exec -d two sh -c 'echo >/made'
wait_until 30 layerctl exec two test -e /made
refused -m 'not running' layerctl exec one true

step "pause"
assert_eq "$(ctl pause two)" two
assert_eq "$(state two Paused)" true
refused -m paused layerctl exec two true
refused -m paused layerctl pause two
ctl unpause two
assert_eq "$(state two Status)" running
refused -m 'not paused' layerctl unpause two

step "stop, restart, kill, wait"
(ctl wait two >"$T/waited") & waiting=$!
assert_eq "$(ctl stop two)" two
wait $waiting
assert_eq "$(cat "$T/waited")" 3
assert_eq "$(state two ExitCode)" 3
ctl stop two one
ctl restart two
assert_eq "$(state two Running)" true
ctl kill -s USR1 two
assert_eq "$(ctl wait two)" 6
ctl start two
ctl kill two
assert_eq "$(ctl wait two)" 137
refused -m 'not running' layerctl kill two
refused -m signal layerctl kill -s NOPE two

step "logs -f ends with it; a foreground client sees the same"
ctl run -d --name three tiny sh -c 'for i in 1 2 3; do echo $i; sleep 1; done; exit 9' >/dev/null
assert_eq "$(ctl logs -f three | tr '\n' ' ')" "1 2 3 "
assert_eq "$(ctl wait three)" 9
ctl run -d -i --name four tiny cat >/dev/null
(echo hello | layerctl attach four >"$T/attached" || true) & attached=$!
wait_until 30 said four hello
ctl stop -t 0 four
wait $attached
assert_eq "$(cat "$T/attached")" hello "attached to"

step "restart on failure"
ctl run -d --name five --restart on-failure:2 tiny sh -c 'echo again; exit 1' >/dev/null
wait_until 60 eval '[ "$(layerctl logs five | grep -c again)" = 3 ]'
wait_until 60 eval '[ "$(layerctl inspect five | jq ".[0].State.Running, .[0].RestartCount" | tr "\n" " ")" = "false 2 " ]'
assert_eq "$(state five ExitCode)" 1

step "rename"
ctl rename two zwei
assert_eq "$(state zwei Status)" exited
refused -m 'no such container' layerctl start two
refused -m exists layerctl rename zwei one
ctl start zwei
ctl rename zwei deux
assert_eq "$(ctl exec deux echo there)" there
ctl rm -f deux

step "container prune"
ctl run -d --name goes-on tiny sleep 1000 >/dev/null
echo n | ctl container prune | grep -q WARNING
assert_eq "$(ctl container prune -f | grep -cxE "[0-9a-f]{64}")" 4 "removed"
assert_eq "$(ctl ps -a --format '{{.Names}}')" goes-on
ctl rm -f goes-on

step "many at once, and nothing is left"
spaces=$(lsns -n -t net | wc -l)
for ((i = 0; i < 20; i++)); do
	within 600 layerctl run -d --name "c$i" tiny sh -c "echo $i; sleep 1000" >/dev/null &
done
wait
assert_eq "$(ctl ps -q | wc -l)" 20 running
within 600 layerctl stop -t 0 c{0..9} >/dev/null & a=$!
within 600 layerctl rm -f c{10..19} >/dev/null
wait $a
within 600 layerctl rm c{0..9} >/dev/null
assert_eq "$(ctl ps -aq | wc -l)" 0 containers
assert_eq "$(status .active_volumes)" 0 "active volumes"
for d in containers oci exits; do
	[ -z "$(ls -A /run/layerblk/$d)" ] || fail "left in $d: $(ls /run/layerblk/$d)"
done
assert_eq "$(ls -A /var/lib/layerblk/containers)" "$logs" logs
grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d)" ] || fail "a cgroup is left"
pgrep conmon && fail "a conmon is left"
assert_eq "$(lsns -n -t net | wc -l)" "$spaces" "network namespaces"
layerctl image rm tiny
