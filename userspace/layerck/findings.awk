# SPDX-License-Identifier: GPL-2.0-or-later
#
# findings.def as the list in layerck(8): one subsection for each hundred of ids.

function plain(s)
{
	gsub(/-/, "\\-", s)
	return s
}

BEGIN {
	title[1] = "Superblock"
	title[2] = "Region table and bitmaps"
	title[3] = "Use of blocks"
	title[4] = "Tree nodes"
	title[5] = "Maps"
	title[6] = "Catalog and volumes"
	title[7] = "Counters"
	title[8] = "Journal"
	mend["YES"] = "repaired"
	mend["SOME"] = "repaired if it can be known from elsewhere"
	mend["NO"] = "not repaired"
}

/^FINDING\(/ {
	split($0, quoted, "\"")
	split(quoted[1], field, /[(,] */)
	id = field[2]
	hundred = int(id / 100)
	if (hundred != last)
		printf ".SS %s\n", title[hundred]
	last = hundred
	printf ".TP\n.B LB\\-%04d\n%s, %s: %s.\n", id, tolower(field[3]), mend[field[5]], plain(quoted[2])
}
