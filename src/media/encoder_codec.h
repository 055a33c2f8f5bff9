/* Per-codec knowledge: which options mean "quality" and "speed", good defaults, and what keeps
 * memory bounded.
 *
 * x264 and x265 keep look-ahead and reference pictures of several times a picture's size; their depth is
 * therefore a function of the picture size alone (measured figures beside the table in the source).
 */
#ifndef VSM_MEDIA_ENCODER_CODEC_H
#define VSM_MEDIA_ENCODER_CODEC_H

#include "base/hash.h"
#include "base/status.h"
#include "media/video_encoder.h"

#include <libavcodec/avcodec.h>

struct vsm_ff_static_data;

/* Sets codec->priv_data options through *dictionary and fields of `codec` for these options, incl. quality,
 * speed, memory bounds, threads (at most `threads`), key picture distance and HDR. VSM_E_USAGE where an
 * option does not apply to the codec, VSM_E_NOMEM. The caller frees the dictionary, also then. `hdr` may be
 * empty. */
int vsm_encoder_codec_setup(const struct vsm_video_encoder_options *options,
                            const struct vsm_ff_static_data *hdr, int threads, AVCodecContext *codec,
                            AVDictionary **dictionary) VSM_NODISCARD;

/* What vsm_encoder_codec_setup() set, as one hash: pictures coded with other settings cannot go on in the
 * same stream. `codec` not yet open. VSM_E_NOMEM. */
int vsm_encoder_codec_settings(const AVCodecContext *codec, const AVDictionary *dictionary,
                               struct vsm_sha256 *settings) VSM_NODISCARD;

/* As vsm_video_encoder_most_threads() and vsm_video_encoder_cost(). */
int vsm_encoder_codec_most_threads(const char *codec, int width, int height);
double vsm_encoder_codec_cost(const char *codec);

#endif
