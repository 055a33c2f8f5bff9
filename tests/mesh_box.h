/* Writes mesh projection boxes (mshp; spherical video V2 RFC) for tests, from their description in the
 * RFC. */
#ifndef MESH_BOX_H
#define MESH_BOX_H

#include "base/bytes.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum mesh_box_kind { MESH_EQUIRECT, MESH_FISHEYE, MESH_FLAT };

/* One eye's mesh: a grid of cells x cells over the view, in the part of the picture that is given from the
 * upper left. */
struct mesh_box_eye {
    enum mesh_box_kind kind;
    int cells;
    double view;               /* degrees from side to side, and from top to bottom */
    double centre_u, centre_v; /* what looks straight ahead */
    double half_u, half_v;     /* from there to the sides */
    double bend;               /* r = theta (1 + bend theta^2), fisheye only */
    double turn;               /* degrees to the right */
};

struct mesh_box_options {
    int count;
    struct mesh_box_eye eyes[3];
    bool deflate;
    bool strips, fans; /* else single triangles */
    uint8_t texture;
};

static inline void mesh_put_bits(struct vsm_bytes_out *out, uint64_t value, int count, int *used)
{
    for (int i = count - 1; i >= 0; i--) {
        if (*used == 0)
            vsm_bytes_put_u8(out, 0);
        out->data[out->size - 1] |= (uint8_t)((value >> i & 1) << (7 - *used));
        *used = (*used + 1) % 8;
    }
}

static inline void mesh_put_step(struct vsm_bytes_out *out, int64_t from, int64_t to, int width, int *used)
{
    const int64_t step = to - from;

    mesh_put_bits(out, (uint64_t)(step >= 0 ? 2 * step : -2 * step - 1), width, used);
}

static inline int mesh_width(uint32_t count)
{
    return (int)ceil(log2(2.0 * count));
}

static inline void mesh_vertex(const struct mesh_box_eye *eye, int column, int row, float values[5])
{
    const double right = 2.0 * column / eye->cells - 1.0, down = 2.0 * row / eye->cells - 1.0;
    const double half = eye->view / 360.0 * M_PI, turn = eye->turn * M_PI / 180.0;
    double x, y, z, du = right, dv = down;

    if (eye->kind == MESH_EQUIRECT) {
        x = sin(right * half) * cos(down * half);
        y = -sin(down * half);
        z = cos(right * half) * cos(down * half);
    } else if (eye->kind == MESH_FISHEYE) { /* rings and spokes: all of the circle */
        const double phi = M_PI * right, theta = half * 0.5 * (down + 1.0);

        x = sin(theta) * cos(phi);
        y = sin(theta) * sin(phi);
        z = cos(theta);
        du = theta / half * (1.0 + eye->bend * theta * theta) * cos(phi);
        dv = -theta / half * (1.0 + eye->bend * theta * theta) * sin(phi);
    } else {
        x = right * tan(half);
        y = -down * tan(half);
        z = 1.0;
    }
    values[0] = (float)(3.0 * (x * cos(turn) + z * sin(turn))); /* any length but 0 */
    values[1] = (float)(3.0 * y);
    values[2] = (float)(-3.0 * (z * cos(turn) - x * sin(turn)));
    values[3] = (float)(eye->centre_u + du * eye->half_u);
    values[4] = (float)(1.0 - (eye->centre_v + dv * eye->half_v));
}

static inline void mesh_put_list(struct vsm_bytes_out *out, const struct mesh_box_options *options,
                                 const int *corners, int count, int width)
{
    int used = 0, at = 0;

    vsm_bytes_put_u8(out, options->texture);
    vsm_bytes_put_u8(out, options->strips ? 1 : options->fans ? 2 : 0);
    vsm_bytes_put_be32(out, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        mesh_put_step(out, at, corners[i], width, &used);
        at = corners[i];
    }
}

static inline void mesh_put_lists(struct vsm_bytes_out *out, const struct mesh_box_options *options,
                                  int cells, int width)
{
    const int side = cells + 1;
    int *corners = malloc((size_t)cells * 8 * sizeof(int));

    vsm_bytes_put_be32(out, (uint32_t)(options->fans ? cells * cells : cells));
    for (int row = 0; row < cells; row++) {
        int count = 0;

        for (int column = 0; column < cells; column++) {
            const int a = row * side + column, quad[4] = {a, a + side, a + 1, a + side + 1};
            const int fan[4] = {quad[0], quad[1], quad[3], quad[2]};
            const int two[6] = {quad[0], quad[1], quad[2], quad[2], quad[1], quad[3]};

            if (options->fans)
                mesh_put_list(out, options, fan, 4, width);
            for (int i = 0; i < (options->strips ? 2 : 6); i++)
                corners[count++] = options->strips ? quad[i] : two[i];
        }
        for (int i = 0; i < 2 && options->strips; i++)
            corners[count++] = (row + i) * side + cells;
        if (!options->fans)
            mesh_put_list(out, options, corners, count, width);
    }
    free(corners);
}

static inline void mesh_put_one(struct vsm_bytes_out *out, const struct mesh_box_options *options,
                                const struct mesh_box_eye *eye)
{
    const uint32_t vertices = (uint32_t)((eye->cells + 1) * (eye->cells + 1)), table = 5 * vertices;
    const uint64_t scatter =
        7919; /* a prime: the table is in no order, so that differences have both signs */
    float *values = malloc(table * sizeof(float)), *scattered = malloc(table * sizeof(float));
    const size_t start = out->size;
    int64_t at[5] = {0};
    int used = 0;

    for (uint32_t i = 0; i < vertices; i++)
        mesh_vertex(eye, (int)i % (eye->cells + 1), (int)i / (eye->cells + 1), &values[5 * i]);
    for (uint64_t i = 0; i < table; i++)
        scattered[i * scatter % table] = values[i];
    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put(out, "mesh", 4);
    vsm_bytes_put_be32(out, table);
    for (uint32_t i = 0; i < table; i++) {
        uint32_t word;

        memcpy(&word, &scattered[i], sizeof(word));
        vsm_bytes_put_be32(out, word);
    }
    vsm_bytes_put_be32(out, vertices);
    for (uint64_t i = 0; i < table; i++) {
        const int64_t to = (int64_t)(i * scatter % table);

        mesh_put_step(out, at[i % 5], to, mesh_width(table), &used);
        at[i % 5] = to;
    }
    mesh_put_lists(out, options, eye->cells, mesh_width(vertices));
    for (int i = 0; i < 4; i++)
        out->data[start + (size_t)i] = (uint8_t)((out->size - start) >> (24 - 8 * i));
    free(values);
    free(scattered);
}

/* Encoding and meshes: what stands behind the CRC. */
static inline void mesh_box_payload(struct vsm_bytes_out *out, const struct mesh_box_options *options)
{
    struct vsm_bytes_out meshes = {0};

    for (int i = 0; i < options->count; i++)
        mesh_put_one(&meshes, options, &options->eyes[i]);
    vsm_bytes_put(out, options->deflate ? "dfl8" : "raw ", 4);
    if (options->deflate) {
        z_stream stream = {.next_in = meshes.data, .avail_in = (uInt)meshes.size};
        uint8_t *packed;
        uLong bound;

        deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
        bound = deflateBound(&stream, (uLong)meshes.size);
        packed = malloc(bound);
        stream.next_out = packed;
        stream.avail_out = (uInt)bound;
        deflate(&stream, Z_FINISH);
        vsm_bytes_put(out, packed, stream.total_out);
        deflateEnd(&stream);
        free(packed);
    } else {
        vsm_bytes_put(out, meshes.data, meshes.size);
    }
    vsm_bytes_out_finish(&meshes);
}

/* The whole box. */
static inline void mesh_box_write(struct vsm_bytes_out *out, const struct mesh_box_options *options)
{
    struct vsm_bytes_out payload = {0};

    mesh_box_payload(&payload, options);
    vsm_bytes_put_be32(out, (uint32_t)(16 + payload.size));
    vsm_bytes_put(out, "mshp", 4);
    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put_be32(out, (uint32_t)crc32(0, payload.data, (uInt)payload.size));
    vsm_bytes_put(out, payload.data, payload.size);
    vsm_bytes_out_finish(&payload);
}

#endif
