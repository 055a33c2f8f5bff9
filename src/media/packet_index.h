/* What a muxer was told of every video packet, and when it was flushed, on disk: enough to bring a new muxer
 * into the same state.
 *
 * The file lies beside the growing output and goes when that is complete. Layout, little-endian,
 * VSM_PACKET_INDEX_ENTRY bytes a packet or flush and nothing else:
 *
 *   0  i64 pts    8  i64 dts    16  i64 duration    24  u32 payload bytes    28  u32 flags (AV_PKT_FLAG_*)
 *  32  u32 bytes of the alpha picture beside the payload (VP9), else 0
 *
 * A flush (mark) has payload bytes 0xFFFFFFFF and zeros else. It has no header: count and CRC-32 of
 * what counts are in the writer's state (video_writer.c), and bytes behind that are cut. 100,000
 * packets take 3.6 MB.
 */
#ifndef VSM_MEDIA_PACKET_INDEX_H
#define VSM_MEDIA_PACKET_INDEX_H

#include "base/status.h"
#include "media/output_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_PACKET_INDEX_ENTRY 36

#define VSM_PACKET_INDEX_FLUSH 0xFFFFFFFFu

struct vsm_packet_entry {
    int64_t pts, dts, duration; /* in the encoder's time base */
    uint32_t size;              /* VSM_PACKET_INDEX_FLUSH: no packet, the muxer was flushed here */
    uint32_t flags;
    uint32_t alpha;
};

struct vsm_packet_index {
    struct vsm_output_file file;
    uint8_t buffer[128 * VSM_PACKET_INDEX_ENTRY];
    size_t used;
    uint64_t count;
    uint32_t crc; /* of all entries */
};

/* Creates an empty index. */
int vsm_packet_index_create(const char *path, struct vsm_packet_index *index) VSM_NODISCARD;
/* Opens an index of which the first `count` entries count, after calling `visit` for each.
 * VSM_E_INPUT if they are not there or do not have this CRC (found before the first visit); else the
 * first failure of visit. */
int vsm_packet_index_resume(const char *path, uint64_t count, uint32_t crc,
                            int (*visit)(void *opaque, const struct vsm_packet_entry *entry), void *opaque,
                            struct vsm_packet_index *index) VSM_NODISCARD;
int vsm_packet_index_add(struct vsm_packet_index *index, const struct vsm_packet_entry *entry) VSM_NODISCARD;
/* Makes all entries durable. */
int vsm_packet_index_sync(struct vsm_packet_index *index) VSM_NODISCARD;
void vsm_packet_index_close(struct vsm_packet_index *index);

#endif
