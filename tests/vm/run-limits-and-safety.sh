#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: capabilities, seccomp, limits, devices, and what a container cannot do by default
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

containers_on "$VM_DISK_pool"
run() {
	within 100 layerctl run --rm "$@"
}
caps() {
	run "$@" tiny sh -c 'busybox grep CapEff /proc/self/status' | awk '{print $2}'
}

step "capabilities"
default=$(caps)
assert_eq "$default" 00000000800405fb "the default ones"
assert_eq "$(caps --cap-add NET_ADMIN)" "$(printf '%016x' $((0x$default | 1 << 12)))" "one more"
assert_eq "$(caps --cap-drop cap_chown)" "$(printf '%016x' $((0x$default & ~1)))" "one less"
assert_eq "$(caps --cap-drop ALL --cap-add KILL)" 0000000000000020 "only one"
assert_eq "$(caps --cap-add ALL --cap-drop SYS_ADMIN)" "$(printf '%016x' $((0x$(caps --privileged) & ~(1 << 21))))" "all but one"
assert_eq "$(caps -u 1000)" 0000000000000000 "those of a user"
assert_eq "$(status_of run --cap-add NO_SUCH tiny true)" 125

step "seccomp, new privileges"
grep_status() {
	run "$1" "$2" tiny sh -c "busybox grep '$3:' /proc/self/status" | awk '{print $2}'
}
assert_eq "$(grep_status -e X=1 Seccomp)" 2 "a filter"
assert_eq "$(grep_status --security-opt seccomp=unconfined Seccomp)" 0 "no filter"
assert_eq "$(grep_status --security-opt no-new-privileges NoNewPrivs)" 1
assert_eq "$(grep_status -e X=1 NoNewPrivs)" 0
assert_eq "$(status_of run --cap-add SYS_ADMIN tiny busybox unshare -m true)" 0
assert_eq "$(status_of run tiny busybox unshare -m true)" 1
assert_eq "$(status_of run --security-opt no-such tiny true)" 125

step "what it cannot do"
run tiny sh -c '
	busybox mount -t tmpfs none /tmp && echo mounted
	echo x >/proc/sys/kernel/hostname && echo sysctl
	echo x >/proc/sysrq-trigger && echo sysrq
	cat /proc/kcore >/dev/null && [ -s /proc/kcore ] && echo kcore
	busybox mknod /tmp/d b 254 0 && dd if=/tmp/d of=/dev/null count=1 && echo disk
	busybox dmesg && echo dmesg
	[ -w /sys/kernel ] && echo >/sys/kernel/mm/ksm/run && echo sys
	mkdir /sys/fs/cgroup/x && echo cgroup
	' 2>/dev/null | grep . && fail "it could"
run --privileged tiny sh -c 'busybox mount -t tmpfs none /tmp && [ -e /dev/vda ] && echo >/sys/fs/cgroup/cgroup.max.depth 9' || fail "privileged"

step "limits"
layerctl run -d --name limited -m 64m --cpus 0.5 --pids-limit 20 --ulimit nofile=100:200 tiny sleep 1000 >/dev/null
cgroup=/sys/fs/cgroup/layerblk/$(layerctl inspect limited | jq -r '.[0].Id')
assert_eq "$(cat "$cgroup/memory.max")" 67108864
assert_eq "$(cat "$cgroup/cpu.max")" "50000 100000"
assert_eq "$(cat "$cgroup/pids.max")" 20
assert_eq "$(layerctl exec limited sh -c 'ulimit -n; ulimit -Hn' | tr '\n' ' ')" "100 200 "
assert_eq "$(layerctl inspect limited | jq '.[0].HostConfig.Memory')" 67108864
layerctl rm -f limited >/dev/null
assert_eq "$(run tiny cat /sys/fs/cgroup/pids.max)" 2048 "by default"
assert_eq "$(run --pids-limit -1 tiny cat /sys/fs/cgroup/pids.max)" max
assert_eq "$(run --shm-size 1m tiny sh -c 'busybox df -k /dev/shm | tail -n 1 | busybox awk "{print \$2}"')" 1024
assert_eq "$(run --sysctl net.ipv4.ip_default_ttl=33 tiny cat /proc/sys/net/ipv4/ip_default_ttl)" 33
assert_eq "$(status_of run --sysctl kernel.panic=1 tiny true)" 125
assert_eq "$(run --cpuset-cpus 0 tiny cat /sys/fs/cgroup/cpuset.cpus)" 0
layerctl run --name eater -m 16m --tmpfs /t tiny sh -c 'dd if=/dev/zero of=/t/x bs=1M count=64 2>/dev/null' || true
layerctl inspect eater | jq -e '.[0].State.ExitCode != 0' >/dev/null || fail "no limit of memory"
expect_klog 'Memory cgroup out of memory|oom-kill|oom_reaper|invoked oom-killer'
expect_trace 'oom'
layerctl rm eater >/dev/null
assert_eq "$(status_of run -m 1k tiny true)" 125
assert_eq "$(status_of run --cpus 0 tiny true)" 125
assert_eq "$(status_of run --ulimit x tiny true)" 125
layerctl run --name full --storage-size 8M tiny sh -c 'dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null; sync /big' && fail "no quota"
layerctl rm full >/dev/null

step "devices"
[ -z "$(run tiny sh -c 'ls /dev | grep -E "^(vd|sd|layerblk)"')" ] || fail "a disk of the host"
assert_eq "$(run --device "$VM_DISK_pool:/dev/my-disk:r" tiny sh -c 'ls -l /dev/my-disk | busybox cut -c1
	dd if=/dev/my-disk of=/dev/null count=1 && echo read; dd if=/dev/null of=/dev/my-disk count=0 || echo no' 2>/dev/null | tr '\n' ' ')" "b read no "
assert_eq "$(status_of run --device /dev/no-such tiny true)" 125

step "another runtime"
printf '#!/bin/sh\necho "$*" >>%s\nexec crun "$@"\n' "$T/asked" >"$T/runtime"
chmod +x "$T/runtime"
assert_eq "$(run --runtime "$T/runtime" tiny echo by another)" "by another"
for verb in create start delete; do
	grep -q " $verb " "$T/asked" || fail "it was not asked to $verb"
done
assert_eq "$(status_of run --runtime no-such-runtime tiny true)" 125

step "environment, labels, files"
printf 'A=from file\n# no\n\nKEPT\n' >"$T/env"
assert_eq "$(KEPT=ours run --env-file "$T/env" -e B=b tiny sh -c 'echo $A $KEPT $B')" "from file ours b"
assert_eq "$(run --add-host db:10.1.2.3 tiny busybox grep db /etc/hosts)" "$(printf '10.1.2.3\tdb')"
assert_eq "$(run --dns 10.1.1.1 --dns-search example.org tiny cat /etc/resolv.conf | grep -vE '^(#|$|search [^e]|options|domain)' | sort | tr '\n' ' ')" \
	"nameserver 10.1.1.1 search example.org "
layerctl create --name labelled --label a=b --cidfile "$T/cid" --stop-signal INT --stop-timeout 3 tiny true >/dev/null
assert_eq "$(cat "$T/cid")" "$(layerctl inspect labelled | jq -r '.[0].Id')"
assert_eq "$(layerctl inspect labelled | jq -c '.[0].Config | [.Labels.a, .StopSignal]')" '["b","INT"]'
assert_eq "$(status_of layerctl create --cidfile "$T/cid" tiny true)" 125
assert_eq "$(status_of layerctl create --restart always tiny true)" 125
assert_eq "$(status_of layerctl create --stop-signal NOPE tiny true)" 125
layerctl rm labelled >/dev/null
layerctl image rm tiny >/dev/null
