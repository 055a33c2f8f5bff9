/* One output as a folder of numbered pictures (PNG, OpenEXR).
 *
 * The folder grows under the temporary name and gets its final name when it is complete, so that a folder of
 * the final name is always whole. Picture n is the file nnnnnnnn.EXT, counted from 0, written as base/file.h
 * does: whole or absent. At a mark all pictures given so far are files. Resuming removes those behind the
 * mark; with the same pictures the files are the same bytes as an undisturbed run's.
 *
 * Behind media/video_writer.h, whose contract holds for each function; times, audio and VR boxes are left
 * out.
 */
#ifndef VSM_MEDIA_SEQUENCE_WRITER_H
#define VSM_MEDIA_SEQUENCE_WRITER_H

#include "media/video_writer.h"

struct vsm_sequence_writer;

/* codec: "png" or "exr", which is the files' extension too. */
int vsm_sequence_writer_open(const struct vsm_video_writer_options *options,
                             struct vsm_sequence_writer **writer) VSM_NODISCARD;
int vsm_sequence_writer_put(struct vsm_sequence_writer *writer, struct vsm_image **image,
                            int64_t pts) VSM_NODISCARD;
int vsm_sequence_writer_mark(struct vsm_sequence_writer *writer, struct vsm_bytes_out *state) VSM_NODISCARD;
int vsm_sequence_writer_resume(const struct vsm_video_writer_options *options, struct vsm_bytes_in *state,
                               struct vsm_sequence_writer **writer) VSM_NODISCARD;
int vsm_sequence_writer_finish(struct vsm_sequence_writer *writer) VSM_NODISCARD;
void vsm_sequence_writer_close(struct vsm_sequence_writer *writer, bool keep);

#endif
