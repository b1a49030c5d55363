#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: an image made of a volume goes out with the right layers, under a final id that stays, and comes back as the same
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:umoci cmd:skopeo cmd:setcap
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
cd "$T"
export TMPDIR=$T XDG_RUNTIME_DIR=$T
tree_list() {
	/usr/bin/python3 "$TEST_REPO/tests/lib/treelist.py" "$@"
}
mkdir m

for fs in ext4 xfs; do
	step "$fs: a volume over an image, changed in every way"
	size=512M
	mkimage oci tiny
	layerctl image import -q --fs $fs --size $size tiny >base
	layerctl snapshot "$(image_volume tiny:latest)" work >/dev/null
	mount "$(disk work)" m
	(
		cd m
		rm all/old all/fifo bin/cat
		rm -r opaque && mkdir opaque && echo new >opaque/new
		echo more >>all/text
		chmod 700 all/noise
		chown 7:3000000 all/empty
		ln all/noise hard-to-noise
		ln -sf elsewhere all/link
		mkdir -p deep/er && mknod deep/er/node c 1 7 && mkfifo deep/pipe
		truncate -s 5M sparse && echo end >>sparse
		cp bin/busybox bin/tool && setcap cap_net_raw+ep bin/tool
		/usr/bin/python3 -c 'import os; os.setxattr("all/attr", "user.origin", b"fifth\0layer")'
		touch -d '2001-02-03 04:05:06.789012345' all/ünïcödé
		mv all/dangling moved
		echo x >"$(printf 'n%.0s' {1..250})"
		/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	)
	step "$fs: committed while it is mounted"
	layerctl image commit -c 'ENV A=b' -c 'CMD ["/bin/tool"]' -m 'what was done' work made:1 >id
	echo "after the commit" >m/too-late
	rm m/too-late
	layerctl image inspect made:1 >inspected
	assert_eq "$(jq -r '.[0].Config.Env[-1], .[0].Config.Cmd[0]' inspected | tr '\n' ' ')" "A=b /bin/tool " "the config"
	assert_eq "$(layerctl history --format json made:1 | jq -r '.[0].comment')" "what was done" "history"
	assert_eq "$(jq '.[0].Layers | length' inspected)" 5 layers
	tree_list m >want
	umount m
	layerctl deactivate work
	d=$(disk "$(image_volume made:1)")
	mount -o ro,noload "$d" m 2>/dev/null || mount -o ro,norecovery,nouuid "$d" m
	tree_list --no-times m >frozen
	umount m
	layerctl deactivate "$(image_volume made:1)"

	step "$fs: saved twice, the same"
	layerctl save -o one.tar made:1 2>said
	cat said
	final=$(layerctl image inspect made:1 | jq -r '.[0].Id')
	[ "$final" != "$(cat id)" ] || fail "the id is still the provisional one"
	assert_eq "$(layerctl image inspect "$(cat id)" | jq -r '.[0].Id')" "$final" "the image by its former id"
	layerctl save --quiet made:1 | cmp - one.tar
	assert_eq "$(layerctl images -q --no-trunc made)" "$final" "images"

	step "$fs: umoci unpacks what was there"
	skopeo --insecure-policy copy -q docker-archive:one.tar:made:1 oci:oci:made
	rm -rf u
	umoci unpack --image oci:made u >/dev/null 2>&1
	tree_list --no-times u/rootfs >got
	diff frozen got
	assert_eq "$(stat -c %y "u/rootfs/all/ünïcödé" | cut -d' ' -f2)" 04:05:06.789012345 "a time"
	tar -xOf one.tar manifest.json | jq -r '.[0].Layers[-1]' >blob
	tar -xOf one.tar "$(cat blob)" | tar -tf - >names
	for n in all/.wh.old all/.wh.fifo bin/.wh.cat all/.wh.dangling hard-to-noise all/noise moved opaque/new; do
		grep -qx "$n" names || fail "$n is not in the layer"
	done
	! grep -qE '^(bin/busybox|etc/passwd|sock)$' names || fail "what did not change is in the layer"

	step "$fs: loaded here it is the image that is there; elsewhere it is made anew"
	layerctl load -q --fs $fs -i one.tar >loaded
	assert_eq "$(cat loaded)" "$final" "the id after load"
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen)] | length')" 5 "layers"
	layerctl volume rm work
	layerctl rmi made:1 >/dev/null
	refused -m 'no such image' layerctl image inspect "$(cat id)"
	layerctl load -q --fs $fs --size $size -i one.tar
	layerctl save -q made:1 | cmp - one.tar || fail "another archive after a real import"
	d=$(disk "$(image_volume made:1)")
	mount -o ro,noload "$d" m 2>/dev/null || mount -o ro,norecovery,nouuid "$d" m
	tree_list --no-times m >got
	umount m
	layerctl deactivate "$(image_volume made:1)"
	diff frozen got
	layerctl rmi made:1 tiny:latest >/dev/null
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after rmi"
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	rm -rf tiny oci
done

step "an image from nothing, and one on top of it before the first save"
layerctl volume create --size 64M scratch >/dev/null
mkfs.ext4 -q "$(disk scratch)"
mount "$(disk scratch)" m && echo one >m/one && umount m
layerctl image commit scratch base:1 >id
layerctl snapshot "$(image_volume base:1)" second >/dev/null
mount "$(disk second)" m && echo two >m/two && rm m/one && umount m
layerctl image commit second top:1 >id2
layerctl save -q -o top.tar top:1
layerctl save -q -o base.tar base:1
assert_eq "$(tar -xOf base.tar manifest.json | jq -r '.[0].Layers[0]')" "$(tar -xOf top.tar manifest.json | jq -r '.[0].Layers[0]')" \
	"the layer that both have"
tar -xOf top.tar "$(tar -xOf top.tar manifest.json | jq -r '.[0].Layers[1]')" | tar -tf - | sort >names
printf '%s\n' ./ .wh.one two | sort | cmp - names
refused -m 'it is frozen' layerctl image commit "$(image_volume top:1)"
refused -m 'CMD' layerctl image commit -c 'CMD' second
refused -m 'WORKSPACE' layerctl image commit -c 'WORKSPACE /x' second
refused layerctl image commit nothing
