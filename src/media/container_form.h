/* What an encoder of FFmpeg gives, in the form in which containers hold it (media/nal.h): H.264 and HEVC with
 * length prefixes and avcC or hvcC headers, AV1 without temporal delimiters. Other codecs are left as they
 * are.
 */
#ifndef VSM_MEDIA_CONTAINER_FORM_H
#define VSM_MEDIA_CONTAINER_FORM_H

#include "base/status.h"

#include <libavcodec/avcodec.h>

/* Replaces parameters->extradata. VSM_E_OUTPUT if it is not understood, VSM_E_NOMEM. */
int vsm_container_form_headers(AVCodecParameters *parameters) VSM_NODISCARD;

/* Replaces the packet's payload. VSM_E_OUTPUT for one above 1 GiB, VSM_E_NOMEM; then it is unchanged. */
int vsm_container_form_payload(enum AVCodecID id, AVPacket *packet) VSM_NODISCARD;

#endif
