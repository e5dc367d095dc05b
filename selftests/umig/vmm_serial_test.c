// SPDX-License-Identifier: GPL-2.0
/*
 * The serial port as drivers look at it: what makes one believe in a 16550A,
 * its interrupts, its FIFO; and the host's end with files, pipes and nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial_reg.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"
#include "lib/clock.h"
#include "vmm/serial.h"
#include "vmm/serial_io.h"

static struct fake_host host;
static struct device *uart;

/* stdin and stdout of this process while a port with "stdio" exists. */
static int to_guest = -1, from_guest = -1, kept_in, kept_out;

static void make(const char *spec)
{
	struct err err = { 0 };

	fake_host_init(&host);
	if (serial_create(&uart, &host.host, spec, &err))
		fail_msg("%s", err_text(&err));
	uart->ops->resume(uart);
}

static void unmake(void)
{
	uart->ops->destroy(uart);
	fake_host_exit(&host);
}

/* A port whose line ends in two pipes. */
static void make_stdio(void)
{
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	fflush(stdout);
	kept_in = dup(STDIN_FILENO);
	kept_out = dup(STDOUT_FILENO);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	to_guest = in[1];
	from_guest = out[0];
	make("stdio");
}

static void unmake_stdio(void)
{
	unmake();
	dup2(kept_in, STDIN_FILENO);
	dup2(kept_out, STDOUT_FILENO);
	close(kept_in);
	close(kept_out);
	if (to_guest >= 0)
		close(to_guest);
	close(from_guest);
}

static uint8_t in(unsigned int reg)
{
	return fake_read(&host, uart, reg, 1);
}

static void out(unsigned int reg, uint8_t v)
{
	fake_write(&host, uart, reg, v, 1);
}

static bool irq(void)
{
	return fake_level(&host, SERIAL_GSI);
}

/* The steps by which Linux's 8250 driver tells chips apart. */
static void looks_like_a_16550a(void **state)
{
	(void)state;
	make("none");
	out(UART_IER, 0);
	assert_int_equal(in(UART_IER) & 0x0f, 0);
	out(UART_IER, 0x0f);
	assert_int_equal(in(UART_IER), 0x0f);
	out(UART_IER, 0xf0);
	assert_int_equal(in(UART_IER), 0);

	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, UART_MCR_OUT2);
	assert_int_equal(in(UART_MSR) & 0xf0,
			 UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);

	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(in(UART_IIR) >> 6, 3);
	out(UART_FCR, 0);
	assert_int_equal(in(UART_IIR) >> 6, 0);

	out(UART_SCR, 0xa5);
	assert_int_equal(in(UART_SCR), 0xa5);
	assert_int_equal(in(UART_LSR), UART_LSR_TEMT | UART_LSR_THRE);
	unmake();
}

static void divisor_hides_behind_dlab(void **state)
{
	(void)state;
	make("none");
	out(UART_IER, UART_IER_RDI);
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(UART_DLL, 0x0c);
	out(UART_DLM, 0x01);
	assert_int_equal(in(UART_DLL), 0x0c);
	assert_int_equal(in(UART_DLM), 0x01);
	out(UART_LCR, UART_LCR_WLEN8);
	assert_int_equal(in(UART_IER), UART_IER_RDI);
	assert_int_equal(in(UART_RX), 0);
	unmake();
}

/* Enabled while the transmitter is empty: at once, and each time again. */
static void transmitter_interrupts(void **state)
{
	(void)state;
	make("none");
	assert_false(irq());
	out(UART_IER, UART_IER_THRI);
	assert_true(irq());
	assert_int_equal(in(UART_IIR) & UART_IIR_ID, UART_IIR_THRI);
	assert_false(irq());
	assert_int_equal(in(UART_IIR), UART_IIR_NO_INT);
	out(UART_IER, 0);
	out(UART_IER, UART_IER_THRI);
	assert_true(irq());
	in(UART_IIR);
	out(UART_TX, 'x');
	assert_true(irq());
	assert_int_equal(in(UART_IIR), UART_IIR_THRI);
	out(UART_IER, 0);
	assert_false(irq());
	assert_int_equal(host.rises[SERIAL_GSI], 3);
	unmake();
}

static void loopback_receives(void **state)
{
	unsigned int i;

	(void)state;
	make("none");
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_11);
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_IER, UART_IER_RDI);
	for (i = 0; i < 20; i++)
		out(UART_TX, 'a' + i);
	assert_true(irq());
	assert_int_equal(in(UART_IIR) & 0x0f, UART_IIR_RDI);
	for (i = 0; i < 16; i++) {
		assert_int_equal(in(UART_LSR) & UART_LSR_DR, UART_LSR_DR);
		assert_int_equal(in(UART_RX), 'a' + i);
		if (i == 2)
			assert_int_equal(in(UART_IIR) & 0x0f,
					 UART_IIR_RX_TIMEOUT);
	}
	assert_int_equal(in(UART_LSR) & UART_LSR_DR, 0);
	assert_false(irq());

	out(UART_TX, 'z');
	assert_true(irq());
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	assert_false(irq());
	unmake();
}

/* Four times what the FIFO holds, typed at once: nothing is lost. */
static void input_waits_for_room(void **state)
{
	char text[65];
	unsigned int i;

	(void)state;
	make_stdio();
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = '0' + i;
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_RDI);
	assert_int_equal(write(to_guest, text, 64), 64);
	for (i = 0; i < 64; i++) {
		assert_true(fake_wait_level(&host, SERIAL_GSI, true));
		assert_int_equal(in(UART_RX), text[i]);
	}
	unmake_stdio();
}

/* What isn't a terminal has no escape character. */
static void control_a_is_input(void **state)
{
	(void)state;
	make_stdio();
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_RDI);
	assert_int_equal(write(to_guest, "\001x", 2), 2);
	assert_true(fake_wait_level(&host, SERIAL_GSI, true));
	assert_int_equal(in(UART_RX), 1);
	assert_true(fake_wait_level(&host, SERIAL_GSI, true));
	assert_int_equal(in(UART_RX), 'x');
	assert_false(host.ended);
	unmake_stdio();
}

static void end_of_input_ends_only_that(void **state)
{
	struct pollfd p;
	char c;

	(void)state;
	make_stdio();
	close(to_guest);
	to_guest = -1;
	out(UART_TX, '!');
	p = (struct pollfd){ from_guest, POLLIN, 0 };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(read(from_guest, &c, 1), 1);
	assert_int_equal(c, '!');
	unmake_stdio();
}

static void output_reaches_a_file(void **state)
{
	char path[] = "/tmp/umig-serial-XXXXXX", spec[64], got[64] = "";
	const char *p;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before ", 7), 7);
	snprintf(spec, sizeof(spec), "file:%s", path);
	make(spec);
	for (p = "hello, "; *p; p++)
		out(UART_TX, *p);
	/* All that was sent has been written when the port is at rest. */
	assert_int_equal(uart->ops->quiesce(uart, NULL), 0);
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 14);
	uart->ops->resume(uart);
	for (p = "again"; *p; p++)
		out(UART_TX, *p);
	unmake();
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 19);
	assert_string_equal(got, "before hello, again");
	close(fd);
	unlink(path);
}

/* Nobody reads: the guest goes on, and a pause takes but a moment. */
static void full_pipe_stops_nobody(void **state)
{
	uint64_t start = clock_now_ns();
	unsigned int i;

	(void)state;
	make_stdio();
	for (i = 0; i < SERIAL_IO_BUFFER_BYTES * 2; i++)
		out(UART_TX, 'x');
	assert_int_equal(uart->ops->quiesce(uart, NULL), 0);
	assert_true(clock_now_ns() - start < 10000000000ULL);
	unmake_stdio();
}

static void reader_that_left_stops_nobody(void **state)
{
	(void)state;
	make_stdio();
	signal(SIGPIPE, SIG_IGN);
	close(from_guest);
	from_guest = open("/dev/null", O_RDONLY);
	out(UART_TX, 'x');
	assert_int_equal(uart->ops->quiesce(uart, NULL), 0);
	uart->ops->resume(uart);
	out(UART_TX, 'x');
	unmake_stdio();
}

/*
 * In a process that has a terminal: 0, or what went wrong.  The console says
 * by a byte when it is ready to be typed at.
 */
static int at_terminal(bool foreground)
{
	struct termios before, raw, after;

	if (tcgetattr(STDIN_FILENO, &before))
		return 10;
	make("stdio");
	tcgetattr(STDIN_FILENO, &raw);
	if (!(raw.c_lflag & ICANON) != foreground)
		return 11;
	out(UART_TX, '>');
	if (foreground && !fake_wait_ended(&host))
		return 12;
	if (host.ended != foreground || host.reset || host.failed)
		return 13;
	/* Ctrl-A twice was Ctrl-A once; what ended the guest isn't input. */
	if (foreground && (in(UART_RX) != 1 || in(UART_LSR) & UART_LSR_DR))
		return 14;
	uart->ops->quiesce(uart, NULL);
	tcgetattr(STDIN_FILENO, &after);
	if (before.c_lflag != after.c_lflag || before.c_iflag != after.c_iflag ||
	    before.c_oflag != after.c_oflag)
		return 15;
	unmake();
	return 0;
}

/* A child with a terminal of its own: its pid, and our end of the terminal. */
static pid_t fork_at_terminal(int *fd, bool foreground)
{
	pid_t pid = forkpty(fd, NULL, NULL, NULL), job;
	int status;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	alarm(20);
	if (foreground)
		_exit(at_terminal(true));
	/* A job of its own, while this process has the terminal. */
	job = fork();
	if (!job) {
		setpgid(0, 0);
		_exit(at_terminal(false));
	}
	waitpid(job, &status, WUNTRACED);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 20);
}

static void wait_for(int fd, char what)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char c = 0;

	while (c != what) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(read(fd, &c, 1), 1);
	}
}

static void wait_child(pid_t pid, int fd)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(fd);
}

static void terminal_can_end_the_guest(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	pid = fork_at_terminal(&fd, true);
	wait_for(fd, '>');
	assert_int_equal(write(fd, "\001\001\001x", 4), 4);
	wait_child(pid, fd);
}

/* It would be stopped if it touched the terminal. */
static void background_job_leaves_the_terminal_alone(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	pid = fork_at_terminal(&fd, false);
	assert_int_equal(write(fd, "\001x\n", 3), 3);
	wait_for(fd, '>');
	wait_child(pid, fd);
}

static void save(struct buf *b)
{
	assert_int_equal(uart->ops->quiesce(uart, NULL), 0);
	uart->ops->save(uart, b);
	assert_int_equal(b->error, 0);
}

/* With a byte received, an interrupt pending and every register in use. */
static void set_up(void)
{
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_DLL, 0x34);
	out(UART_DLM, 0x12);
	out(UART_LCR, UART_LCR_WLEN8 | UART_LCR_PARITY);
	out(UART_SCR, 0x77);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_10);
	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	out(UART_TX, 'q');
}

static void state_goes_on_elsewhere(void **state)
{
	struct buf b = { 0 }, again = { 0 };
	struct reader r;

	(void)state;
	make("none");
	set_up();
	save(&b);
	unmake();

	make("none");
	assert_int_equal(uart->ops->quiesce(uart, NULL), 0);
	reader_init(&r, b.data, b.len);
	assert_int_equal(uart->ops->load(uart, &r), 0);
	assert_int_equal(reader_end(&r), 0);
	assert_false(irq());
	uart->ops->resume(uart);
	assert_true(irq());
	save(&again);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
	assert_int_equal(in(UART_IIR) & 0x0f, UART_IIR_RX_TIMEOUT);
	assert_int_equal(in(UART_RX), 'q');
	assert_int_equal(in(UART_IIR) & 0x0f, UART_IIR_THRI);
	assert_false(irq());
	assert_int_equal(in(UART_SCR), 0x77);
	unmake();
	buf_free(&b);
	buf_free(&again);
}

static void garbled_state_is_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	make("none");
	set_up();
	save(&b);
	assert_true(fake_load_garbled(uart, &b) > b.len);
	unmake();
	buf_free(&b);
}

static void bad_specs_say_why(void **state)
{
	static const struct {
		const char *spec;
		const char *says;
		int ret;
	} bad[] = {
		{ "tty", "give stdio, none or file:PATH", -EINVAL },
		{ "file:", "give stdio, none or file:PATH", -EINVAL },
		{ "", "give stdio, none or file:PATH", -EINVAL },
		{ "file:/nowhere/at/all", "/nowhere/at/all", -ENOENT },
		{ "file:/", "can't write /", -EISDIR },
	};
	struct device *d;
	unsigned int i;

	(void)state;
	fake_host_init(&host);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err err = { 0 };

		assert_int_equal(serial_create(&d, &host.host, bad[i].spec,
					       &err), bad[i].ret);
		assert_non_null(strstr(err.text, bad[i].says));
	}
	fake_host_exit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_like_a_16550a),
		cmocka_unit_test(divisor_hides_behind_dlab),
		cmocka_unit_test(transmitter_interrupts),
		cmocka_unit_test(loopback_receives),
		cmocka_unit_test(input_waits_for_room),
		cmocka_unit_test(control_a_is_input),
		cmocka_unit_test(end_of_input_ends_only_that),
		cmocka_unit_test(output_reaches_a_file),
		cmocka_unit_test(full_pipe_stops_nobody),
		cmocka_unit_test(reader_that_left_stops_nobody),
		cmocka_unit_test(terminal_can_end_the_guest),
		cmocka_unit_test(background_job_leaves_the_terminal_alone),
		cmocka_unit_test(state_goes_on_elsewhere),
		cmocka_unit_test(garbled_state_is_refused),
		cmocka_unit_test(bad_specs_say_why),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
