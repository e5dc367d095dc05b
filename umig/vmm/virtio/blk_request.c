// SPDX-License-Identifier: GPL-2.0
/*
 * One request to a virtio-blk device: see blk_request.h.
 *
 *	readable: header (16 bytes), data of a write
 *	writable: data of a read, status (1 byte)
 *
 * How the driver cuts that into segments means nothing.
 */
#include "vmm/virtio/blk_request.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio/blk_image.h"

#define ALIGNMENT 4096
#define HEADER_BYTES sizeof(struct virtio_blk_outhdr)

static void end(struct blk_request *r, uint8_t status)
{
	r->action = BLK_NOTHING;
	r->status = status;
}

static void prepare_transfer(struct blk_request *r, uint64_t sector,
			     uint64_t bytes, uint64_t image_bytes)
{
	if (!bytes || bytes % SECTOR_BYTES || bytes > BLK_REQUEST_BYTES_MAX ||
	    sector > image_bytes / SECTOR_BYTES ||
	    bytes > image_bytes - sector * SECTOR_BYTES) {
		end(r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->offset = sector * SECTOR_BYTES;
	r->bytes = bytes;
	r->data = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) &
				~(uint64_t)(ALIGNMENT - 1));
	if (!r->data) {
		r->bytes = 0;
		end(r, VIRTIO_BLK_S_IOERR);
	}
}

static void prepare_write(struct blk_request *r, uint64_t sector,
			  uint64_t image_bytes, bool readonly)
{
	if (readonly) {
		end(r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->action = BLK_WRITE;
	prepare_transfer(r, sector, r->chain.read_bytes - HEADER_BYTES,
			 image_bytes);
	if (r->data)
		vq_copy_from(&r->chain, HEADER_BYTES, r->data, r->bytes);
}

static void prepare_id(struct blk_request *r)
{
	uint64_t room = r->chain.write_bytes - 1;

	end(r, VIRTIO_BLK_S_OK);
	r->bytes = room < VIRTIO_BLK_ID_BYTES ? room : VIRTIO_BLK_ID_BYTES;
	r->data = calloc(1, VIRTIO_BLK_ID_BYTES);
	if (r->data)
		memcpy(r->data, BLK_ID, sizeof(BLK_ID));
	else
		end(r, VIRTIO_BLK_S_IOERR);
}

int blk_request_parse(struct blk_request *r, uint64_t image_bytes,
		      bool readonly)
{
	struct virtio_blk_outhdr header;

	r->data = NULL;
	r->bytes = 0;
	r->done = 0;
	r->status = VIRTIO_BLK_S_OK;
	if (!r->chain.write_bytes ||
	    !vq_copy_from(&r->chain, 0, &header, HEADER_BYTES))
		return -EBADMSG;
	switch (le32toh(header.type)) {
	case VIRTIO_BLK_T_IN:
		r->action = BLK_READ;
		prepare_transfer(r, le64toh(header.sector),
				 r->chain.write_bytes - 1, image_bytes);
		break;
	case VIRTIO_BLK_T_OUT:
		prepare_write(r, le64toh(header.sector), image_bytes,
			      readonly);
		break;
	case VIRTIO_BLK_T_FLUSH:
		r->action = BLK_FLUSH;
		break;
	case VIRTIO_BLK_T_GET_ID:
		prepare_id(r);
		break;
	default:
		end(r, VIRTIO_BLK_S_UNSUPP);
	}
	return 0;
}

uint32_t blk_request_complete(struct blk_request *r,
			      const struct guest_mem *mem)
{
	uint64_t status_at = r->chain.write_bytes - 1;
	uint32_t written = 1;

	if (r->data && r->action != BLK_WRITE &&
	    r->status == VIRTIO_BLK_S_OK) {
		vq_copy_to(&r->chain, mem, 0, r->data, r->bytes);
		written += r->bytes;
	}
	free(r->data);
	r->data = NULL;
	vq_copy_to(&r->chain, mem, status_at, &r->status, sizeof(r->status));
	return written;
}
