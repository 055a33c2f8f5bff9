/* The packets of a file's best video stream, each with its number in decoding order, and exact repositioning
 * by that number.
 *
 * Numbers and time stamps do not depend on where reading began. To reposition, a table of all packets is
 * needed: for MP4 and QuickTime the demuxer has it from the file's index; for other containers the file is
 * demuxed once, up to the wanted place, without decoding. A demuxer's own seek is only trusted when the
 * packet that it leads to is recognised in the table; otherwise the file is reopened and packets are skipped
 * up to the place.
 *
 * Opens regular files only, with demuxers of single-file containers only: play lists and other formats that
 * lead to further files or hosts are refused. One thread at a time; `*interrupt` may be set by any thread.
 */
#ifndef VSM_MEDIA_DEMUX_H
#define VSM_MEDIA_DEMUX_H

#include "media/ff.h"
#include "media/vr_boxes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vsm_demux;

/* One packet of the video stream. Times in the stream's time base. */
struct vsm_demux_entry {
    int64_t number;   /* in decoding order, from 0 */
    int64_t pts;      /* AV_NOPTS_VALUE where the container has none; where decoding times jump back (joined
                         transport streams), shifted so that they go on */
    int64_t dts;      /* likewise */
    int64_t duration; /* 0 = unknown */
    bool key;
    bool shown; /* a picture comes of it: not cut off by an edit list, not a hidden reference picture */
};

/* VSM_E_INPUT with what is wrong; VSM_E_CANCELLED when *interrupt was set. `interrupt` and `path`
 * must outlive it. */
int vsm_demux_open(const char *path, const atomic_bool *interrupt, struct vsm_demux **demux) VSM_NODISCARD;
void vsm_demux_close(struct vsm_demux *demux);

/* Valid until close or the next vsm_demux_position(). */
AVFormatContext *vsm_demux_format(const struct vsm_demux *demux);
AVStream *vsm_demux_stream(const struct vsm_demux *demux);

/* What the file's boxes, or else the demuxer, say of the stream. */
const struct vsm_vr_boxes_found *vsm_demux_boxes(const struct vsm_demux *demux);

/* The file is a single picture. */
bool vsm_demux_is_still(const struct vsm_demux *demux);

/* Pictures that the container's own index lists; -1 if it has none that is complete. */
int64_t vsm_demux_indexed(const struct vsm_demux *demux);

/* Reads the next packet (of which the caller owns the struct; its old content is dropped). VSM_EOF at the
 * end; a file that is cut off also ends so. */
int vsm_demux_read(struct vsm_demux *demux, AVPacket *packet, struct vsm_demux_entry *entry) VSM_NODISCARD;

/* Makes sure that the table reaches beyond the `shown`-th packet from which a picture comes. */
int vsm_demux_learn(struct vsm_demux *demux, int64_t shown) VSM_NODISCARD;

/* After learning: all such packets of the stream; -1 if the table does not reach to the end. */
int64_t vsm_demux_learned(const struct vsm_demux *demux);

/* The last key packet with number < `before` that has at most `shown` packets before it of which pictures
 * come. *shown_before = how many. False: none (the first packet counts as key). */
bool vsm_demux_key_before(const struct vsm_demux *demux, int64_t before, int64_t shown, int64_t *number,
                          int64_t *shown_before);

/* Makes packet `number` of the table the next one. `rewind`: by skipping from the beginning of the file. */
int vsm_demux_position(struct vsm_demux *demux, int64_t number, bool rewind) VSM_NODISCARD;

/* Since the last positioning a packet differed from the table, so that numbers cannot be trusted. */
bool vsm_demux_unsure(const struct vsm_demux *demux);

#endif
