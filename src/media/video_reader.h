/* Reads the pictures of a video one at a time, in presentation order, without copying them,
 * and seeks exactly.
 *
 * FFmpeg demuxes and decodes; each decoded picture is wrapped into a vsm_image that gives it back when
 * released. Picture number N is the N-th picture that a straight decode from the beginning presents; seeking
 * to N gives the same picture and time stamp. Pictures come as the decoder makes them where struct vsm_format
 * can say how (gray, 4:2:0 to 4:4:4, 8 to 16 bits); alpha is left out; other formats are converted
 * (video_convert.h). A file of a single picture is a video of one.
 *
 * Damage: a packet or picture that cannot be decoded is skipped to the next good one; for each packet whose
 * picture is missing the last good picture is given again, with frame->repeated set, so that numbering and
 * timing stay those of the source. Packets that the container itself lost leave a gap in time. Packets at the
 * beginning that cannot be decoded (a stream cut inside a group of pictures) do not count as pictures. A file
 * that is cut off just ends early. A picture that a decoder conceals without saying so (FFmpeg's FFV1 decoder
 * does) passes as good.
 *
 * Memory: the last good picture, the next one, the decoder's references, and one picture more for each thread
 * beyond the first. Decoded pictures outlive the reader.
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

/* Where pictures come to lie. */
enum vsm_video_reader_memory {
    VSM_READER_PLAIN,
    VSM_READER_PINNED, /* page-locked, for copies to a CUDA device; plain if there is none */
    VSM_READER_DEVICE, /* decoded by the CUDA device itself (NV12, P010, in its memory), or else as PINNED */
};

struct vsm_video_reader_options {
    int threads; /* decoder threads, >= 1 */
    enum vsm_video_reader_memory memory;
};

/* Opens a local file and finds its best video stream. VSM_E_INPUT with what is wrong otherwise. */
int vsm_video_reader_open(const char *path, const struct vsm_video_reader_options *options,
                          struct vsm_video_reader **reader) VSM_NODISCARD;
void vsm_video_reader_close(struct vsm_video_reader *reader);

/* Whether pictures come in device memory; if that was asked for and is not so, *why says why not. */
bool vsm_video_reader_on_device(const struct vsm_video_reader *reader, const char **why);

/* Valid until close. */
const struct vsm_video_info *vsm_video_reader_info(const struct vsm_video_reader *reader);

/* The next picture: sets source (dropping what was there), index, pts (which increases strictly), duration
 * (the container's; 0 = unknown) and repeated of the frame. VSM_EOF behind the last one; VSM_E_INPUT if
 * pictures change their size or format. */
int vsm_video_reader_next(struct vsm_video_reader *reader, struct vsm_frame *frame) VSM_NODISCARD;

/* Makes picture `index` the next one. Cost: decoding from the key picture before it. Where the container has
 * no index of all packets (anything but unfragmented MP4 and QuickTime) the file is first read up to that
 * place, once, without decoding; a stream without presentation times is decoded from its beginning. VSM_EOF
 * if there is no such picture, VSM_E_USAGE if index < 0. After any other failure only close() is allowed. */
int vsm_video_reader_seek(struct vsm_video_reader *reader, int64_t index) VSM_NODISCARD;

/* Pictures repeated so far because of damage. */
int64_t vsm_video_reader_damaged(const struct vsm_video_reader *reader);

/* Makes blocking calls return VSM_E_CANCELLED. Any thread. */
void vsm_video_reader_interrupt(struct vsm_video_reader *reader);

#endif
