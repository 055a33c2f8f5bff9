/* Opens the library's writer for clips that tools make. */
#ifndef TOOLS_CLIP_WRITER_H
#define TOOLS_CLIP_WRITER_H

#include "base/status.h"
#include "frame/image.h"
#include "media/video_writer.h"

#include <stdbool.h>

struct vsm_clip_writer_options {
    const char *path;
    const char *codec; /* FFmpeg encoder name; NULL: ffv1 for .mkv, else libx264 */
    double crf;        /* < 0: the encoder's default */
    int frames_per_second;
    const char *audio_source; /* its audio is copied; NULL = none */
    bool vr180;               /* mark as half-equirect side by side */
};

/* `like` is a picture as they will come. Picture n then has pts n in a time base of one frame. */
int vsm_clip_writer_open(const struct vsm_clip_writer_options *options, const struct vsm_image *like,
                         struct vsm_video_writer **writer) VSM_NODISCARD;

#endif
