/* Byte cursors: bounded reading of hostile bytes and growing, explicit little- or big-endian writing.
 *
 * A reader has a sticky failure flag: reads past the end give 0 and set `failed`, so that parsers check once
 * per structure instead of once per field. A writer likewise keeps the first allocation failure.
 */
#ifndef VSM_BASE_BYTES_H
#define VSM_BASE_BYTES_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vsm_bytes_in {
    const uint8_t *data; /* borrowed */
    size_t size;
    size_t pos;
    bool failed;
};

struct vsm_bytes_in vsm_bytes_in_of(const void *data, size_t size);
uint8_t vsm_bytes_get_u8(struct vsm_bytes_in *r);
uint16_t vsm_bytes_get_le16(struct vsm_bytes_in *r);
uint32_t vsm_bytes_get_le32(struct vsm_bytes_in *r);
uint64_t vsm_bytes_get_le64(struct vsm_bytes_in *r);
uint32_t vsm_bytes_get_be32(struct vsm_bytes_in *r);
uint64_t vsm_bytes_get_be64(struct vsm_bytes_in *r);
/* Little-endian IEEE 754, bit by bit: `count` float32, and one float64. */
void vsm_bytes_get_f32(struct vsm_bytes_in *r, float *values, size_t count);
double vsm_bytes_get_f64(struct vsm_bytes_in *r);
/* The next `size` bytes, borrowed from the data; NULL and failed if fewer are left. */
const void *vsm_bytes_get(struct vsm_bytes_in *r, size_t size);
size_t vsm_bytes_left(const struct vsm_bytes_in *r);

struct vsm_bytes_out {
    uint8_t *data; /* owned; release with vsm_bytes_out_finish() */
    size_t size;
    size_t capacity;
    bool failed; /* an allocation failed; the message is set */
};

void vsm_bytes_put_u8(struct vsm_bytes_out *w, uint8_t v);
void vsm_bytes_put_le16(struct vsm_bytes_out *w, uint16_t v);
void vsm_bytes_put_le32(struct vsm_bytes_out *w, uint32_t v);
void vsm_bytes_put_le64(struct vsm_bytes_out *w, uint64_t v);
void vsm_bytes_put_be16(struct vsm_bytes_out *w, uint16_t v);
void vsm_bytes_put_be32(struct vsm_bytes_out *w, uint32_t v);
void vsm_bytes_put_be64(struct vsm_bytes_out *w, uint64_t v);
void vsm_bytes_put_f32(struct vsm_bytes_out *w, const float *values, size_t count);
void vsm_bytes_put_f64(struct vsm_bytes_out *w, double v);
void vsm_bytes_put(struct vsm_bytes_out *w, const void *data, size_t size);
/* Frees the buffer and zeroes the writer. */
void vsm_bytes_out_finish(struct vsm_bytes_out *w);

#endif
