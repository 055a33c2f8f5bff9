#include "media/packet.h"

#include "base/mem.h"

#include <libavcodec/packet.h>

#include <string.h>

struct vsm_packet *vsm_packet_create(void)
{
    struct vsm_packet *packet = vsm_mem_alloc("packet", 1, sizeof(*packet));

    if (!packet)
        return NULL;
    packet->av = av_packet_alloc();
    if (!packet->av) {
        vsm_fail_nomem("packet", sizeof(AVPacket));
        vsm_packet_destroy(&packet);
    }
    return packet;
}

void vsm_packet_destroy(struct vsm_packet **packet)
{
    if (!packet || !*packet)
        return;
    av_packet_free(&(*packet)->av);
    vsm_mem_free(*packet);
    *packet = NULL;
}

uint32_t vsm_packet_alpha_size(const struct vsm_packet *packet)
{
    size_t size = 0;

    return av_packet_get_side_data(packet->av, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, &size) ? (uint32_t)size
                                                                                            : 0;
}

int vsm_packet_set_alpha(AVPacket *packet, const uint8_t *data, size_t size)
{
    uint8_t *to = av_packet_new_side_data(packet, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, size);

    if (!to)
        return vsm_fail_nomem("alpha picture", size);
    if (data) {
        memcpy(to, data, size);
    } else {
        memset(to, 0, size);
        to[7] = 1; /* BlockAddID, big-endian */
    }
    return VSM_OK;
}

int vsm_packet_keep_alpha(struct vsm_packet *packet)
{
    size_t size = 0;
    uint8_t *alpha = av_packet_get_side_data(packet->av, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, &size);
    void *copy = alpha ? vsm_mem_copy("alpha picture", alpha, size) : NULL;
    int status = alpha && !copy ? VSM_E_NOMEM : VSM_OK;

    av_packet_free_side_data(packet->av);
    if (copy)
        status = vsm_packet_set_alpha(packet->av, copy, size);
    vsm_mem_free(copy);
    return status;
}

void vsm_packet_queue_put(struct vsm_packet_queue *queue, struct vsm_packet *packet)
{
    packet->next = NULL;
    if (queue->last)
        queue->last->next = packet;
    else
        queue->first = packet;
    queue->last = packet;
}

struct vsm_packet *vsm_packet_queue_get(struct vsm_packet_queue *queue)
{
    struct vsm_packet *packet = queue->first;

    if (!packet)
        return NULL;
    queue->first = packet->next;
    if (!queue->first)
        queue->last = NULL;
    packet->next = NULL;
    return packet;
}

void vsm_packet_queue_clear(struct vsm_packet_queue *queue)
{
    struct vsm_packet *packet;

    while ((packet = vsm_packet_queue_get(queue)))
        vsm_packet_destroy(&packet);
}
