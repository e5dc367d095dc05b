// SPDX-License-Identifier: GPL-2.0
/*
 * Packing: see pack.h.
 */
#include "migrate/pack.h"

#include <endian.h>
#include <errno.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "wire/frame.h"

_Static_assert(WIRE_PAYLOAD_MAX <= LZ4_MAX_INPUT_SIZE, "an LZ4 block");

int packer_init(struct packer *p)
{
	p->lz4 = malloc(LZ4_sizeofState());
	p->zstd = ZSTD_createCCtx();
	if (p->lz4 && p->zstd &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(
		    p->zstd, ZSTD_c_contentSizeFlag, 0)))
		return 0;
	packer_exit(p);
	return -ENOMEM;
}

void packer_exit(struct packer *p)
{
	free(p->lz4);
	ZSTD_freeCCtx(p->zstd);
	*p = (struct packer){ 0 };
}

static int pack_lz4(struct packer *p, const void *from, size_t bytes, void *to,
		    size_t room, size_t *out)
{
	int n = LZ4_compress_fast_extState(p->lz4, from, to, (int)bytes,
					   (int)room, 1);

	*out = n;
	return n > 0 ? 0 : -ENOSPC;
}

static int pack_zstd(struct packer *p, uint8_t level, const void *from,
		     size_t bytes, void *to, size_t room, size_t *out)
{
	size_t n = ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel,
					  level);

	if (!ZSTD_isError(n))
		n = ZSTD_compress2(p->zstd, to, room, from, bytes);
	*out = n;
	if (!ZSTD_isError(n))
		return 0;
	return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ?
		       -ENOMEM : -ENOSPC;
}

int pack(struct packer *p, struct pack_plan plan, const void *payload,
	 size_t bytes, void *room, size_t room_bytes, size_t *out)
{
	size_t limit = bytes - (bytes + PACK_GAIN_MIN - 1) / PACK_GAIN_MIN;
	uint8_t *to = room;
	int rc;

	if (limit > room_bytes)
		limit = room_bytes;
	if (bytes > WIRE_PAYLOAD_MAX || limit <= WIRE_PACKED_HEAD_BYTES)
		return -ENOSPC;
	to += WIRE_PACKED_HEAD_BYTES;
	limit -= WIRE_PACKED_HEAD_BYTES;
	if (plan.codec == WIRE_CODEC_LZ4)
		rc = pack_lz4(p, payload, bytes, to, limit, out);
	else
		rc = pack_zstd(p, plan.level, payload, bytes, to, limit, out);
	if (rc)
		return rc;
	packed_head_encode(room, plan.codec, bytes);
	*out += WIRE_PACKED_HEAD_BYTES;
	return 0;
}

int unpacker_init(struct unpacker *u)
{
	u->zstd = ZSTD_createDCtx();
	return u->zstd ? 0 : -ENOMEM;
}

void unpacker_exit(struct unpacker *u)
{
	ZSTD_freeDCtx(u->zstd);
	*u = (struct unpacker){ 0 };
}

static bool unpacks_lz4(const struct packed_msg *m, void *room)
{
	int n = LZ4_decompress_safe((const char *)m->bytes, room, (int)m->nr,
				    (int)m->raw_bytes);

	return n >= 0 && (uint32_t)n == m->raw_bytes;
}

/*
 * The library would also take several frames, frames to skip, and those of its
 * own formats before 1.0, whose readers hardly anybody has looked at lately:
 * it gets to see one frame of the standard and nothing else.
 */
static bool is_one_frame(const struct packed_msg *m)
{
	uint32_t magic;

	if (m->nr < sizeof(magic))
		return false;
	memcpy(&magic, m->bytes, sizeof(magic));
	return le32toh(magic) == ZSTD_MAGICNUMBER &&
	       ZSTD_findFrameCompressedSize(m->bytes, m->nr) == m->nr;
}

static bool unpacks_zstd(struct unpacker *u, const struct packed_msg *m,
			 void *room)
{
	return is_one_frame(m) &&
	       ZSTD_decompressDCtx(u->zstd, room, m->raw_bytes, m->bytes,
				   m->nr) == m->raw_bytes;
}

int unpack(struct unpacker *u, const void *data, size_t bytes, void *room,
	   size_t room_bytes, size_t *out)
{
	struct packed_msg m;

	if (packed_decode(&m, data, bytes))
		return -EBADMSG;
	if (m.raw_bytes > room_bytes)
		return -ENOSPC;
	if (m.codec == WIRE_CODEC_LZ4 ? !unpacks_lz4(&m, room) :
					!unpacks_zstd(u, &m, room))
		return -EBADMSG;
	*out = m.raw_bytes;
	return 0;
}
