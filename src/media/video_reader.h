/* Reads the pictures of a video one at a time, in presentation order, without copying them, and seeks
 * exactly.
 *
 * FFmpeg demuxes and decodes; each decoded picture is wrapped into a vsm_image that gives it back when
 * released. At most one frame plus the decoder's own reference pictures are held. Picture number N is the
 * N-th picture that a straight decode from the beginning presents; seeking to N gives the same picture and
 * time stamp.
 *
 * Damage: a packet or picture that cannot be decoded is skipped to the next good one; the last good picture
 * is given again for each picture that is missing by time stamp or count, with frame->repeated set, so that
 * numbering and timing stay those of the source.
 *
 * One thread at a time, except vsm_video_reader_interrupt().
 */
#ifndef VSM_MEDIA_VIDEO_READER_H
#define VSM_MEDIA_VIDEO_READER_H

#include "base/status.h"
#include "frame/frame.h"
#include "media/video_info.h"

#include <stdint.h>

struct vsm_video_reader;

struct vsm_video_reader_options {
    int threads; /* decoder threads, >= 1 */
};

/* Opens a local file and finds its best video stream. VSM_E_INPUT with what is wrong otherwise. */
int vsm_video_reader_open(const char *path, const struct vsm_video_reader_options *options,
                          struct vsm_video_reader **reader) VSM_NODISCARD;
void vsm_video_reader_close(struct vsm_video_reader *reader);

/* Valid until close. */
const struct vsm_video_info *vsm_video_reader_info(const struct vsm_video_reader *reader);

/* The next picture: sets source, index, pts, duration and repeated of the frame. VSM_EOF behind the last one.
 */
int vsm_video_reader_next(struct vsm_video_reader *reader, struct vsm_frame *frame) VSM_NODISCARD;

/* Makes picture `index` the next one. Cost: decoding from the key picture before it; from the beginning where
 * the container has no usable index. VSM_EOF if there is no such picture. */
int vsm_video_reader_seek(struct vsm_video_reader *reader, int64_t index) VSM_NODISCARD;

/* Pictures repeated so far because of damage. */
int64_t vsm_video_reader_damaged(const struct vsm_video_reader *reader);

/* Makes blocking calls return VSM_E_CANCELLED. Any thread. */
void vsm_video_reader_interrupt(struct vsm_video_reader *reader);

#endif
