#include "base/bytes.h"

#include "base/mem.h"

#include <string.h>

struct vsm_bytes_in vsm_bytes_in_of(const void *data, size_t size)
{
    return (struct vsm_bytes_in){.data = data, .size = size};
}

const void *vsm_bytes_get(struct vsm_bytes_in *r, size_t size)
{
    const uint8_t *at;

    if (r->failed || size > r->size - r->pos) {
        r->failed = true;
        return NULL;
    }
    at = r->data + r->pos;
    r->pos += size;
    return at;
}

size_t vsm_bytes_left(const struct vsm_bytes_in *r)
{
    return r->failed ? 0 : r->size - r->pos;
}

static uint64_t read_le(struct vsm_bytes_in *r, unsigned size)
{
    const uint8_t *p = vsm_bytes_get(r, size);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < size; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t read_be(struct vsm_bytes_in *r, unsigned size)
{
    const uint8_t *p = vsm_bytes_get(r, size);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < size; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t vsm_bytes_get_u8(struct vsm_bytes_in *r)
{
    return (uint8_t)read_le(r, 1);
}

uint16_t vsm_bytes_get_le16(struct vsm_bytes_in *r)
{
    return (uint16_t)read_le(r, 2);
}

uint32_t vsm_bytes_get_le32(struct vsm_bytes_in *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t vsm_bytes_get_le64(struct vsm_bytes_in *r)
{
    return read_le(r, 8);
}

uint32_t vsm_bytes_get_be32(struct vsm_bytes_in *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t vsm_bytes_get_be64(struct vsm_bytes_in *r)
{
    return read_be(r, 8);
}

void vsm_bytes_get_f32(struct vsm_bytes_in *r, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = vsm_bytes_get_le32(r);

        memcpy(&values[i], &bits, sizeof(bits));
    }
}

double vsm_bytes_get_f64(struct vsm_bytes_in *r)
{
    uint64_t bits = vsm_bytes_get_le64(r);
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

void vsm_bytes_put(struct vsm_bytes_out *w, const void *data, size_t size)
{
    if (w->failed || size == 0)
        return;
    if (size > w->capacity - w->size) {
        size_t capacity = (w->size + size) * 2;
        uint8_t *grown = capacity > w->size ? vsm_mem_alloc_raw("byte buffer", capacity, 1) : NULL;

        if (!grown) {
            w->failed = true;
            return;
        }
        if (w->size)
            memcpy(grown, w->data, w->size);
        vsm_mem_free(w->data);
        w->data = grown;
        w->capacity = capacity;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
}

static void write_le(struct vsm_bytes_out *w, uint64_t v, unsigned size)
{
    uint8_t b[8];

    for (unsigned i = 0; i < size; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    vsm_bytes_put(w, b, size);
}

static void write_be(struct vsm_bytes_out *w, uint64_t v, unsigned size)
{
    uint8_t b[8];

    for (unsigned i = 0; i < size; i++)
        b[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
    vsm_bytes_put(w, b, size);
}

void vsm_bytes_put_u8(struct vsm_bytes_out *w, uint8_t v)
{
    vsm_bytes_put(w, &v, 1);
}

void vsm_bytes_put_le16(struct vsm_bytes_out *w, uint16_t v)
{
    write_le(w, v, 2);
}

void vsm_bytes_put_le32(struct vsm_bytes_out *w, uint32_t v)
{
    write_le(w, v, 4);
}

void vsm_bytes_put_le64(struct vsm_bytes_out *w, uint64_t v)
{
    write_le(w, v, 8);
}

void vsm_bytes_put_be16(struct vsm_bytes_out *w, uint16_t v)
{
    write_be(w, v, 2);
}

void vsm_bytes_put_be32(struct vsm_bytes_out *w, uint32_t v)
{
    write_be(w, v, 4);
}

void vsm_bytes_put_be64(struct vsm_bytes_out *w, uint64_t v)
{
    write_be(w, v, 8);
}

void vsm_bytes_put_f32(struct vsm_bytes_out *w, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof(bits));
        vsm_bytes_put_le32(w, bits);
    }
}

void vsm_bytes_put_f64(struct vsm_bytes_out *w, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    vsm_bytes_put_le64(w, bits);
}

void vsm_bytes_out_finish(struct vsm_bytes_out *w)
{
    vsm_mem_free(w->data);
    *w = (struct vsm_bytes_out){0};
}
