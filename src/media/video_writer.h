/* One output. Usually a file: an encoder, the source's audio and data streams copied beside it, a muxer, and
 * VR boxes.
 *
 * The file grows under PATH's temporary name and gets its final name when it is complete. It is safe to
 * truncate at a mark: everything that the muxer was given up to there is on disk, and writing can go on from
 * there in a new process (the muxer is replayed from the packet index with its output suppressed below the
 * mark: muxer.h). Thus no second copy of the video ever exists and nothing is joined at the end. With the
 * same marks, a run that was cut and resumed any number of times writes the same bytes as an undisturbed one.
 *
 * Copied packets are interleaved by decoding time, by our own rule, so that the same input gives the same
 * file: a video packet goes in behind all copied packets that are decoded before it.
 *
 * Beside the temporary file lies TEMPORARY.index (packet_index.h), removed with it or when the
 * file is complete. An output may be a folder of numbered pictures instead (sequence_writer.h).
 */
#ifndef VSM_MEDIA_VIDEO_WRITER_H
#define VSM_MEDIA_VIDEO_WRITER_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/image.h"
#include "media/video_encoder.h"
#include "media/video_info.h"
#include "media/vr_boxes_write.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_video_writer;

struct vsm_video_writer_options {
    const char *path;           /* final name; container by extension: mp4, m4v, mov, mkv, webm */
    const char *temporary_path; /* where it grows, on the same file system; NULL = PATH.part */
    struct vsm_video_encoder_options encoder; /* codec "auto" or NULL: chosen by container, depth and width */
    bool cuda;                                /* a device is there: "auto" may take its encoders */
    bool sequence;                            /* a folder of pictures; codec "png" or "exr" */
    const char *source_path;                  /* audio and data streams are copied from here; NULL = none */
    int64_t first_pts; /* source video time that becomes 0, in the encoder's time base; 0 keeps times */
    int64_t end_pts;   /* copied streams end here; INT64_MAX = whole source */
    enum vsm_vr_boxes_kind vr_boxes; /* half-equirect; Matroska has one kind only, its own, for SV3D */
    bool right_left;
    enum vsm_layout layout;
};

/* Creates the temporary file. VSM_E_OUTPUT / VSM_E_USAGE with what to do. Strings are copied, encoder.source
 * must outlive this call only. */
int vsm_video_writer_open(const struct vsm_video_writer_options *options,
                          struct vsm_video_writer **writer) VSM_NODISCARD;

/* One picture with its source pts; taken as by vsm_video_encoder_put(), so that its memory is free while an
 * encoder works on its own copy. */
int vsm_video_writer_put(struct vsm_video_writer *writer, struct vsm_image **image, int64_t pts,
                         int64_t duration) VSM_NODISCARD;

/* Ends the encoder's segment, makes everything given so far durable, and appends to `state` what resume()
 * needs (100 to 300 bytes). After a failed call the last mark still holds. */
int vsm_video_writer_mark(struct vsm_video_writer *writer, struct vsm_bytes_out *state) VSM_NODISCARD;

/* Opens the temporary file of an earlier process as it was at the mark that wrote `state`; the options must
 * be those of then. What was written behind the mark is cut, but only after everything is verified. A file
 * that got its final name meanwhile (the process died between finish() and its own book-keeping) is known
 * again: pictures are then passed over and everything succeeds at once. VSM_E_INPUT if file, index, source or
 * state are not what they were, VSM_E_OUTPUT / VSM_E_USAGE as open(). Cost: reads the source's copied streams
 * up to the mark, no decoding, no encoding. */
int vsm_video_writer_resume(const struct vsm_video_writer_options *options, struct vsm_bytes_in *state,
                            struct vsm_video_writer **writer) VSM_NODISCARD;

/* Drains the encoder, finishes the streams, writes the VR boxes, fsyncs and renames to the final name. After
 * a failure the last mark still holds: close(keep = true) and resume. */
int vsm_video_writer_finish(struct vsm_video_writer *writer) VSM_NODISCARD;

/* Frees everything; the temporary file stays if the writer was not finished and `keep`, else
 * it is removed. */
void vsm_video_writer_close(struct vsm_video_writer *writer, bool keep);

/* What the file lost, for the user: streams that the container cannot hold. "" = nothing. */
const char *vsm_video_writer_remarks(const struct vsm_video_writer *writer);

#endif
