/* Encodes pictures into packets with one of FFmpeg's encoders.
 *
 * An encoder session can be drained and begun again at any picture ("segment"): the next picture is then a
 * key picture that refers to nothing before it, and the packets are the same whatever came before. Exact
 * resume rests on this. Pictures are wrapped, not copied, where the encoder's format allows it.
 *
 * Decoding time stamps are ours: with presentation stamps p0 < p1 < ... in input order and reorder depth D of
 * the encoder, packet i of the whole stream gets dts = p[i - D] (extrapolated before p0), so that joints are
 * seamless.
 */
#ifndef VSM_MEDIA_VIDEO_ENCODER_H
#define VSM_MEDIA_VIDEO_ENCODER_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"
#include "frame/image.h"
#include "media/video_info.h"

#include <stdint.h>

struct vsm_packet; /* media/packet.h: an encoded packet, owned by whoever holds it */
struct vsm_video_encoder;

struct vsm_video_encoder_options {
    const char *codec;   /* FFmpeg encoder name, e.g. "libx264"; never "auto" here */
    const char *preset;  /* NULL = the encoder's default */
    double crf;          /* < 0: not set */
    int64_t bitrate;     /* bits a second; 0 = by crf */
    const char *pix_fmt; /* FFmpeg pixel format name to encode in; NULL = the picture's */
    int threads;         /* 0 = the encoder's choice */
    int width, height;
    struct vsm_format format; /* of the pictures that will come */
    struct vsm_colour colour;
    struct vsm_rational time_base; /* of pts */
    struct vsm_rational frame_rate;
    struct vsm_rational sample_aspect;
    const struct vsm_video_reader
        *source;        /* HDR and other static side data are taken from here; NULL = none */
    bool global_header; /* the container wants parameter sets out of band */
};

/* VSM_E_USAGE if the codec does not exist here or refuses an option (naming both), VSM_E_OUTPUT otherwise. */
int vsm_video_encoder_open(const struct vsm_video_encoder_options *options,
                           struct vsm_video_encoder **encoder) VSM_NODISCARD;
void vsm_video_encoder_close(struct vsm_video_encoder *encoder);

/* Gives one picture (borrowed; referenced as long as needed). pts strictly increases. */
int vsm_video_encoder_put(struct vsm_video_encoder *encoder, struct vsm_image *image, int64_t pts,
                          int64_t duration) VSM_NODISCARD;

/* The next finished packet, owned by the caller; VSM_EOF when there is none now. */
int vsm_video_encoder_get(struct vsm_video_encoder *encoder, struct vsm_packet **packet) VSM_NODISCARD;

/* Ends the segment: afterwards get() yields all remaining packets, then VSM_EOF; the next put() begins a new
 * one. */
int vsm_video_encoder_end_segment(struct vsm_video_encoder *encoder) VSM_NODISCARD;

/* State between segments (time stamps of the last D pictures, packet counter) for checkpoints. */
int vsm_video_encoder_save(struct vsm_video_encoder *encoder, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_video_encoder_load(struct vsm_video_encoder *encoder, struct vsm_bytes_in *in) VSM_NODISCARD;

/* Picks the codec for "auto" from what the linked FFmpeg has and the machine can do; NULL if nothing fits.
 * `gray` = matte output, `depth` = bits a sample. */
const char *vsm_video_encoder_auto(bool cuda, int depth, bool gray);

#endif
