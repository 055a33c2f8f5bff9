/* Puts packets into a container, in the order given, so that the file can be cut at a mark and gone on with.
 *
 * libavformat writes through our own file (output_file.h). Packets go in one by one; nothing is interleaved
 * or held back here. The muxers of libavformat keep state in memory that cannot be saved (MP4: the sample
 * table, Matroska: cues and the open cluster), so a new process brings a new muxer into that state by
 * replaying: it gives it all packets again with output suppressed. Copied packets come from the source once
 * more; of video packets only sizes and times are needed (packet_index.h), because
 *  - payloads pass through untouched: headers and packets are in container form (nal.h) and no bitstream
 *    filter is inserted (AVFMT_FLAG_AUTO_BSF off), so a payload of zeros takes the same way as the real one;
 *  - a flush leaves no video packet in the muxer's memory: MP4 writes each at once, Matroska
 *    ends its cluster.
 * Undisturbed runs flush at the same marks, so the files are the same bytes. That the replay ends at the very
 * byte of the mark is verified.
 *
 * MP4 and MOV: one non-fragmented moov at the end; memory for the sample table is about 64 bytes a packet
 * (FFmpeg 5.1, sizeof(MOVIentry) doubled by growth at worst). Matroska: 32 bytes a key picture for cues, one
 * cluster of at most 5 MB. Presentation times are exact in MP4/MOV (edit lists start where the stream starts,
 * the movie time scale is a common multiple of the tracks'); Matroska has milliseconds.
 */
#ifndef VSM_MEDIA_MUXER_H
#define VSM_MEDIA_MUXER_H

#include "base/clock.h"
#include "base/status.h"
#include "frame/view.h"

#include <stdbool.h>
#include <stdint.h>

struct AVCodecParameters;
struct AVStream;
struct vsm_ff_static_data;
struct vsm_muxer;
struct vsm_packet;
struct vsm_packet_entry;

struct vsm_muxer_video {
    const struct AVCodecParameters *parameters;
    struct vsm_rational time_base; /* of its packets */
    struct vsm_rational frame_rate;
    const struct vsm_ff_static_data *hdr; /* NULL = none */
    bool vr; /* Matroska: StereoMode and half-equirect Projection (MP4: vr_boxes_write.h, afterwards) */
    bool right_left;
    enum vsm_layout layout;
};

/* libavformat's muxer name for a file name: "mp4", "mov", "matroska", "webm". NULL if the
 * extension is another. */
const char *vsm_muxer_format_of(const char *path);

/* VSM_E_USAGE, naming containers that can, if `format` cannot hold the codec. `codec_id` is an AVCodecID. */
int vsm_muxer_check_codec(const char *format, int codec_id) VSM_NODISCARD;
/* Whether `format` can hold a copied stream. */
bool vsm_muxer_can_copy(const char *format, const struct AVStream *stream);

/* A place where the file can be cut, and by what it is known again: the CRC-32 of the bytes before it, which
 * no later write changes (at most VSM_MUXER_TAIL, none of the header). */
struct vsm_muxer_mark {
    int64_t size; /* of the file */
    uint32_t tail, crc;
};

#define VSM_MUXER_TAIL 65536

/* VSM_E_INPUT, with a reason, unless `path` is a file that was once at this mark. */
int vsm_muxer_mark_check(const char *path, const struct vsm_muxer_mark *mark) VSM_NODISCARD;

/* mark NULL: creates the file; else opens the one that was at this mark, in replay. */
int vsm_muxer_create(const char *path, const char *format, const struct vsm_muxer_mark *mark,
                     struct vsm_muxer **muxer) VSM_NODISCARD;
/* Closes without finishing; the file stays. NULL is allowed. */
void vsm_muxer_destroy(struct vsm_muxer *muxer);

/* Streams get the numbers 0, 1 ... in the order of these calls. */
int vsm_muxer_add_video(struct vsm_muxer *muxer, const struct vsm_muxer_video *video) VSM_NODISCARD;
int vsm_muxer_add_copy(struct vsm_muxer *muxer, const struct AVStream *source) VSM_NODISCARD;
/* Writes the header. */
int vsm_muxer_begin(struct vsm_muxer *muxer) VSM_NODISCARD;

/* One packet (borrowed), time stamps in the time base its stream was added with. VSM_E_OUTPUT when
 * the disk fails. */
int vsm_muxer_write(struct vsm_muxer *muxer, int stream, const struct vsm_packet *packet) VSM_NODISCARD;

/* In replay, instead of vsm_muxer_write(): a video packet as the index has it. */
int vsm_muxer_replay(struct vsm_muxer *muxer, int stream, const struct vsm_packet_entry *entry) VSM_NODISCARD;
/* Likewise, for a vsm_muxer_flush(). */
int vsm_muxer_replay_flush(struct vsm_muxer *muxer) VSM_NODISCARD;
/* Ends the replay: cuts the file at the mark. VSM_E_INPUT if the muxer is not where it was then. */
int vsm_muxer_end_replay(struct vsm_muxer *muxer) VSM_NODISCARD;

/* Makes everything written so far durable. */
int vsm_muxer_flush(struct vsm_muxer *muxer, struct vsm_muxer_mark *mark) VSM_NODISCARD;

/* Writes what a complete file needs, makes it durable and readable to others, and closes it. */
int vsm_muxer_finish(struct vsm_muxer *muxer) VSM_NODISCARD;

#endif
