#include "media/packet.h"

#include "base/mem.h"

#include <libavcodec/packet.h>

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
