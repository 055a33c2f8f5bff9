/* A coded packet: FFmpeg's AVPacket, owned by whoever holds the pointer.
 *
 * Time stamps are in the time base of the stream that made it (encoder: the options' time base; copier: the
 * source stream's). Only files of this folder look inside.
 */
#ifndef VSM_MEDIA_PACKET_H
#define VSM_MEDIA_PACKET_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct AVPacket;

struct vsm_packet {
    struct AVPacket *av;     /* owned; reference-counted payload */
    struct vsm_packet *next; /* for the queue that holds it */
};

/* An empty packet; NULL on failure (message set). */
struct vsm_packet *vsm_packet_create(void) VSM_NODISCARD;

/* Frees the packet and nulls the pointer. NULL and a pointer to NULL are allowed. */
void vsm_packet_destroy(struct vsm_packet **packet);

/* VP9 pictures with alpha come as two: the alpha picture lies beside the payload, as Matroska's
 * BlockAdditional. Its size with the 8 bytes before it; 0 = none. */
uint32_t vsm_packet_alpha_size(const struct vsm_packet *packet);
/* Frees all that lies beside the payload but the alpha picture. */
int vsm_packet_keep_alpha(struct vsm_packet *packet) VSM_NODISCARD;
/* Lays an alpha picture beside the payload; data NULL: zeros of that size, at least 8. */
int vsm_packet_set_alpha(struct AVPacket *packet, const uint8_t *data, size_t size) VSM_NODISCARD;

/* First in, first out; zero-initialised is empty. The queue owns what is in it. */
struct vsm_packet_queue {
    struct vsm_packet *first, *last;
};

void vsm_packet_queue_put(struct vsm_packet_queue *queue, struct vsm_packet *packet);
/* NULL when empty. */
struct vsm_packet *vsm_packet_queue_get(struct vsm_packet_queue *queue);
void vsm_packet_queue_clear(struct vsm_packet_queue *queue);

#endif
