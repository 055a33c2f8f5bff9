/* All packets of a video stream in decoding order, so that a place in the file can be recognised: taken from
 * the container's index, or written down while demuxing (media/demux.h). 32 bytes a packet.
 */
#ifndef VSM_MEDIA_PACKET_TABLE_H
#define VSM_MEDIA_PACKET_TABLE_H

#include "base/status.h"

#include <libavformat/avformat.h>

#include <stdbool.h>
#include <stdint.h>

struct vsm_packet_table_row {
    int64_t pts, dts; /* in the stream's time base */
    int64_t pos;      /* byte in the file */
    int32_t size;     /* bytes */
    bool key;
    bool shown; /* a picture comes of it */
};

/* Zero-initialised is empty. */
struct vsm_packet_table {
    struct vsm_packet_table_row *rows;
    int64_t count, capacity;
    int64_t shown; /* rows of which a picture comes */
    bool complete; /* reaches the end of the stream */
    bool indexed;  /* comes from the container's index: without pts */
};

/* Takes over the index of the stream, which must be that of an unfragmented MP4 file, if decoding times in it
 * never go back; else the table stays empty. VSM_E_NOMEM. */
int vsm_packet_table_take_index(struct vsm_packet_table *table, AVStream *stream) VSM_NODISCARD;

/* Appends a row. VSM_E_NOMEM. */
int vsm_packet_table_add(struct vsm_packet_table *table,
                         const struct vsm_packet_table_row *row) VSM_NODISCARD;
void vsm_packet_table_finish(struct vsm_packet_table *table);

/* The row of packet `number`, NULL beyond the last; valid until the next one is added. */
const struct vsm_packet_table_row *vsm_packet_table_at(const struct vsm_packet_table *table, int64_t number);

/* Whether a packet, as the demuxer gives it, is that of the row. */
bool vsm_packet_table_is(const struct vsm_packet_table *table, const struct vsm_packet_table_row *row,
                         const AVPacket *packet);

/* As vsm_demux_key_before(). */
bool vsm_packet_table_key_before(const struct vsm_packet_table *table, int64_t before, int64_t shown,
                                 int64_t *number, int64_t *shown_before);

#endif
