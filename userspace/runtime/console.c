// SPDX-License-Identifier: GPL-2.0-or-later
/* See console.h. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cleanup.h"
#include "conmon.h"
#include "console.h"

#define SIZE_MESSAGE	1		/* of conmon's: "1 ROWS COLUMNS" */

void console_raw(struct console *console)
{
	struct termios raw;

	console->raw = false;
	if (tcgetattr(STDIN_FILENO, &console->before) != 0)
		return;
	raw = console->before;
	cfmakeraw(&raw);
	console->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void console_restore(struct console *console)
{
	if (console->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &console->before);
	console->raw = false;
}

void console_send_size(const char *bundle)
{
	char path[PATH_MAX], line[64];
	struct winsize size;
	cleanup_fd int fd = -1;
	int length;

	if ((ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) || !size.ws_row ||
	    !size.ws_col)
		return;
	snprintf(path, sizeof(path), "%s/%s", bundle, CONMON_CONTROL);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	length = snprintf(line, sizeof(line), "%d %d %d\n", SIZE_MESSAGE, size.ws_row, size.ws_col);
	if (fd >= 0 && write(fd, line, (size_t)length) != length)
		return;			/* the size stays as it was */
}
