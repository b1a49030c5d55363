// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl: pools, volumes, images and containers of layerblk. */
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include "command.h"
#include "report.h"

/* Names are UTF-8 whatever the terminal's language is. */
static void set_locale(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

int main(int argc, char **argv)
{
	set_locale();
	report_set_program("layerctl");
	return command_dispatch(argc, argv);
}
