#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: Dockerfiles without RUN: stages, COPY and ADD, the cache, mistakes named with their lines
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
cd "$T"
export TMPDIR=$T
mkimage oci tiny
layerctl image import -q tiny >/dev/null
mkdir -p ctx/dir m
echo one >ctx/one
echo two >ctx/dir/two
echo secret >ctx/secret
tar -C ctx -czf ctx/pack.tar.gz dir
echo secret >ctx/.dockerignore
cat >ctx/Dockerfile <<'END'
ARG BASE=tiny
FROM ${BASE} AS files
ENV WHERE=/srv
COPY --chown=1000:1001 --chmod=640 one $WHERE/
COPY dir /tree
ADD pack.tar.gz /packed/
COPY <<EOF /etc/made
where is ${WHERE}
EOF

FROM files AS app
ARG VERSION=1
LABEL version=$VERSION
WORKDIR /work
CMD ["cat", "/etc/made"]

FROM scratch
COPY --from=files /tree /
COPY --from=app /srv/one /again
END

step "build"
layerctl build --target app -t app:1 ctx
layerctl image inspect app:1 >inspected
assert_eq "$(jq -c '.[0].Config.Labels' inspected)" '{"version":"1"}' labels
assert_eq "$(jq -r '.[0].Config.WorkingDir' inspected)" /work "the working directory"
assert_eq "$(jq '.[0].Layers | length' inspected)" 9 "layers: the base's four, three copies, a heredoc, a directory"
mount -o ro,noload "$(disk "$(image_volume app:1)")" m
assert_eq "$(cat m/srv/one)" one
assert_eq "$(stat -c '%a %u %g' m/srv/one)" "640 1000 1001"
assert_eq "$(cat m/tree/two m/packed/dir/two | tr '\n' ' ')" "two two "
assert_eq "$(cat m/etc/made)" "where is /srv"
[ -d m/work ] || fail "no /work"
umount m
layerctl deactivate "$(image_volume app:1)"
assert_eq "$(layerctl history --format json app:1 | jq -r '.[0].created_by')" 'CMD ["cat", "/etc/made"]' "history"

step "a second time all of it is cached; a change rebuilds what follows"
layerctl build --target app -t app:2 ctx 2>said
assert_eq "$(grep -c CACHED said)" 5 "cached steps"
layerctl build --target app --build-arg VERSION=2 -t app:3 ctx 2>said
assert_eq "$(grep -c CACHED said)" 4 "cached steps with another ARG"
echo more >>ctx/dir/two
layerctl build --target app -t app:4 ctx 2>said
assert_eq "$(grep -c CACHED said)" 1 "cached steps after a change"
layerctl build --no-cache --target app -t app:5 ctx 2>said
assert_eq "$(grep -c CACHED said || true)" 0 "cached steps without the cache"
layerctl build -q --size 64M -t small ctx >id
layerctl save -q -o small.tar small
tar -xOf small.tar "$(tar -xOf small.tar manifest.json | jq -r '.[0].Layers[-1]')" | tar -tf - | grep -qx again

step "mistakes"
bad() {
	printf '%s' "$2" >bad
	refused -m "$1" layerctl build -q -f bad ctx
	cat refused.err
}
bad 'bad:2.*no instruction' $'FROM tiny\nCOPPY a b'
bad 'bad:3.*no such file' $'FROM tiny\n\nCOPY nowhere /'
bad 'bad:2.*dockerignore' $'FROM tiny\nCOPY secret /'
bad 'bad:1.*no such image' $'FROM not-there'
bad 'bad:2.*chmod' $'FROM tiny\nCOPY --chmod=9 one /'
bad 'bad:2.*must be a directory' $'FROM tiny\nCOPY one pack.tar.gz /x'
bad 'bad:2.*RUN' $'FROM tiny\nRUN true'
bad 'bad:3.*is needed' $'FROM tiny\nARG A\nENV B=${A:?is needed}'
bad 'bad:2.*no such image' $'FROM tiny\nCOPY --from=nobody a b'
refused -m 'no such stage' layerctl build -q --target none ctx
refused layerctl build -q not-there
assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen | not)] | length')" 0 "volumes that are no layers"
assert_eq "$(status .active_volumes)" 0 "active volumes"
layerctl image ls -q | sort -u | xargs layerctl rmi -f >/dev/null
layerctl image prune >/dev/null
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after prune"
