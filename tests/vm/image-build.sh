#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: Dockerfiles without RUN: stages, COPY and ADD, the cache, mistakes named with their lines
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

builds_on "$VM_DISK_pool"
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
assert_eq "$(jq -r '.[0].Config.Labels.version' inspected)" 1 labels
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

step "what a config can have, and what the command line adds"
cat >full <<'END'
FROM tiny
MAINTAINER somebody
CMD ["of this image"]
ENTRYPOINT ["/bin/echo"]
EXPOSE 80 443/udp
VOLUME /data
VOLUME ["/other"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
ONBUILD RUN true
ENV OLD form  of "it" \
    goes on
ENV A=1 B="two words" C=$OLD
USER app:app
COPY --chown=app:app *.gz [o]ne /srv/
END
layerctl build -q -t full:1 -t full:2 --label a=b --label c --iidfile iid -f - ctx <full >id
cat iid id
assert_eq "$(cat iid)" "$(cat id)" "--iidfile"
layerctl image inspect full:2 >inspected
config() {
	jq -c ".[0].Config.$1" inspected
}
assert_eq "$(jq -r '.[0].Id' inspected)" "$(cat id)" "both names"
assert_eq "$(config Cmd) $(config Entrypoint)" '["of this image"] ["/bin/echo"]'
assert_eq "$(config ExposedPorts)" '{"80/tcp":{},"443/udp":{}}'
assert_eq "$(config 'Volumes | keys' | tr -d '[]')" '"/data","/other"' volumes
assert_eq "$(config StopSignal) $(config User)" '"SIGINT" "app:app"'
assert_eq "$(config Healthcheck)" '{"Interval":5000000000,"Retries":2,"Test":["CMD-SHELL","true"]}'
assert_eq "$(config OnBuild)" '["RUN true"]'
assert_eq "$(config 'Env[2:]')" '["OLD=form  of it     goes on","A=1","B=two words","C=form  of it     goes on"]'
assert_eq "$(config Labels.a) $(config Labels.c)" '"b" ""'
printf 'FROM full:1\nRUN true' >bad
refused -m 'bad:1.*ONBUILD' layerctl build -f bad ctx
printf 'FROM tiny\nENTRYPOINT ["/bin/echo"]\nLABEL x=y' | layerctl build -q -t bare - >/dev/null
assert_eq "$(layerctl image inspect bare | jq -c '.[0].Config.Cmd')" null "the command was for another entrypoint"

step "a context from standard input"
printf 'FROM tiny\nCOPY dir/two /from-a-tar\n' >ctx/other
tar -C ctx -cz . | layerctl build -q -t piped -f other - >/dev/null
layerctl save -q -o piped.tar piped
tar -xOf piped.tar "$(tar -xOf piped.tar manifest.json | jq -r '.[0].Layers[-1]')" | tar -tf - | grep -qx from-a-tar || fail "not in it"
rm piped.tar
layerctl build -q -f other ctx >/dev/null
printf 'one\ndir\n!dir/two\nsecret\n' >ctx/.dockerignore
refused -m 'dockerignore' layerctl build -q -f - ctx <<<$'FROM tiny\nCOPY one /'
layerctl build -q -f - ctx <<<$'FROM tiny\nCOPY dir /d' >/dev/null
echo secret >ctx/.dockerignore
[ -z "$(find "$T" -maxdepth 1 -name 'layerctl-*')" ] || fail "a temporary directory is left"

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
bad 'bad:3.*is needed' $'FROM tiny\nARG A\nENV B=${A:?is needed}'
bad 'bad:2.*no such image' $'FROM tiny\nCOPY --from=nobody a b'
bad 'bad:2.*fetched' $'FROM tiny\nADD http://a/b /'
bad 'bad:2.*port' $'FROM tiny\nEXPOSE eighty'
bad 'bad:2.*JSON' $'FROM tiny\nSHELL sh'
bad 'bad:2.*HEALTHCHECK' $'FROM tiny\nHEALTHCHECK true'
bad 'bad:2.*NAME=VALUE' $'FROM tiny\nENV A'
bad 'bad:2.*quote' $'FROM tiny\nLABEL a="b'
bad 'bad:2.*"EOF"' $'FROM tiny\nCOPY <<EOF /x\ny'
bad 'bad:2.*ONBUILD' $'FROM tiny\nONBUILD FROM x'
bad 'bad:2.*source and a destination' $'FROM tiny\nCOPY one'
bad 'bad:2.*needs arguments' $'FROM tiny\nCMD'
bad 'bad:1.*platform' $'FROM --platform=linux/s390x tiny'
bad 'bad:1.*empty' $'FROM $nothing'
bad 'bad:1.*no FROM' ''
bad 'bad:2.*such user' $'FROM tiny\nCOPY --chown=nobody-here one /'
refused -m 'Dockerfile' layerctl build -q m
refused -m 'not both' layerctl build -q -f - - </dev/null
refused -m 'network' layerctl build -q --network no ctx
refused -m 'KEY=VALUE' layerctl build -q --label =b ctx
refused -m 'no such stage' layerctl build -q --target none ctx
refused layerctl build -q not-there
assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen | not)] | length')" 0 "volumes that are no layers"
assert_eq "$(status .active_volumes)" 0 "active volumes"
layerctl image ls -q | sort -u | xargs layerctl rmi -f >/dev/null
layerctl image prune >/dev/null
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after prune"
