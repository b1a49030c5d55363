#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: RUN in Dockerfiles: users, networks, mounts, the cache; what fails, is interrupted or killed leaves only the good layers
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun
# timeout: 900
# shellcheck disable=SC2016 # expanded in the image
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

builds_on "$VM_DISK_pool"
mkdir -p ctx/dir
echo one >ctx/one
echo two >ctx/dir/two

build() {
	within 200 layerctl build "$@" 2>said || fail "not built: $(cat said)"
}
# run IMAGE COMMAND...
run() {
	within 100 layerctl run --rm "$@"
}
nothing_left() {
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen | not)] | length')" 0 "volumes that are no layers"
	assert_eq "$(layerctl volume ls --format json | jq -r '.[] | select(.active) | .name')" "" "active volumes"
	[ -z "$(find /run/layerblk/{containers,import,oci,mount} -mindepth 1 2>/dev/null)" ] || fail "left: $(find /run/layerblk)"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	pgrep -x crun && fail "a crun is left"
	[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d 2>/dev/null)" ] || fail "a cgroup is left"
	[ -z "$(find /run/layerblk/work -type f ! -name '*@*')" ] || fail "a lock is left: $(ls /run/layerblk/work)"
}

step "what a command finds"
cat >ctx/Dockerfile <<'END2'
ARG WHAT=nothing
FROM tiny AS base
ARG WHAT
ARG MORE="two words"
ENV KEPT=yes
WORKDIR /made
RUN echo "$WHAT, $MORE, $KEPT, $HOME, $(pwd), $(id -u)" >said && echo "to the log" && printf 'no end'
RUN ["/bin/sh", "-c", "echo exec form: $0 > exec", "zero"]
USER app
RUN id -u >/tmp/user && ! touch /etc/not 2>/dev/null
USER 7:8
RUN echo "$(id -u):$(id -g)" >/tmp/numbers
USER root
SHELL ["/bin/busybox", "sh", "-e", "-c"]
RUN echo shell >shell; \
    # a comment
    echo more >>shell
RUN <<EOF
echo from a heredoc >heredoc
mount -t tmpfs none /tmp 2>/dev/null && echo "may mount" >bad
(echo x >/proc/sys/vm/swappiness) 2>/dev/null && echo "may change the kernel" >bad
true
EOF
RUN cat >both <<A && cat >>both <<'B'
first $KEPT
A
second $KEPT
B
RUN <<EOF
#!/bin/sh
echo "$0" >interpreted
EOF
ENTRYPOINT ["/bin/cat"]

FROM base AS tool
RUN mkdir /out && echo built >/out/result

FROM tiny
COPY --from=tool /out/ /result/
RUN cat /result/result >/seen
END2
build --target base -t base --build-arg WHAT=something ctx
cat said
grep -qE '^#[0-9]+ [0-9]+\.[0-9]{3} to the log$' said || fail "no line of the command"
grep -qE '^#[0-9]+ [0-9]+\.[0-9]{3} no end$' said || fail "no line without an end"
grep -qE '^#[0-9]+ \[base 6/[0-9]+\] RUN echo' said || fail "no step"
see() {
	run --entrypoint /bin/cat base "$@"
}
assert_eq "$(see /made/said)" "something, two words, yes, /root, /made, 0"
assert_eq "$(see /made/exec)" "exec form: zero"
assert_eq "$(see /tmp/user /tmp/numbers | tr '\n' ' ')" "1000 7:8 "
assert_eq "$(see /made/shell /made/heredoc | tr '\n' ' ')" "shell more from a heredoc "
assert_eq "$(see /made/both | tr '\n' ' ')" 'first yes second $KEPT '
assert_eq "$(see /made/interpreted)" /dev/script
see /made/bad 2>/dev/null && fail "it may too much"
assert_eq "$(layerctl image inspect base | jq -c '.[0].Config | [.Cmd, .Entrypoint, .Env[-1]]')" '[null,["/bin/cat"],"KEPT=yes"]' "the config"

step "nothing that the runtime mounts on is in a layer"
cat >bare.Dockerfile <<'END2'
FROM scratch
COPY --from=tiny /bin /bin
RUN ["/bin/sh", "-c", "echo it ran >/file; ls /etc/resolv.conf /proc/self/status /dev/null"]
END2
build -q --network host -f bare.Dockerfile -t bare ctx >/dev/null
layerctl save -q -o bare.tar bare
tar -xOf bare.tar "$(tar -xOf bare.tar manifest.json | jq -r '.[0].Layers[-1]')" | tar -tf - | sort >list
cat list
grep -qx file list || fail "not what RUN has made"
grep -E 'etc|proc|dev|sys' list && fail "mount points in the layer"
rm bare.tar

step "stages, and their layers in another build"
build -t app ctx
assert_eq "$(run app cat /seen /result/result | tr '\n' ' ')" "built built "
build -t app:2 ctx
assert_eq "$(grep -c CACHED said)" 12 "all steps are cached"
layers=$(layerctl volume ls --quiet | wc -l)
cat >second.Dockerfile <<'END2'
FROM tiny
ARG MORE="two words"
RUN echo first
RUN echo second
RUN echo third
RUN echo own >/own
END2
sed 's/own/other/g' second.Dockerfile >third.Dockerfile
build -f second.Dockerfile -t second ctx
build -f third.Dockerfile -t third ctx
assert_eq "$(grep -c CACHED said)" 3 "the second application takes the first's layers"
assert_eq "$(layerctl volume ls --quiet | wc -l)" $((layers + 5)) "volumes"
layerctl history --format json second | jq -r '.[].created_by' | grep -qx 'RUN echo own >/own' || fail "not in the history"
layerctl rmi second >/dev/null
assert_eq "$(run third cat /other)" other "shared layers stay"
build --build-arg MORE=another -f third.Dockerfile -t third ctx
assert_eq "$(grep -c CACHED said || true)" 0 "another argument: nothing is cached"

step "networks"
printf 'FROM tiny\nRUN --network=none busybox ip -o link | grep -c . >/n\nRUN grep -q build /etc/hosts && hostname >/h\n' >net.Dockerfile
build -q --network host -f net.Dockerfile -t net ctx >/dev/null
assert_eq "$(run net cat /n /h | tr '\n' ' ')" "1 build "
if [ -x /usr/lib/cni/bridge ]; then
	printf 'FROM tiny\nRUN busybox ip -4 -o addr show eth0 >/n\n' >net.Dockerfile
	build -q --network bridge -f net.Dockerfile -t net ctx >/dev/null
	run net cat /n | grep -q ' 10\.91\.' || fail "no address on the bridge"
	[ -z "$(find /run/layerblk/network -name '10.*')" ] || fail "an address is left"
fi

step "--mount"
cat >mount.Dockerfile <<'END2'
FROM tiny
RUN --mount=type=bind,source=dir,target=/mnt/ctx --mount=type=tmpfs,target=/mnt/tmp --mount=from=app,src=/result,dst=/mnt/app \
    cat /mnt/ctx/two /mnt/app/result >/got; echo x >/mnt/tmp/x; ! touch /mnt/ctx/new 2>/dev/null
END2
build -f mount.Dockerfile -t mounted ctx
assert_eq "$(run mounted sh -c 'cat /got; ls -d /mnt 2>/dev/null || true' | tr '\n' ' ')" "two built "
echo more >>ctx/dir/two
build -f mount.Dockerfile -t mounted ctx
assert_eq "$(grep -c CACHED said || true)" 0 "what is mounted has changed"

step "what fails"
layers=$(layerctl volume ls --quiet | wc -l)
printf 'FROM tiny\nRUN echo good >/good\n\nRUN echo before; exit 3\nRUN echo never\n' >bad
refused -m 'bad:4.*exit status 3' layerctl build -f bad -t never ctx
grep -qE '^#[0-9]+ [0-9.]+ before$' refused.err || fail "not what it said"
grep -q never refused.err && fail "it went on"
nothing_left
assert_eq "$(layerctl volume ls --quiet | wc -l)" $((layers + 1)) "the good layer"
refused -m 'bad:4.*exit status 3' layerctl build -q -f bad ctx
grep -qx before refused.err || fail "a quiet build does not say why it failed"
refused -m 'CACHED' layerctl build -f bad ctx
bad() {
	printf '%s' "$2" >bad
	refused -m "$1" layerctl build -q -f bad ctx
	cat refused.err
}
bad 'bad:2.*exit status 137' $'FROM tiny\nRUN sh -c \'kill -9 $$\'; exit $?'
bad 'bad:3.*exit status 127' $'FROM tiny\n\nRUN no-such-command'
bad 'bad:2.*no-such' $'FROM tiny\nRUN ["no-such-command"]'
bad 'bad:3.*no such user' $'FROM tiny\nUSER nobody-here\nRUN true'
bad 'bad:2.*--mount' $'FROM tiny\nRUN --mount=type=cache,target=/x true'
bad 'bad:2.*--mount' $'FROM tiny\nRUN --mount=type=secret,id=x true'
bad 'bad:2.*no such file' $'FROM tiny\nRUN --mount=source=nowhere,target=/x true'
bad 'bad:2.*target' $'FROM tiny\nRUN --mount=type=tmpfs true'
bad 'bad:2.*network' $'FROM tiny\nRUN --network=other true'
bad 'bad:2.*no flag' $'FROM tiny\nRUN --other true'
bad 'bad:2.*no command' $'FROM tiny\nRUN []'
nothing_left

step "a command that leaves something running"
printf 'FROM tiny\nRUN (sleep 987654 &) ; echo left >/left\n' >left.Dockerfile
build -q -f left.Dockerfile ctx >/dev/null
pgrep -f '^sleep 987654' && fail "it runs"
nothing_left

running() {
	grep -q 'it runs' out
}
printf 'FROM tiny\nRUN echo kept >/kept\nRUN echo it runs; while :; do echo x >>/x; sleep 0.1; done\n' >long.Dockerfile
for signal in TERM INT KILL KILL; do
	step "SIG$signal in the middle"
	layerctl build -f long.Dockerfile --network none ctx >out 2>&1 & pid=$!
	wait_until 100 running
	[ "$signal" = TERM ] || grep -q CACHED out || fail "the good layer is not there"
	kill -"$signal" $pid
	rc=0
	wait $pid || rc=$?
	[ "$rc" != 0 ] || fail "it has succeeded"
	if [ "$signal" = KILL ]; then
		gone() { ! pgrep -f 'echo it runs' >/dev/null; }
		wait_until 30 gone
		wait_until 60 sh -c "! layerctl ps 2>&1 >/dev/null | grep 'stays for now'"
	else
		grep -q interrupted out || fail "it does not say so: $(cat out)"
	fi
	nothing_left
done

step "all of it goes"
layerctl image ls -q | sort -u | xargs layerctl rmi -f >/dev/null
layerctl image prune >/dev/null
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after prune"
