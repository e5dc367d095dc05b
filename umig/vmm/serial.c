// SPDX-License-Identifier: GPL-2.0
/*
 * A 16550A UART as far as drivers look at one: registers, FIFO, interrupts and
 * loopback.  There is no line speed: the transmitter is always empty, and what
 * it takes is buffered by serial_io.c.  Input waits at the host until the
 * 16-byte FIFO has room, so that nothing is overrun.
 *
 * The interrupt line is a pure function of the registers, update_irq(), as in
 * the chip; that the PC's interrupt controller takes its edges is not the
 * UART's business.
 */
#include "vmm/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/serial_io.h"

#define SERIAL_STATE_VERSION 1
#define FIFO_BYTES 16

#define IER_MASK 0x0f
#define IIR_FIFOS 0xc0			/* they work: a 16550A */
#define IIR_FIFO_ENABLED 0xc0	/* a 16550A, with FIFO */
#define MCR_MASK 0x1f
/* At the other end somebody is ready: carrier, data set, clear to send. */
#define MSR_CONNECTED (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)

/**
 * struct serial - The UART.
 * @lock: protects all that follows; taken by vCPUs and the line's thread.
 * @ier, @fcr, @lcr, @mcr, @scr, @dll, @dlm: registers as written.
 * @thr_irq: "transmitter empty" has not been seen since it arose.
 * @rx, @rx_len: the receiver's FIFO, oldest first.
 */
struct serial {
	struct device dev;
	struct serial_io io;

	pthread_mutex_t lock;
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t dll;
	uint8_t dlm;
	bool thr_irq;
	uint8_t rx[FIFO_BYTES];
	uint8_t rx_len;
};

static struct serial *to_serial(struct device *d)
{
	return (struct serial *)d;
}

static size_t fifo_size(const struct serial *s)
{
	return s->fcr & UART_FCR_ENABLE_FIFO ? FIFO_BYTES : 1;
}

static size_t fifo_trigger(const struct serial *s)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };

	return s->fcr & UART_FCR_ENABLE_FIFO ? level[s->fcr >> 6] : 1;
}

/* The interrupt with the highest priority. */
static uint8_t cause(const struct serial *s)
{
	if (s->ier & UART_IER_RDI && s->rx_len >= fifo_trigger(s))
		return UART_IIR_RDI;
	if (s->ier & UART_IER_RDI && s->rx_len)
		return UART_IIR_RX_TIMEOUT;
	if (s->ier & UART_IER_THRI && s->thr_irq)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_irq(struct serial *s)
{
	s->dev.host->irq(s->dev.host, s->dev.gsi,
			 cause(s) != UART_IIR_NO_INT);
}

static uint8_t read_rx(struct serial *s)
{
	uint8_t byte;

	if (!s->rx_len)
		return 0;
	byte = s->rx[0];
	memmove(s->rx, s->rx + 1, --s->rx_len);
	serial_io_room(&s->io);
	return byte;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t iir = cause(s);

	if (iir == UART_IIR_THRI)
		s->thr_irq = false;
	if (s->fcr & UART_FCR_ENABLE_FIFO)
		iir |= IIR_FIFO_ENABLED;
	return iir;
}

/* In loopback the modem's outputs are wired to its inputs. */
static uint8_t read_msr(const struct serial *s)
{
	uint8_t msr = 0;

	if (!(s->mcr & UART_MCR_LOOP))
		return MSR_CONNECTED;
	if (s->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (s->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (s->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (s->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

static uint8_t read_reg(struct serial *s, uint64_t reg)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? s->dll : read_rx(s);
	case UART_IER:
		return dlab ? s->dlm : s->ier;
	case UART_IIR:
		return read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return UART_LSR_THRE | UART_LSR_TEMT |
			(s->rx_len ? UART_LSR_DR : 0);
	case UART_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_tx(struct serial *s, uint8_t byte)
{
	if (!(s->mcr & UART_MCR_LOOP))
		serial_io_send(&s->io, byte);
	else if (s->rx_len < fifo_size(s))
		s->rx[s->rx_len++] = byte;
	s->thr_irq = true;
}

static void write_ier(struct serial *s, uint8_t ier)
{
	ier &= IER_MASK;
	if (!(s->ier & UART_IER_THRI) && ier & UART_IER_THRI)
		s->thr_irq = true;
	s->ier = ier;
}

static void write_fcr(struct serial *s, uint8_t fcr)
{
	bool toggled = (s->fcr ^ fcr) & UART_FCR_ENABLE_FIFO;

	if (toggled || fcr & UART_FCR_CLEAR_RCVR) {
		s->rx_len = 0;
		serial_io_room(&s->io);
	}
	s->fcr = fcr & UART_FCR_ENABLE_FIFO ?
		fcr & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK) : 0;
}

static void write_reg(struct serial *s, uint64_t reg, uint8_t v)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	if (reg == UART_TX && dlab)
		s->dll = v;
	else if (reg == UART_TX)
		write_tx(s, v);
	else if (reg == UART_IER && dlab)
		s->dlm = v;
	else if (reg == UART_IER)
		write_ier(s, v);
	else if (reg == UART_FCR)
		write_fcr(s, v);
	else if (reg == UART_LCR)
		s->lcr = v;
	else if (reg == UART_MCR)
		s->mcr = v & MCR_MASK;
	else if (reg == UART_SCR)
		s->scr = v;
}

/* Wider accesses are so many accesses to the registers in turn, as on ISA. */
static void serial_read(struct device *d, uint64_t offset, uint8_t *data,
			unsigned int len)
{
	struct serial *s = to_serial(d);
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < len; i++)
		data[i] = read_reg(s, offset + i);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_write(struct device *d, uint64_t offset,
			 const uint8_t *data, unsigned int len)
{
	struct serial *s = to_serial(d);
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < len; i++)
		write_reg(s, offset + i, data[i]);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static size_t serial_room(void *arg)
{
	struct serial *s = arg;
	size_t room = 0;

	pthread_mutex_lock(&s->lock);
	if (!(s->mcr & UART_MCR_LOOP) && s->rx_len < fifo_size(s))
		room = fifo_size(s) - s->rx_len;
	pthread_mutex_unlock(&s->lock);
	return room;
}

/* A driver that has reset the FIFO meanwhile has left less room: bytes go. */
static void serial_receive(void *arg, const uint8_t *data, size_t bytes)
{
	struct serial *s = arg;
	size_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < bytes && s->rx_len < fifo_size(s); i++)
		s->rx[s->rx_len++] = data[i];
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static void serial_quit(void *arg)
{
	struct serial *s = arg;

	s->dev.host->end(s->dev.host, false, "ended at its console (Ctrl-A x)");
}

static const struct serial_io_ops serial_line = {
	.room = serial_room,
	.receive = serial_receive,
	.quit = serial_quit,
};

static void serial_resume(struct device *d)
{
	struct serial *s = to_serial(d);

	pthread_mutex_lock(&s->lock);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (serial_io_start(&s->io))
		d->host->fail(d->host, "serial0: can't start a thread");
}

static int serial_quiesce(struct device *d, struct err *err)
{
	(void)err;
	serial_io_stop(&to_serial(d)->io);
	return 0;
}

static void serial_save(struct device *d, struct buf *out)
{
	struct serial *s = to_serial(d);

	buf_put_u8(out, s->ier);
	buf_put_u8(out, s->fcr);
	buf_put_u8(out, s->lcr);
	buf_put_u8(out, s->mcr);
	buf_put_u8(out, s->scr);
	buf_put_u8(out, s->dll);
	buf_put_u8(out, s->dlm);
	buf_put_u8(out, s->thr_irq);
	buf_put_u8(out, s->rx_len);
	buf_put(out, s->rx, s->rx_len);
}

static int serial_load(struct device *d, struct reader *in)
{
	struct serial *s = to_serial(d);
	struct serial new = { 0 };

	new.ier = reader_u8(in);
	new.fcr = reader_u8(in);
	new.lcr = reader_u8(in);
	new.mcr = reader_u8(in);
	new.scr = reader_u8(in);
	new.dll = reader_u8(in);
	new.dlm = reader_u8(in);
	new.thr_irq = reader_u8(in);
	new.rx_len = reader_u8(in);
	if (new.ier & ~IER_MASK || new.mcr & ~MCR_MASK ||
	    new.fcr & ~(UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK) ||
	    new.rx_len > fifo_size(&new))
		return -EBADMSG;
	reader_get(in, new.rx, new.rx_len);
	if (in->error)
		return in->error;
	s->ier = new.ier;
	s->fcr = new.fcr;
	s->lcr = new.lcr;
	s->mcr = new.mcr;
	s->scr = new.scr;
	s->dll = new.dll;
	s->dlm = new.dlm;
	s->thr_irq = new.thr_irq;
	s->rx_len = new.rx_len;
	memcpy(s->rx, new.rx, sizeof(s->rx));
	return 0;
}

static int serial_describe(struct device *d, struct machine *out)
{
	return machine_set(out, d->name, "16550A");
}

static void serial_destroy(struct device *d)
{
	struct serial *s = to_serial(d);

	serial_io_close(&s->io);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct device_ops serial_ops = {
	.read = serial_read,
	.write = serial_write,
	.resume = serial_resume,
	.quiesce = serial_quiesce,
	.save = serial_save,
	.load = serial_load,
	.describe = serial_describe,
	.destroy = serial_destroy,
	.version = SERIAL_STATE_VERSION,
};

int serial_create(struct device **out, struct device_host *host,
		  const char *spec, struct err *err)
{
	struct serial *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(err, -ENOMEM, "serial line: out of memory");
	s->dev = (struct device){
		.ops = &serial_ops,
		.host = host,
		.space = DEVICE_PIO,
		.base = SERIAL_PORT,
		.bytes = 8,
		.gsi = SERIAL_GSI,
		.name = "serial0",
	};
	s->dll = 1;			/* 115200 baud, as firmware leaves it */
	s->lcr = UART_LCR_WLEN8;
	pthread_mutex_init(&s->lock, NULL);
	ret = serial_io_open(&s->io, spec, &serial_line, s, err);
	if (ret) {
		pthread_mutex_destroy(&s->lock);
		free(s);
		return ret;
	}
	*out = &s->dev;
	return 0;
}
