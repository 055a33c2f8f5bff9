/* Encodes pictures into packets with one of FFmpeg's encoders.
 *
 * An encoder session can be ended and begun again at any picture ("segment"): the encoder is opened anew, so
 * the next picture is a key picture that refers to nothing before it, and the packets are the same whatever
 * came before. Exact resume rests on this. GOPs are closed. Pictures are wrapped, not copied, where the
 * encoder's format allows it.
 *
 * Time stamps are ours. The encoder counts pictures of the segment (0, 1, 2 ... in units of the frame rate)
 * and never sees source times; each packet gets back the pts of its picture. Decoding stamps: with
 * presentation stamps p0 < p1 < ... in input order and reorder depth D of the encoder, packet i of the whole
 * stream gets dts = p[i - D], before p0 extrapolated by the frame rate. A picture is never decoded before
 * more than D later ones, so dts <= pts, and joints are seamless.
 *
 * H.264 and HEVC packets come with length prefixes and avcC/hvcC headers, AV1 packets without temporal
 * delimiters: the form in which containers hold them (nal.h).
 *
 * Deterministic for a given thread count, which save() and load() carry along.
 */
#ifndef VSM_MEDIA_VIDEO_ENCODER_H
#define VSM_MEDIA_VIDEO_ENCODER_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"
#include "frame/image.h"
#include "media/video_info.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_packet; /* media/packet.h: an encoded packet, owned by whoever holds it */
struct vsm_video_encoder;
struct AVCodecParameters;

struct vsm_video_encoder_options {
    const char *codec;   /* FFmpeg encoder name, e.g. "libx264"; "auto" only through vsm_video_writer */
    const char *preset;  /* NULL = a good default of ours; the profile for prores_ks */
    double crf;          /* < 0: not set = a good default of ours */
    int64_t bitrate;     /* bits a second; 0 = by crf */
    const char *pix_fmt; /* FFmpeg pixel format name to encode in; NULL = nearest to the picture's */
    int threads;         /* 0 = processors of this machine, at most VSM_VIDEO_ENCODER_MAX_AUTO_THREADS */
    int width, height;
    int picture_width, picture_height; /* of the pictures that will come, at least as large; 0 = the same */
    struct vsm_format format;          /* of the pictures that will come */
    bool on_device; /* those are in a CUDA device's memory, in a format of the encoder, which is NVENC */
    struct vsm_colour colour;
    struct vsm_rational time_base;  /* of pts */
    struct vsm_rational frame_rate; /* 0/1 = unknown, taken as 30 */
    struct vsm_rational sample_aspect;
    const struct vsm_video_reader *source; /* gives HDR and other static side data; NULL = none */
};

/* More threads cost compression (slices, frame threads) without speed at the sizes we write. */
#define VSM_VIDEO_ENCODER_MAX_AUTO_THREADS 16

/* VSM_E_USAGE if the codec does not exist here or refuses an option (naming both), VSM_E_OUTPUT otherwise.
 * The strings of the options are copied. */
int vsm_video_encoder_open(const struct vsm_video_encoder_options *options,
                           struct vsm_video_encoder **encoder) VSM_NODISCARD;
void vsm_video_encoder_close(struct vsm_video_encoder *encoder);

/* What a muxer needs to know of the stream; valid until close. */
const struct AVCodecParameters *vsm_video_encoder_parameters(const struct vsm_video_encoder *encoder);

/* Gives one picture. It is taken as soon as the encoder has it in its own format, also if it then cannot be
 * encoded. pts strictly increases. duration 0 = unknown. */
int vsm_video_encoder_put(struct vsm_video_encoder *encoder, struct vsm_image **image, int64_t pts,
                          int64_t duration) VSM_NODISCARD;

/* The next finished packet, owned by the caller; VSM_EOF when there is none now. */
int vsm_video_encoder_get(struct vsm_video_encoder *encoder, struct vsm_packet **packet) VSM_NODISCARD;

/* Ends the segment: afterwards get() yields all remaining packets, then VSM_EOF; the next put() begins a new
 * one. An empty segment is nothing. */
int vsm_video_encoder_end_segment(struct vsm_video_encoder *encoder) VSM_NODISCARD;

/* State between segments, all packets taken: thread count, hash of the codec's settings, number of packets,
 * time stamps of the last D pictures. save() is VSM_E_INTERNAL within a segment; load() must come before the
 * first put() and is VSM_E_INPUT for bytes that no save() of this encoder makes, and where this program would
 * give the codec other settings, which another version of it may do. */
int vsm_video_encoder_save(struct vsm_video_encoder *encoder, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_video_encoder_load(struct vsm_video_encoder *encoder, struct vsm_bytes_in *in) VSM_NODISCARD;

/* Threads that a codec can use for pictures of this size; bounded by memory for codecs that work on whole
 * pictures side by side. At least 1; any name. */
int vsm_video_encoder_most_threads(const char *codec, int width, int height);

/* Processor time a pixel in units of libx264's, with our default speeds (measured: bench/outputs.sh,
 * doc/performance.md); 2 for codecs that were not measured. */
double vsm_video_encoder_cost(const char *codec);

/* Bits a sample of the pixel format of this name; 0 if FFmpeg knows none. */
int vsm_video_encoder_depth(const char *pix_fmt);

/* Picks the codec for "auto" from what the linked FFmpeg has: for a container (by the path's
 * extension), bits a sample and picture width. VP9 for webm; elsewhere H.264 up to 8 bits and 4096
 * wide (what hardware decoders of headsets take), HEVC above. `cuda`: a device is there, NVENC is
 * preferred. NULL if nothing fits. */
const char *vsm_video_encoder_auto(const char *path, int depth, int width, bool cuda);

#endif
