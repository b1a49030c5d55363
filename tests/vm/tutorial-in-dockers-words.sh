#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: Docker's storage tutorials with another program's name: containers, volumes, binds, builds, MariaDB and nginx of Debian
# where: vm-own
# requires: cmd:mmdebstrap cmd:umoci cmd:jq cmd:crun cmd:conmon cmd:busybox cmd:iptables
# timeout: 2400
# shellcheck disable=SC2016,SC2317 # expanded in the containers; called by wait_until
. "$TEST_REPO/tests/lib/test.sh"

[ -x /usr/lib/cni/bridge ] || skip "needs containernetworking-plugins"

# ------------------------------------------------------------------ on the host: what needs the network

if [ -z "$PHASE" ]; then
	image=$("$TEST_REPO/scripts/make-image.sh")
	mariadb=$("$TEST_REPO/scripts/fetch-packages.sh" "$image" mariadb-server)
	nginx=$("$TEST_REPO/scripts/fetch-packages.sh" "$image" nginx-light)
	VM_TIMEOUT=2200 vm_phase tutorial --mem 4G --disk scratch=24G,fs=ext4 --disk pool=12G \
		--env "DEBIAN=$image" --env "DB_PACKAGES=$mariadb" --env "WEB_PACKAGES=$nginx"
	exit
fi

# ------------------------------------------------------------------ in the VM

. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/terminal.sh"

docker() {
	within 900 layerctl "$@"
}
said() {
	grep -q -- "$2" "$1" || fail "$1 has no '$2': $(cat "$1")"
}
# query CONTAINER SQL: what MariaDB answers in it.
query() {
	docker exec "$1" mariadb --skip-column-names -e "$2"
}
answers() {
	layerctl exec "$1" mariadb-admin --silent ping >/dev/null 2>&1
}
page() {
	busybox wget -q -O - "http://127.0.0.1:$1/$2"
}
serves() {
	page "$1" "$2" >/dev/null 2>&1
}

modprobe layerblk
pool_on "$VM_DISK_pool"
mkdir -p /scratch/tutorial
cd /scratch/tutorial
export TMPDIR=/scratch/tutorial
docker image import -q --tag debian:bookworm "${DEBIAN:?}"

step "what a container writes stays with it, until it is removed"
terminal '# <<mkdir -p /data; echo "print(6 * 7)" >/data/code.py; echo wro""te\n|wrote<<\x10\x11' \
	layerctl run -it --name code --network none debian:bookworm bash
assert_eq "$STATUS" 0 "detaching by Ctrl-P Ctrl-Q"
docker ps >out
said out code
docker diff code >out
said out '^A /data/code.py$'
docker stop -t 1 code >/dev/null
docker ps -a --filter name=code --format '{{.Names}} {{.Status}}' >out
said out '^code Exited (137)'
docker start code >/dev/null
terminal '<<\n|# <<cat /data/code.py; exit\n' layerctl attach code
said "$T/text" 'print(6 \* 7)'
docker ps -a -s --format '{{.Names}}: {{.Size}}' >out
said out '^code: .*iB (virtual .*MiB)$'
docker rm code >/dev/null
refused -m 'no such container' layerctl start code
docker run --rm --network none debian:bookworm ls /data >out 2>&1 || true
grep code.py out && fail "the file is in another container"

step "volumes: create, ls, inspect, rm"
docker volume create my-vol >out
assert_eq "$(cat out)" my-vol
docker volume ls >out
said out my-vol
assert_eq "$(docker volume inspect -f '{{.name}} {{.kind}}' my-vol)" "my-vol data"
docker volume rm my-vol >/dev/null
refused layerctl volume inspect my-vol

step "--mount and -v make a volume that is missing"
docker run -d --name devtest --network none --mount source=myvol2,target=/app debian:bookworm sleep 1000 >/dev/null
assert_eq "$(docker inspect --format '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}' devtest)" "volume myvol2 /app true"
refused -m 'devtest' layerctl volume rm myvol2
docker exec devtest sh -c 'echo kept >/app/file'
docker run --rm --network none -v myvol2:/app:ro debian:bookworm sh -c 'cat /app/file; touch /app/x' >out 2>&1 || true
said out '^kept$'
said out 'Read-only file system'
docker rm -f devtest >/dev/null
docker volume rm myvol2 >/dev/null

step "two containers share one volume"
docker run -d --name writer --network none -v shared:/shared debian:bookworm \
	sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/shared/count; sleep 0.2; done' >/dev/null
docker run -d --name reader --network none -v shared:/shared debian:bookworm sleep 1000 >/dev/null
counted() {
	[ "$(layerctl exec reader cat /shared/count)" -gt 3 ] 2>/dev/null
}
wait_until 60 counted
docker exec reader sh -c 'echo from reader >/shared/note'
assert_eq "$(docker exec writer cat /shared/note)" "from reader"
docker rm -f writer reader >/dev/null

step "bind mounts and tmpfs"
mkdir -p target
echo on the host >target/host
docker run -d --name devtest --network none --mount "type=bind,source=$PWD/target,target=/app,readonly" \
	--mount type=tmpfs,destination=/scratch,tmpfs-size=1m,tmpfs-mode=1770 --tmpfs /cache debian:bookworm sleep 1000 >/dev/null
assert_eq "$(docker exec devtest cat /app/host)" "on the host"
refused layerctl exec devtest touch /app/new
assert_eq "$(docker exec devtest stat -f -c %T /scratch)" tmpfs
assert_eq "$(docker exec devtest stat -c %a /scratch)" 1770
docker exec devtest dd if=/dev/zero of=/scratch/big bs=64k count=32 2>/dev/null && fail "more than the tmpfs holds"
docker inspect -f '{{json .Mounts}}' devtest | jq -e 'map(.Type) | sort == ["bind", "tmpfs", "tmpfs"]' >/dev/null
docker rm -f devtest >/dev/null
docker run --rm --network none -v "$PWD/target:/out" debian:bookworm sh -c 'echo back >/out/back'
assert_eq "$(cat target/back)" back

step "back up a volume, restore it into another, by --volumes-from"
docker create -v /dbdata --name dbstore --network none debian:bookworm true >/dev/null
docker run --rm --network none --volumes-from dbstore debian:bookworm sh -c 'echo precious >/dbdata/file'
mkdir -p backup
docker run --rm --network none --volumes-from dbstore -v "$PWD/backup:/backup" debian:bookworm tar cf /backup/backup.tar /dbdata 2>/dev/null
docker create -v /dbdata --name dbstore2 --network none debian:bookworm true >/dev/null
docker run --rm --network none --volumes-from dbstore2 -v "$PWD/backup:/backup" debian:bookworm \
	bash -c 'cd /dbdata && tar xf /backup/backup.tar --strip 1'
assert_eq "$(docker run --rm --network none --volumes-from dbstore2 debian:bookworm cat /dbdata/file)" precious
docker rm -v dbstore dbstore2 >/dev/null
assert_eq "$(docker volume ls -q --filter kind=data | grep -vcx shared)" 0 "anonymous volumes left"

step "one image's layers under another: acme"
mkdir acme
cat >acme/hello.sh <<'END'
#!/usr/bin/env bash
echo "Hello world"
END
cat >acme/Dockerfile.base <<'END'
FROM debian:bookworm
RUN echo "deb none" >/etc/apt/acme.list
END
cat >acme/Dockerfile <<'END'
FROM acme/my-base-image:1.0
COPY . /app
RUN chmod +x /app/hello.sh
CMD ["/app/hello.sh"]
END
docker build -t acme/my-base-image:1.0 -f acme/Dockerfile.base acme >out
docker build -t acme/my-final-image:1.0 -f acme/Dockerfile acme >out
docker images >out
said out 'acme/my-final-image'
docker history acme/my-final-image:1.0 >out
cat out
said out 'CMD \["/app/hello.sh"\]'
said out 'RUN chmod +x /app/hello.sh'
said out 'COPY'
assert_eq "$(docker run --rm --network none acme/my-final-image:1.0)" "Hello world"
layers() {
	docker image inspect -f '{{range .Layers}}{{.volume}}{{println}}{{end}}' "$1" | sed '/^$/d'
}
layers acme/my-base-image:1.0 >base
layers acme/my-final-image:1.0 >final
diff <(head -n "$(wc -l <base)" final) base || fail "the base's layers are not the final one's first"
id=$(docker images -q --no-trunc acme/my-final-image:1.0)
docker build -t acme/my-final-image:1.0 -f acme/Dockerfile acme 2>out
assert_eq "$(grep -c CACHED out)" 2 "steps of the second build from the cache"
assert_eq "$(docker images -q --no-trunc acme/my-final-image:1.0)" "$id" "the image of the second build"

step "a second application has the first one's three layers"
mkdir one two
printf 'FROM debian:bookworm\nRUN echo 1 >/one\nRUN echo 2 >/two\nRUN echo 3 >/three\nCOPY app /app\nCMD ["cat", "/app"]\n' | tee one/Dockerfile >two/Dockerfile
echo first >one/app
echo second >two/app
docker build -t one one >out
docker build -t two two 2>out
assert_eq "$(grep -c CACHED out)" 3 "layers of the first application"
assert_eq "$(docker run --rm --network none one) $(docker run --rm --network none two)" "first second"
layers one >a
layers two >b
assert_eq "$(comm -12 <(sort a) <(sort b) | wc -l)" $(($(wc -l <a) - 1)) "layers shared"
for i in 1 2 3 4 5; do
	docker run -d --name my_container_$i --network none acme/my-final-image:1.0 sleep 1000 >/dev/null
done
docker ps --size --format 'table {{.ID}}\t{{.Image}}\t{{.Names}}\t{{.Size}}' >out
cat out
assert_eq "$(grep -c my_container_ out)" 5
docker tree --format dot >out
assert_eq "$(grep -c 'style=bold' out)" 5 "containers that run, in the graph"
docker tree >out
said out 'acme/my-final-image:1.0'
docker rm -f my_container_1 my_container_2 my_container_3 my_container_4 my_container_5 >/dev/null

step "MariaDB's table outlives its container"
mkdir db
cp -r "${DB_PACKAGES:?}" db/packages
cat >db/Dockerfile <<'END'
FROM debian:bookworm
RUN --mount=type=bind,source=packages,target=/packages \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /packages/*.deb >/install.log && \
    install -d -o mysql -g mysql /run/mysqld
VOLUME /var/lib/mysql
EXPOSE 3306
STOPSIGNAL SIGTERM
CMD ["mariadbd", "--user=mysql"]
END
docker build -t mariadb db
docker run -d --name db --network none -v dbdata:/var/lib/mysql mariadb >/dev/null
defer 'layerctl logs db 2>/dev/null || true'
wait_until 300 answers db
query db 'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, item TEXT); INSERT INTO shop.orders VALUES (1, "a book"), (2, "a pen")'
docker rm -f db >/dev/null
docker volume snapshot dbdata dbdata-before
docker run -d --name db --network none -v dbdata:/var/lib/mysql mariadb >/dev/null
wait_until 300 answers db
assert_eq "$(query db 'SELECT item FROM shop.orders ORDER BY id' | paste -sd,)" "a book,a pen"
query db 'DELETE FROM shop.orders WHERE id = 1'
docker stop -t 60 db >/dev/null
assert_eq "$(docker inspect -f '{{.State.ExitCode}}' db)" 0 "MariaDB's own end"
docker rm db >/dev/null
docker volume clone dbdata-before dbdata-clone >/dev/null
docker run -d --name db --network none -v dbdata-clone:/var/lib/mysql mariadb >/dev/null
wait_until 300 answers db
assert_eq "$(query db 'SELECT COUNT(*) FROM shop.orders')" 2 "rows in the clone of the snapshot"
docker rm -f -v db >/dev/null
docker volume ls -q >out
said out '^dbdata$'

step "nginx on a published port, with the site on a volume"
mkdir web
cp -r "${WEB_PACKAGES:?}" web/packages
echo '<h1>from the image</h1>' >web/index.html
cat >web/Dockerfile <<'END'
FROM debian:bookworm
RUN --mount=type=bind,source=packages,target=/packages \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /packages/*.deb >/install.log
COPY index.html /var/www/html/
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
END
docker build -t nginx web
docker run -d --name web -p 8080:80 --mount source=site,target=/var/www/html nginx >/dev/null
wait_until 60 serves 8080 index.html
assert_eq "$(page 8080 index.html)" '<h1>from the image</h1>' "filled from the image"
docker run --rm --network none -v site:/site debian:bookworm sh -c 'echo changed >/site/index.html'
assert_eq "$(page 8080 index.html)" changed
docker ps >out
said out '0.0.0.0:8080->80/tcp'
assert_eq "$(docker port web)" '80/tcp -> 0.0.0.0:8080'
assert_eq "$(docker inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web)" 8080
docker stop web >/dev/null
serves 8080 index.html && fail "the port is still served"
docker rm web >/dev/null
docker run --rm --network none nginx sh -c 'ls /sys/class/net' >out
assert_eq "$(cat out)" lo "--network none"

step "everything goes"
docker system prune -f -a --volumes >/dev/null
docker images -q >out
[ ! -s out ] || fail "images are left: $(cat out)"
docker volume ls -q --filter kind=data | sort | paste -sd, >out
assert_eq "$(cat out)" dbdata,dbdata-clone,shared,site "named volumes stay"
docker volume rm dbdata-before dbdata dbdata-clone shared site >/dev/null
assert_eq "$(docker volume ls -q | wc -l)" 0 volumes
grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
exit 0
