#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every command with what is not there, without module, pool or permission, on a full and on a read-only pool: says so, changes nothing
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:skopeo
# timeout: 1800
# shellcheck disable=SC2016 # expanded later
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

cd "$T"
export TMPDIR=$T
echo no archive >garbage
echo 'FROM tiny' >Dockerfile
: >nothing

# says_no REGEX WORDS...: fails like a program that says no, with a message that begins as ours do, matches REGEX, and fits a screen.
says_no() {
	local want=$1 rc=0

	shift
	timeout -k 5 120 layerctl "$@" <nothing >out 2>err || rc=$?
	[ $rc -ne 0 ] || fail "was not refused: layerctl $*: $(cat out)"
	if [ $rc -gt 63 ] && [ $rc -ne 125 ]; then fail "ended with $rc: layerctl $*: $(cat err)"; fi
	grep -q '^layerctl: ' err || fail "no message: layerctl $*: $(cat err)"
	grep -qE -- "$want" err || fail "nothing like '$want' from: layerctl $*: $(cat err)"
	# A build's progress goes there, too.
	[ "$1" = build ] || assert_le "$(wc -l <err)" 12 "lines of the message of: layerctl $*"
}

# Each command that needs a pool, with names of what is not there. The word in front is what its message must name.
cat >commands <<'END'
missing pool close missing
missing pool status missing
missing pool grow missing
missing pool set --label x missing
missing pool destroy missing
missing volume ls missing
missing volume inspect missing
missing volume rm missing
missing volume clone missing copy
missing volume resize missing 1G
missing volume set --quota 1G missing
missing volume rollback missing other
missing snapshot missing name
missing volume snapshot missing name
missing freeze missing
missing activate missing
missing deactivate missing
missing mount missing /mnt
missing umount missing
missing tree missing
missing volume diff other missing
missing volume backup missing -o new
missing volume restore -i missing
missing volume backups missing
missing volume backup-prune --keep-last 1 missing
missing scrub missing
missing image import missing
missing image load -i missing
missing image save -o new missing
missing image export missing new
missing image send -o new missing
missing image receive -i missing
missing image tag missing name
missing image commit missing name
127.0.0.1:1/missing image pull 127.0.0.1:1/missing
missing image push missing
missing image inspect missing
missing image history missing
missing image rm missing
missing import missing
127.0.0.1:1/missing pull 127.0.0.1:1/missing
missing push missing
missing build missing
missing load -i missing
missing save -o new missing
missing send -o new missing
missing receive -i missing
missing tag missing name
missing rmi missing
missing history missing
missing run missing true
missing create missing
missing start missing
missing stop missing
missing restart missing
missing kill missing
missing pause missing
missing unpause missing
missing wait missing
missing rm missing
missing rename missing name
missing exec missing true
missing attach missing
missing logs missing
missing port missing
missing top missing
missing stats --no-stream missing
missing cp missing:/x new
missing diff missing
missing commit missing
missing export missing -o new
missing inspect missing
missing container inspect missing
missing events missing
END
# Those that name nothing, and those that need no pool.
nameless='pool create|pool open|pool ls|volume create|volume prune|image ls|images|image prune|ps|container prune|df|system df|system prune'
own='login|logout|info|version|completion|help'

step "every command is looked at here"
layerctl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' >known
while read -r command; do
	grep -qE "^[^ ]+ $command( |$)" commands || grep -qxE "$nameless|$own" <<<"$command" || fail "no line for: $command"
done <known
assert_ge "$(wc -l <known)" 80 commands

# each REGEX [N]: all of the list (every Nth) must be refused with it; "@" in it stands for what the line names.
each() {
	local name words

	while read -r name words; do
		# shellcheck disable=SC2086 # words
		says_no "${1//@/$name}" $words
	done < <(awk -v n="${2:-1}" 'NR % n == 0' commands)
}

step "words that are no options, and too few or too many arguments"
while read -r command; do
	# shellcheck disable=SC2086
	says_no 'no-such-option|is no command' $command --no-such-option
done <known
for command in 'volume clone' 'snapshot' 'volume resize x' 'rename x' 'exec x' 'cp x' 'tag x' 'build' 'history' 'run'; do
	# shellcheck disable=SC2086
	says_no 'argument|Usage' $command
done
for command in 'ps x' 'df x' 'images a b' 'volume create a b' 'build a b' 'commit a b c' 'import a b c' 'image prune x' 'info x'; do
	# shellcheck disable=SC2086
	says_no 'argument|Usage' $command
done
for command in 'ps --format' 'ps --filter nonsense' 'images --filter x=y' 'run --memory much tiny' 'run -p x tiny' 'run --network moon tiny' \
	'run --cap-add FLY tiny' 'run -v relative/path:x tiny' 'run --mount type=moon,target=/x tiny' 'run --ulimit x tiny' 'stop -t soon x' \
	'volume create --size x y' 'tree --format moon' 'inspect --format {{ x' 'inspect --type moon x' 'volume ls --filter kind=moon' \
	'volume backup x --compress moon' 'build --build-arg =x .' 'events --type moon' 'run --restart always tiny'; do
	# shellcheck disable=SC2086
	says_no . $command
done

step "no module"
modprobe -r layerblk
# Opening the device would load it.
mv /dev/layerblk-control /dev/no-layerblk-control
defer '[ ! -e /dev/no-layerblk-control ] || mv /dev/no-layerblk-control /dev/layerblk-control'
each 'modprobe layerblk|cannot [a-z ]*.*@'
says_no 'modprobe layerblk' ps
says_no 'modprobe layerblk' pool open "$T/garbage"
says_no 'modprobe layerblk' volume create x
mv /dev/no-layerblk-control /dev/layerblk-control
modprobe layerblk

step "no pool"
each 'no pool is open|no open pool|@' 4
for command in ps images df 'volume create x' 'system prune -f' 'volume prune -f'; do
	# shellcheck disable=SC2086
	says_no 'no pool is open|no open pool' $command
done
says_no 'garbage' pool open "$T/garbage"
says_no '/no/such' pool open /no/such
says_no '/no/such' pool create /no/such/file --size 1G
says_no 'size' pool create "$T/new"
[ ! -e new ] || fail "a file was left by what was refused"

step "no permission"
chmod 755 "$T" .
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$(command -v layerctl)" "$@"
}
for command in ps images 'volume ls' 'rm x' 'volume create x' 'pool ls' 'rmi tiny' 'system prune -f'; do
	# shellcheck disable=SC2086
	refused -m 'ermission denied|not permitted' as_nobody $command
	assert_le "$(wc -l <refused.err)" 3 "lines of the message"
done

step "names that are not there"
containers_on "$VM_DISK_pool"
layerctl run --name there -v data:/data tiny sh -c 'echo kept >/data/file; echo kept >/file'
list() {
	layerctl volume ls --format json | jq -S 'map(del(.created, .children, .own, .own_metadata))'
	layerctl images --format json
	layerctl ps -a --format json | jq 'map(del(.status))'
	find "$T" -name new
	ls -A /run/layerblk/containers
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts || true
}
list >before
unchanged() {
	list >after
	diff before after || fail "$1 changed something"
}
each '@'
unchanged "what was refused"

step "damaged archives and streams"
says_no garbage image load -i "$T/garbage"
says_no garbage image import "$T/garbage"
says_no garbage import "$T/garbage"
says_no garbage volume restore -i "$T/garbage"
says_no garbage receive -i "$T/garbage"
layerctl image save -q tiny -o tiny.tar 2>/dev/null || layerctl image save tiny -o tiny.tar >/dev/null
layerctl volume backup data -o data.lbk >/dev/null
layerctl volume backup-prune data --keep-last 1 >/dev/null
list >before
head -c $(($(stat -c %s tiny.tar) / 2)) tiny.tar >half.tar
head -c $(($(stat -c %s data.lbk) / 2)) data.lbk >half.lbk
cp data.lbk turned.lbk
printf '\377' | dd of=turned.lbk bs=1 seek=$(($(stat -c %s data.lbk) / 2)) conv=notrunc 2>/dev/null
says_no half image load -i half.tar
says_no half volume restore --name restored -i half.lbk
says_no turned volume restore --name restored -i turned.lbk
unchanged "a damaged archive"

step "Dockerfiles with each kind of mistake: named with the line"
mistake() {
	local line=$1

	printf '%b' "$2" >Dockerfile
	says_no "Dockerfile:$line|line $line" build -t wrong .
}
mistake 1 'RUN true\n'
mistake 2 'FROM tiny\nFLY away\n'
mistake 2 'FROM tiny\nCOPY\n'
mistake 2 'FROM tiny\nCOPY one\n'
mistake 2 'FROM tiny\nCOPY not-there /x\n'
mistake 2 'FROM tiny\nCOPY ../../etc/passwd /x\n'
mistake 2 'FROM tiny\nCOPY --from=nowhere /x /y\n'
mistake 2 'FROM tiny\nCOPY --moon=1 garbage /y\n'
mistake 2 'FROM tiny\nCOPY --chown=nobody-of-this-name garbage /y\n'
mistake 2 'FROM tiny\nENV\n'
mistake 2 'FROM tiny\nENV =x\n'
mistake 2 'FROM tiny\nEXPOSE moon\n'
mistake 2 'FROM tiny\nSHELL bash -c\n'
mistake 2 'FROM tiny\nSTOPSIGNAL SIGMOON\n'
mistake 2 'FROM tiny\nHEALTHCHECK SOMETIMES\n'
mistake 2 'FROM tiny\nLABEL alone\n'
mistake 2 'FROM tiny\nRUN <<END\ntrue\n'
mistake 2 'FROM tiny\nRUN ["unclosed"\n'
mistake 3 'FROM tiny\n\nRUN false\n'
mistake 4 'FROM tiny\nRUN true\nUSER nobody-of-this-name\nRUN true\n'
mistake 2 'FROM tiny\nFROM tiny AS\n'
mistake 1 'FROM missing-image\n'
mistake 2 'FROM tiny\nCOPY ${X:?is to be given} /y\n'
printf '' >Dockerfile
says_no 'Dockerfile' build -t wrong .
layerctl image prune -f >/dev/null
unchanged "a Dockerfile that is wrong"

step "a read-only pool"
printf 'FROM tiny\nRUN echo x >/new\n' >Dockerfile
layerctl pool close "$POOL"
layerctl pool open --read-only "$POOL" >/dev/null
list >before
while read -r words; do
	# shellcheck disable=SC2086
	says_no 'read-only|Read-only' $words
done <<'END'
volume create x
volume clone data copy
volume resize data 20G
volume set --quota 1G data
snapshot data snap
image tag tiny other
image rm --force tiny
image load -i tiny.tar
volume restore --name restored -i data.lbk
volume backup data -o new
run tiny true
create tiny
rename there here
rm there
commit there image
build -t image .
END
assert_eq "$(layerctl ps -a --format '{{.Names}}')" there "what a read-only pool shows"
layerctl export there -o there.tar
[ "$(tar -xOf there.tar file 2>/dev/null)" = kept ] || fail "a container on a read-only pool cannot be exported"
list >after
diff before after || fail "a read-only pool changed"
layerctl pool close "$POOL"
layerctl pool open "$POOL" >/dev/null

step "a full pool"
mkdir small
truncate -s 96M small/pool
layerctl pool close "$POOL"
defer 'layerctl pool open "$POOL" >/dev/null'
layerctl pool create --force small/pool >/dev/null
defer 'layerctl pool destroy --force small/pool >/dev/null'
layerctl pool set --no-space error >/dev/null
layerctl image import -q "$T/tiny" >/dev/null
expect_klog 'layerblk.*(no space|out of space)|EXT4-fs (error|warning)|I/O error.*layerblk|Buffer I/O error|JBD2|Aborting journal|Remounting'
# What a program writes goes to the page cache; it is the end of the instruction that must not pass over what did not get to the disk.
printf 'FROM tiny\nRUN dd if=/dev/zero of=/new bs=1M count=150\n' >Dockerfile
list >before
says_no 'Dockerfile:2|line 2' build -t image .
rc=0
layerctl run --rm --storage-size 4M tiny sh -c 'dd if=/dev/zero of=/big bs=1M count=8 conv=fsync' >out 2>err || rc=$?
[ $rc -ne 0 ] || fail "a container wrote more than its quota"
rc=0
layerctl run --rm tiny sh -c 'dd if=/dev/zero of=/big bs=1M count=150 conv=fsync' >out 2>err || rc=$?
[ $rc -ne 0 ] || fail "a container wrote more than the pool has"
layerctl image prune -f >/dev/null
list >after
diff before after || fail "what did not fit left something"
layerctl run --rm tiny echo works >out
assert_eq "$(cat out)" works "after the pool was full"
