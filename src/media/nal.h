/* From the byte-stream form of H.264 and HEVC to the form that MP4 and Matroska hold.
 *
 * Encoders give start codes (Annex B); containers want length prefixes and an avcC/hvcC record.
 * libavformat's muxers would convert on the way, but then what they write depends on what they find in a
 * packet. Packets that already have the container's form pass through untouched, which is what replaying the
 * muxer rests on (muxer.h).
 *
 * Sources: ISO/IEC 14496-15:2019, 5.3.3.1 (AVCDecoderConfigurationRecord), 8.3.3.1
 * (HEVCDecoderConfigurationRecord); ITU-T H.264 and H.265, 7.3.2 and Annex B; AV1 bitstream specification,
 * 5.3 (OBU header).
 */
#ifndef VSM_MEDIA_NAL_H
#define VSM_MEDIA_NAL_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Appends the NAL units of a byte stream, each with a 4-byte big-endian length. */
void vsm_nal_to_lengths(const uint8_t *data, size_t size, struct vsm_bytes_out *out);

/* Appends an avcC (hvcC) record made from parameter sets in byte-stream form. Data that begins with 1 is such
 * a record already and is copied. VSM_E_OUTPUT if sets are missing or not understood. */
int vsm_nal_write_avcc(const uint8_t *data, size_t size, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_nal_write_hvcc(const uint8_t *data, size_t size, struct vsm_bytes_out *out) VSM_NODISCARD;

/* Appends AV1 OBUs without temporal delimiters, which containers leave out. */
void vsm_nal_strip_delimiters(const uint8_t *data, size_t size, struct vsm_bytes_out *out);

#endif
