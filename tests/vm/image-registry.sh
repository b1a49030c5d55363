#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: push, pull, login and logout with a registry; import of a plain tar; names and lists of images
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:skopeo cmd:docker-registry
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
cd "$T"
export TMPDIR=$T XDG_RUNTIME_DIR=$T REGISTRY_AUTH_FILE=$T/auth.json
ip link set lo up

listens() {
	bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null
}

# registry PORT [AUTH]
registry() {
	cat >"config-$1.yml" <<-EOF
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $T/registry-$1}}
		http: {addr: 127.0.0.1:$1}
		${2-}
	EOF
	# It takes REGISTRY_... of the environment for settings of its own.
	env -u REGISTRY_AUTH_FILE docker-registry serve "config-$1.yml" >"registry-$1.log" 2>&1 &
	defer "kill $!; wait $! || true"
	defer "cat '$T/registry-$1.log'"
	wait_until 60 listens "$1"
}
registry 5000
/usr/bin/python3 -W ignore -c 'import crypt; print("jo:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >htpasswd
registry 5001 "auth: {htpasswd: {realm: tests, path: $T/htpasswd}}"
host=127.0.0.1:5000 closed=127.0.0.1:5001

step "push"
mkimage oci tiny
layerctl image import -q tiny
id=$(layerctl images -q --no-trunc tiny)
layerctl tag tiny $host/team/tiny:1
layerctl push --tls-verify=false $host/team/tiny:1 >pushed
cat pushed
digest=$(sed -n 's/.*digest: //p' pushed)
assert_eq "$(skopeo inspect --tls-verify=false --raw docker://$host/team/tiny:1 | jq -r .config.digest)" "$id" "the id in the registry"
assert_eq "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://$host/team/tiny:1)" "$digest" "the digest that push says"
layerctl push -q --tls-verify=false tiny:latest $host/other:2
find registry-5000 -name data -path '*blobs*' | wc -l >blobs
layerctl push -q --tls-verify=false --compress zstd tiny:latest $host/zstd
assert_eq "$(skopeo inspect --tls-verify=false --raw docker://$host/zstd | jq -r '.layers[0].mediaType')" \
	application/vnd.oci.image.layer.v1.tar+zstd "the media type"

step "pull"
layerctl rmi -f $host/team/tiny:1 tiny:latest >/dev/null
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after rmi"
layerctl pull --tls-verify=false $host/team/tiny:1 | tee pulled
grep -q "^Digest: $digest$" pulled
grep -q "^Status: Downloaded newer image for $host/team/tiny:1" pulled
assert_eq "$(layerctl images -q --no-trunc $host/team/tiny)" "$id" "the id after pull"
mkdir m
mount -o ro "$(disk "$(image_volume $host/team/tiny:1)")" m
tiny_is_right m
umount m
layerctl deactivate "$(image_volume $host/team/tiny:1)"
layerctl pull --tls-verify=false $host/team/tiny:1 | grep -q "^Status: Image is up to date"
assert_eq "$(layerctl pull -q --tls-verify=false "$host/team/tiny@$digest")" "$host/team/tiny@$digest" "what pull -q says"
layerctl pull -q --tls-verify=false $host/zstd
assert_eq "$(layerctl images --filter reference="$host/*" -q --no-trunc | sort -u)" "$id" "one image, whatever its compression"
layerctl push -q --tls-verify=false $host/team/tiny:1
assert_eq "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://$host/team/tiny:1)" "$digest" "the digest of a second push"

step "credentials"
refused layerctl push -q --tls-verify=false $host/team/tiny:1 $closed/tiny
layerctl push -q --tls-verify=false --creds jo:secret $host/team/tiny:1 $closed/tiny
refused layerctl pull -q --tls-verify=false --creds jo:wrong $closed/tiny
refused layerctl pull -q --tls-verify=false $closed/tiny
refused layerctl login --tls-verify=false -u jo -p wrong $closed
echo secret | layerctl login --tls-verify=false -u jo --password-stdin $closed
layerctl pull -q --tls-verify=false $closed/tiny
layerctl logout $closed
refused layerctl pull -q --tls-verify=false $closed/tiny

step "what cannot be pulled or pushed"
refused layerctl pull -q --tls-verify=false $host/no/such:1
refused layerctl pull -q --tls-verify=false 127.0.0.1:5999/x
refused -m 'no digest' layerctl pull -q $host/x@sha256:12
refused -m 'no such image' layerctl push -q --tls-verify=false $host/absent
refused -m 'true' layerctl push -q --tls-verify=maybe $host/team/tiny:1
assert_eq "$(find . -maxdepth 1 -name 'layerctl-*' | wc -l)" 0 "temporary directories"

step "lists and names"
layerctl tag $host/team/tiny:1 one:a
layerctl tag one:a two
layerctl images | tee table
grep -qE '^one +a ' table
assert_eq "$(layerctl images --format '{{.Repository}}:{{.Tag}}' --filter reference='one*')" one:a "a template"
assert_eq "$(layerctl images --format 'table {{.Tag}}\t{{.Repository}}' two | tail -n 1 | tr -s ' ')" "latest two" "a table by template"
assert_eq "$(layerctl images --format '{{json .}}' one | jq -r .tag)" a "a row as JSON"
layerctl images --digests one | grep -q "$digest"
refused -m 'not known' layerctl images --format '{{.Nothing}}'
refused -m 'not one of' layerctl images --filter colour=red
layerctl rmi one:a | tee said
assert_eq "$(cat said)" "Untagged: one:a" "what rmi says"
layerctl rmi -f "${id#sha256:}" >/dev/null
assert_eq "$(layerctl images -q | wc -l)" 0 "images after rmi by id"

step "import of a root tar"
mkdir root && mkdir root/etc && echo hi >root/etc/motd && ln -s etc/motd root/link
tar -C root -cf root.tar .
layerctl import -c 'CMD ["/bin/sh", "-l"]' -c 'ENV A="b c" D=e' -c 'EXPOSE 80 53/udp' -c 'WORKDIR /srv' -c 'USER jo' -m 'by hand' root.tar my/root:1 >id
layerctl image inspect my/root:1 >inspected
assert_eq "$(jq -c '.[0].Config' inspected)" \
	'{"Cmd":["/bin/sh","-l"],"Env":["A=b c","D=e"],"ExposedPorts":{"80/tcp":{},"53/udp":{}},"WorkingDir":"/srv","User":"jo"}' "the config"
assert_eq "$(jq -r '.[0].RootFS.diff_ids[0]' inspected)" "sha256:$(sha256sum <root.tar | cut -d' ' -f1)" "the diff_id"
assert_eq "$(layerctl history --format json my/root:1 | jq -r '.[0].comment')" "by hand" "the comment"
gzip -c root.tar | layerctl import - my/root:2 >id2
assert_eq "$(layerctl volume ls --quiet | wc -l)" 1 "the same layer"
layerctl save --format oci-dir -o out my/root:1
cmp root.tar "out/blobs/sha256/$(sha256sum <root.tar | cut -d' ' -f1)"
refused -m 'net' layerctl import http://example.com/x.tar
refused layerctl import not-there.tar x
refused -m 'EXPOSE' layerctl import -c 'EXPOSE 99999' root.tar x
refused layerctl import /bin/true x
head -c 3000 root.tar >cut.tar
refused layerctl import cut.tar x
assert_eq "$(layerctl volume ls --quiet | wc -l)" 1 "volumes after failures"
assert_eq "$(status .active_volumes)" 0 "active volumes"
