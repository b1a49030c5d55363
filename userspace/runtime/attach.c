// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See attach.h. Each packet from conmon begins with a byte that says which stream it is of; what is sent is input as it is. conmon writes to
 * us and waits for us: we must never wait for it with its output unread, so input is sent as far as there is room.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "attach.h"
#include "cleanup.h"
#include "conmon.h"
#include "console.h"

#define PACKET_MAX	(32U << 10)
#define INPUT_MAX	4096
#define STREAM_ERROR	3

struct pump {
	struct attach *attach;
	unsigned char pending[INPUT_MAX + KEYS_MAX];	/* input that is not sent yet */
	size_t pending_size;
	bool input;			/* more may come */
	bool close_input;		/* to be passed on when all is sent */
	int signals;
};

void attach_signals(sigset_t *signals)
{
	static const int all[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH };

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sigaddset(signals, all[i]);
	sigprocmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int attach_open(struct attach *attach, struct layerblk_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int directory = open(attach->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc;

	/* The path itself may be too long for an address. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory, CONMON_ATTACH);
	attach->socket = directory >= 0 ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) : -1;
	if (attach->socket >= 0 && connect(attach->socket, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	rc = layerblk_error_set(err, errno, "attach to", attach->bundle, "%s", strerror(errno));
	attach_close(attach);
	return rc;
}

void attach_close(struct attach *attach)
{
	if (attach->socket >= 0)
		close(attach->socket);
	attach->socket = -1;
}

static bool write_all(int fd, const unsigned char *data, size_t size)
{
	while (size) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			poll(&room, 1, 1000);
			continue;
		}
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		data += put;
		size -= (size_t)put;
	}
	return true;
}

/* 1: more may come, 0: conmon has closed it, -1: nobody reads us. */
static int take_output(const struct pump *pump)
{
	static unsigned char packet[PACKET_MAX];
	ssize_t got = recv(pump->attach->socket, packet, sizeof(packet), 0);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (got == 0)
		return 0;
	return write_all(packet[0] == STREAM_ERROR ? STDERR_FILENO : STDOUT_FILENO, packet + 1, (size_t)got - 1) ? 1 : -1;
}

/* True: the detach keys came. */
static bool take_input(struct pump *pump)
{
	struct attach *attach = pump->attach;
	unsigned char typed[INPUT_MAX];
	ssize_t got = read(STDIN_FILENO, typed, sizeof(typed));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (got <= 0) {
		pump->input = false;
		pump->close_input = !attach->tty;
		return false;
	}
	if (attach->tty)
		return keys_filter(&attach->keys, typed, (size_t)got, pump->pending, &pump->pending_size);
	memcpy(pump->pending, typed, (size_t)got);
	pump->pending_size = (size_t)got;
	return false;
}

static void send_input(struct pump *pump)
{
	if (pump->pending_size) {
		ssize_t put = send(pump->attach->socket, pump->pending, pump->pending_size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0 && errno != EAGAIN && errno != EINTR) {
			pump->input = false;	/* it takes no more */
			pump->pending_size = 0;
		} else if (put > 0) {
			pump->pending_size = 0;	/* packets go as a whole */
		}
	}
	if (!pump->pending_size && pump->close_input) {
		shutdown(pump->attach->socket, SHUT_WR);
		pump->close_input = false;
	}
}

/* The number of a signal that ends us, or 0. */
static int take_signal(const struct pump *pump)
{
	struct attach *attach = pump->attach;
	struct signalfd_siginfo info;

	if (read(pump->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGWINCH) {
		if (attach->tty)
			console_send_size(attach->bundle);
		return 0;
	}
	if (!attach->signal)
		return (int)info.ssi_signo;
	attach->signal(attach->arg, (int)info.ssi_signo);
	return 0;
}

static enum attach_end pump_run(struct pump *pump, int *number)
{
	struct attach *attach = pump->attach;
	struct pollfd polled[3];
	int got;

	for (;;) {
		polled[0] = (struct pollfd){ .fd = attach->socket, .events = POLLIN };
		polled[1] = (struct pollfd){ .fd = pump->input && !pump->pending_size ? STDIN_FILENO : -1, .events = POLLIN };
		polled[2] = (struct pollfd){ .fd = pump->signals, .events = POLLIN };
		if (pump->pending_size)
			polled[0].events |= POLLOUT;
		if (poll(polled, 3, -1) < 0 && errno != EINTR)
			return ATTACH_OVER;
		if (polled[2].revents) {
			*number = take_signal(pump);
			if (*number)
				return ATTACH_SIGNALED;
		}
		if (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			got = take_output(pump);
			if (got <= 0)
				return got == 0 ? ATTACH_OVER : ATTACH_DETACHED;
		}
		if (polled[1].revents && take_input(pump))
			return ATTACH_DETACHED;
		send_input(pump);
	}
}

enum attach_end attach_run(struct attach *attach, int *number)
{
	struct console console = { .raw = false };
	struct pump pump = { .attach = attach, .input = attach->input };
	cleanup_fd int signals = -1;
	enum attach_end end;
	sigset_t set;

	attach_signals(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	pump.signals = signals;
	if (attach->tty) {
		if (attach->input)
			console_raw(&console);
		console_send_size(attach->bundle);
	}
	end = pump_run(&pump, number);
	console_restore(&console);
	attach_close(attach);
	return end;
}
