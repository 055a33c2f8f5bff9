#include "tools/clip_writer.h"

#include <string.h>

int vsm_clip_writer_open(const struct vsm_clip_writer_options *options, const struct vsm_image *like,
                         struct vsm_video_writer **writer)
{
    const char *dot = strrchr(options->path, '.');
    bool matroska = dot && strcmp(dot, ".mkv") == 0;
    const char *codec = options->codec ? options->codec : matroska ? "ffv1" : "libx264";
    bool lossless = strcmp(codec, "ffv1") == 0;
    struct vsm_video_writer_options full = {
        .path = options->path,
        .encoder = {.codec = codec,
                    .preset = lossless ? NULL : "veryfast",
                    .crf = lossless ? -1.0 : options->crf,
                    .width = like->width,
                    .height = like->height,
                    .format = like->format,
                    .colour = like->colour,
                    .time_base = {1, options->frames_per_second},
                    .frame_rate = {options->frames_per_second, 1},
                    .sample_aspect = {1, 1}},
        .source_path = options->audio_source,
        .end_pts = INT64_MAX,
        .vr_boxes = options->vr180 ? VSM_VR_BOXES_SV3D : VSM_VR_BOXES_NONE,
        .layout = VSM_LAYOUT_SBS,
    };

    return vsm_video_writer_open(&full, writer);
}
