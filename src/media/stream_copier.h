/* Delivers the audio, subtitle and data packets of a source that a container can hold, unchanged, in
 * order of time.
 *
 * Opens the source a second time with all video discarded (indexed containers then skip its bytes). The order
 * is by decoding time over all streams as far as packets lie within one second of each other in the file,
 * otherwise the file's; at most that second is held. The same source gives the same packets in the same
 * order, however they are asked for.
 */
#ifndef VSM_MEDIA_STREAM_COPIER_H
#define VSM_MEDIA_STREAM_COPIER_H

#include "base/clock.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct AVStream;
struct vsm_packet;
struct vsm_stream_copier;

struct vsm_stream_copier_options {
    const char *path;
    const char *format;            /* muxer name of the output, e.g. "mp4" */
    struct vsm_rational time_base; /* of the times below and of `limit` */
    int64_t first_pts;             /* becomes 0; packets that start before are dropped. 0 = times are kept */
    int64_t end_pts;               /* packets that start here or later are dropped; INT64_MAX = none */
};

/* VSM_E_INPUT if the source cannot be opened. A source without such streams is fine. */
int vsm_stream_copier_open(const struct vsm_stream_copier_options *options,
                           struct vsm_stream_copier **copier) VSM_NODISCARD;
void vsm_stream_copier_close(struct vsm_stream_copier *copier);

/* How many streams are copied. */
int vsm_stream_copier_count(const struct vsm_stream_copier *copier);
/* Stream `index` of those copied; valid until close. */
const struct AVStream *vsm_stream_copier_stream(const struct vsm_stream_copier *copier, int index);

/* The next packet that is decoded before `limit` (INT64_MAX: any), owned by the caller, with time stamps in
 * its stream's time base, shifted; *index says which stream. VSM_EOF when there is none before the limit. */
int vsm_stream_copier_next(struct vsm_stream_copier *copier, int64_t limit, struct vsm_packet **packet,
                           int *index) VSM_NODISCARD;

/* The streams that are left behind, and why: "audio stream 2 (wmav2) ...". "" = none. Valid until close. */
const char *vsm_stream_copier_remarks(const struct vsm_stream_copier *copier);

#endif
