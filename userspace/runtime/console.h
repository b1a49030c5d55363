/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own terminal while a container's is shown on it. */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H

#include <stdbool.h>
#include <termios.h>

struct console {
	struct termios before;
	bool raw;			/* it is to be put back */
};

/* Every key goes through as it is. Nothing when standard input is no terminal. */
void console_raw(struct console *console);
void console_restore(struct console *console);

/* Tells conmon (the directory with its "ctl") the size of our terminal, if standard input or output is one. */
void console_send_size(const char *bundle);

#endif
