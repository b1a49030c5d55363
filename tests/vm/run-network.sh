#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a private net behind a bridge, published ports, and nothing left of them
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:iptables
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

[ -x /usr/lib/cni/bridge ] || skip "needs containernetworking-plugins"
containers_on "$VM_DISK_pool"
run() {
	within 200 layerctl run "$@"
}
address_of() {
	layerctl inspect "$1" | jq -r '.[0].NetworkSettings.IPAddress'
}
answers() {
	[ "$(busybox nc -w 2 "$1" "$2" </dev/null)" = "$3" ]
}

step "none: loopback only; host: the machine's"
assert_eq "$(run --rm --network none tiny busybox ip -o link | grep -c .)" 1
run --rm --network host tiny busybox ip -o link | grep lo: >/dev/null || fail "not the machine's network"

step "bridge: an address, the way out, each other"
SERVE='while :; do echo "$0" | busybox nc -l -p 80 >/dev/null 2>&1; done'
run -d --network bridge --name one tiny sh -c "$SERVE" one >/dev/null
run -d --network bridge --name two -p 8081:80 -p 127.0.0.1:8082:80 tiny sh -c "$SERVE" two >/dev/null
[[ $(address_of one) == 10.91.* ]] || fail "no address: $(address_of one)"
[ "$(address_of one)" != "$(address_of two)" ] || fail "one address for two"
layerctl exec two busybox ip route | grep 'default via 10.91.0.1' >/dev/null || fail "no way out"
assert_eq "$(layerctl exec two sh -c 'busybox tail -n 1 /etc/hosts' | cut -f 1)" "$(address_of two)" "its own name"
wait_until 30 answers "$(address_of one)" 80 one
assert_eq "$(layerctl exec two busybox nc -w 2 "$(address_of one)" 80)" one "from one container to the other"

step "published ports"
wait_until 30 answers 127.0.0.1 8082 two
outside=$(ip -4 -o addr show layerblk-br0 | awk '{sub("/.*", "", $4); print $4}')
wait_until 30 answers "$outside" 8081 two
assert_eq "$(layerctl ps --filter name=two --format json | jq -r '.[0].ports')" "0.0.0.0:8081->80/tcp, 127.0.0.1:8082->80/tcp"
rc=0
layerctl create --network none -p 80 tiny true 2>"$T/err" || rc=$?
assert_eq "$rc" 125 "a port without a network"
run -d --network bridge --name any -p 80 tiny sh -c "$SERVE" any >/dev/null
port=$(layerctl inspect any | jq -r '.[0].NetworkSettings.Ports."80/tcp"[0].HostPort')
wait_until 30 answers "$outside" "$port" any

step "stopped and started: a new address, the same ports"
layerctl restart -t 0 two >/dev/null
wait_until 30 answers "$outside" 8081 two

step "gone with the containers"
layerctl rm -f one two any >/dev/null
gone() {
	[ -z "$(ip -o link show type veth)" ]
}
wait_until 30 gone
answers 127.0.0.1 8082 two && fail "a port is left"
iptables-save -t nat | grep -E '8081|8082|CNI-DN-' && fail "a rule is left"
assert_eq "$(find /run/layerblk/network/layerblk -name '10.*' | wc -l)" 0 "addresses"
ip link del layerblk-br0
layerctl image rm tiny >/dev/null
