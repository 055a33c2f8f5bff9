#include "media/vr_mesh.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define HEAD 8 /* of the box's content: version, flags, CRC */

/* Bits of a byte run, most significant first. Reading past the end gives 0 and sets `failed`. */
struct bits {
    const uint8_t *data;
    uint64_t pos, end; /* in bits */
    bool failed;
};

enum shape { TRIANGLES, STRIP, FAN };

/* A mesh while it is read. */
struct mesh {
    float *coordinates;
    uint32_t coordinate_count;
    struct vsm_mesh_point *points;
    uint8_t *used; /* by a triangle */
    uint32_t vertex_count;
    uint64_t indices; /* of all lists */
    double least_dot; /* cosine of the longest side of a triangle */
};

static uint32_t get_bits(struct bits *bits, int count)
{
    uint64_t value = 0;

    if ((uint64_t)count > bits->end - bits->pos) {
        bits->failed = true;
        bits->pos = bits->end;
        return 0;
    }
    for (int left = count; left > 0;) {
        const int in_byte = 8 - (int)(bits->pos & 7), take = left < in_byte ? left : in_byte;
        const uint32_t byte = bits->data[bits->pos >> 3];

        value = value << take | (byte >> (in_byte - take) & ((1u << take) - 1));
        bits->pos += (uint64_t)take;
        left -= take;
    }
    return (uint32_t)value;
}

static void align(struct bits *bits)
{
    bits->pos = (bits->pos + 7) & ~(uint64_t)7;
}

/* Fewest bits that hold twice `count` values. */
static int index_bits(uint32_t count)
{
    int bits = 0;

    while (((uint64_t)1 << bits) < 2 * (uint64_t)count)
        bits++;
    return bits;
}

/* Adds a zigzag difference to *index, which must stay below `count`. */
static bool step_index(struct bits *bits, int width, uint32_t count, int64_t *index)
{
    const uint32_t code = get_bits(bits, width);
    const int64_t half = code >> 1;

    *index += code & 1 ? -half - 1 : half;
    return !bits->failed && *index >= 0 && *index < (int64_t)count;
}

static int damaged(const char *what)
{
    return vsm_fail(VSM_E_INPUT, "is damaged in its %s", what);
}

static int read_coordinates(struct bits *bits, struct mesh *mesh)
{
    mesh->coordinate_count = get_bits(bits, 32);
    if (mesh->coordinate_count == 0 || mesh->coordinate_count > (bits->end - bits->pos) / 32)
        return damaged("coordinates");
    mesh->coordinates = vsm_mem_alloc_raw("mesh", mesh->coordinate_count, sizeof(float));
    if (!mesh->coordinates)
        return VSM_E_NOMEM;
    for (uint32_t i = 0; i < mesh->coordinate_count; i++) {
        const uint32_t word = get_bits(bits, 32);

        memcpy(&mesh->coordinates[i], &word, sizeof(word));
        if (!isfinite(mesh->coordinates[i]))
            return damaged("coordinates");
    }
    return VSM_OK;
}

/* From OpenGL's axes to those of mesh_fit.h; false for a vertex in no direction. */
static bool take_vertex(const struct mesh *mesh, const int64_t at[5], struct vsm_mesh_point *point)
{
    const float *c = mesh->coordinates;
    const double x = (double)c[at[0]], y = (double)c[at[1]], z = (double)c[at[2]];
    const double length = sqrt(x * x + y * y + z * z);

    if (!(length > 1e-6))
        return false;
    point->direction[0] = (float)(x / length);
    point->direction[1] = (float)(y / length);
    point->direction[2] = (float)(-z / length);
    point->u = c[at[3]];
    point->v = 1.0f - c[at[4]];
    return true;
}

static int read_vertices(struct bits *bits, struct mesh *mesh)
{
    const int width = index_bits(mesh->coordinate_count);
    int64_t at[5] = {0};

    mesh->vertex_count = get_bits(bits, 32);
    if (mesh->vertex_count == 0 || mesh->vertex_count > (bits->end - bits->pos) / (5 * (uint64_t)width))
        return damaged("vertices");
    if (mesh->vertex_count > VSM_VR_MESH_MAX_VERTICES)
        return vsm_fail(VSM_E_INPUT, "has %u vertices, more than %u", mesh->vertex_count,
                        VSM_VR_MESH_MAX_VERTICES);
    mesh->points = vsm_mem_alloc("mesh", mesh->vertex_count, sizeof(*mesh->points));
    mesh->used = vsm_mem_alloc("mesh", mesh->vertex_count, 1);
    if (!mesh->points || !mesh->used)
        return VSM_E_NOMEM;
    for (uint32_t i = 0; i < mesh->vertex_count; i++) {
        for (int k = 0; k < 5; k++)
            if (!step_index(bits, width, mesh->coordinate_count, &at[k]))
                return damaged("vertices");
        if (!take_vertex(mesh, at, &mesh->points[i]))
            return damaged("vertices");
    }
    align(bits);
    return VSM_OK;
}

static double dot(const struct vsm_mesh_point *a, const struct vsm_mesh_point *b)
{
    double sum = 0;

    for (int i = 0; i < 3; i++)
        sum += (double)a->direction[i] * (double)b->direction[i];
    return sum;
}

/* Triangles of no area only join the parts of a strip. */
static void take_triangle(struct mesh *mesh, const uint32_t corner[3])
{
    if (corner[0] == corner[1] || corner[1] == corner[2] || corner[2] == corner[0])
        return;
    for (int i = 0; i < 3; i++) {
        mesh->used[corner[i]] = 1;
        mesh->least_dot =
            fmin(mesh->least_dot, dot(&mesh->points[corner[i]], &mesh->points[corner[(i + 1) % 3]]));
    }
}

static int read_list(struct bits *bits, struct mesh *mesh)
{
    const int width = index_bits(mesh->vertex_count);
    const uint32_t texture = get_bits(bits, 8), shape = get_bits(bits, 8), count = get_bits(bits, 32);
    uint32_t corner[3] = {0};
    int64_t at = 0;

    if (bits->failed || shape > FAN || count > (bits->end - bits->pos) / (uint64_t)width)
        return damaged("lists of vertices");
    if (texture != 0)
        return vsm_fail(VSM_E_INPUT, "shows other pictures than the video");
    mesh->indices += count;
    if (mesh->indices > VSM_VR_MESH_MAX_INDICES)
        return vsm_fail(VSM_E_INPUT, "has more than %u corners of triangles", VSM_VR_MESH_MAX_INDICES);
    for (uint32_t i = 0; i < count; i++) {
        if (!step_index(bits, width, mesh->vertex_count, &at))
            return damaged("lists of vertices");
        if (i < 3)
            corner[i] = (uint32_t)at;
        else if (shape == TRIANGLES)
            corner[i % 3] = (uint32_t)at;
        else {
            if (shape == STRIP)
                corner[0] = corner[1];
            corner[1] = corner[2];
            corner[2] = (uint32_t)at;
        }
        if (shape == TRIANGLES ? i % 3 == 2 : i >= 2)
            take_triangle(mesh, corner);
    }
    align(bits);
    return VSM_OK;
}

static int read_lists(struct bits *bits, struct mesh *mesh)
{
    const uint32_t count = get_bits(bits, 32);
    int status = VSM_OK;

    if (count > (bits->end - bits->pos) / 48)
        return damaged("lists of vertices");
    for (uint32_t i = 0; i < count && status == VSM_OK; i++)
        status = read_list(bits, mesh);
    return status;
}

/* What the vertices of the triangles follow. */
static int fit(struct mesh *mesh, struct vsm_mesh_fit *result)
{
    const double edge = acos(fmax(-1.0, fmin(1.0, mesh->least_dot))) * 180.0 / M_PI;
    size_t count = 0;

    for (uint32_t i = 0; i < mesh->vertex_count; i++)
        if (mesh->used[i])
            mesh->points[count++] = mesh->points[i];
    if (edge > VSM_VR_MESH_MAX_EDGE)
        return vsm_fail(VSM_E_INPUT, "is too coarse to tell a projection: a triangle is %.0f degrees long",
                        edge);
    if (!vsm_mesh_fit(mesh->points, count, result))
        return vsm_fail(VSM_E_INPUT, "follows no projection: %zu vertices, or a mirrored picture", count);
    return VSM_OK;
}

static int read_mesh(const uint8_t *data, size_t size, struct vsm_mesh_fit *result)
{
    struct bits bits = {.data = data, .end = 8 * (uint64_t)size};
    struct mesh mesh = {.least_dot = 1.0};
    int status = read_coordinates(&bits, &mesh);

    if (status == VSM_OK)
        status = read_vertices(&bits, &mesh);
    if (status == VSM_OK)
        status = read_lists(&bits, &mesh);
    if (status == VSM_OK)
        status = fit(&mesh, result);
    vsm_mem_free(mesh.coordinates);
    vsm_mem_free(mesh.points);
    vsm_mem_free(mesh.used);
    return status;
}

static int read_meshes(const uint8_t *data, size_t size, struct vsm_vr_meshes *meshes)
{
    const struct vsm_mp4_source source = vsm_mp4_boxes_bytes(data, size);
    struct vsm_mp4_list list = vsm_mp4_boxes_top(&source);
    struct vsm_mp4_box box;
    int status;

    while ((status = vsm_mp4_boxes_find(&list, VSM_MP4_TYPE('m', 'e', 's', 'h'), &box)) == VSM_OK) {
        if (meshes->count == 2)
            return vsm_fail(VSM_E_INPUT, "has more than two meshes");
        status = read_mesh(data + box.at + box.header, box.size - box.header, &meshes->eyes[meshes->count]);
        if (status != VSM_OK)
            return status;
        meshes->count++;
    }
    if (status != VSM_EOF)
        return status;
    if (meshes->count == 0)
        return vsm_fail(VSM_E_INPUT, "has no mesh");
    if (meshes->count == 1)
        meshes->eyes[1] = meshes->eyes[0];
    return VSM_OK;
}

/* Raw deflate into a block that grows with what comes, so that a small box cannot take much memory before it
 * has given as much. */
static int inflate_bytes(const uint8_t *data, size_t size, struct vsm_bytes_out *out)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    uint8_t part[16384];
    int result = inflateInit2(&stream, -MAX_WBITS), status = VSM_OK;

    if (result != Z_OK)
        return vsm_fail_nomem("mesh", sizeof(stream));
    while (result == Z_OK && status == VSM_OK) {
        stream.next_out = part;
        stream.avail_out = sizeof(part);
        result = inflate(&stream, Z_NO_FLUSH);
        if (result == Z_OK || result == Z_STREAM_END)
            vsm_bytes_put(out, part, sizeof(part) - stream.avail_out);
        if (out->failed)
            status = VSM_E_NOMEM;
        else if (out->size > VSM_VR_MESH_MAX_BYTES)
            status = vsm_fail(VSM_E_INPUT, "is larger than %zu bytes", VSM_VR_MESH_MAX_BYTES);
    }
    inflateEnd(&stream);
    if (status == VSM_OK && result == Z_MEM_ERROR)
        return vsm_fail_nomem("mesh", size);
    return status == VSM_OK && result != Z_STREAM_END ? damaged("deflate stream") : status;
}

int vsm_vr_mesh_parse(const void *data, size_t size, struct vsm_vr_meshes *meshes)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(data, size);
    const uint32_t encoding = vsm_bytes_get_be32(&in);
    const uint8_t *rest = (const uint8_t *)data + in.pos;
    struct vsm_bytes_out out = {0};
    int status;

    memset(meshes, 0, sizeof(*meshes));
    if (in.failed)
        return damaged("header");
    if (encoding == VSM_MP4_TYPE('r', 'a', 'w', ' '))
        return read_meshes(rest, vsm_bytes_left(&in), meshes);
    if (encoding != VSM_MP4_TYPE('d', 'f', 'l', '8'))
        return vsm_fail(VSM_E_INPUT, "is encoded by an unknown method (0x%08x)", encoding);
    status = inflate_bytes(rest, vsm_bytes_left(&in), &out);
    if (status == VSM_OK)
        status = read_meshes(out.data, out.size, meshes);
    vsm_bytes_out_finish(&out);
    return status;
}

static int check_and_parse(const uint8_t *content, size_t size, struct vsm_vr_meshes *meshes)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(content + 4, 4);

    if (content[0] != 0)
        return vsm_fail(VSM_E_INPUT, "is of the unknown version %d", content[0]);
    if (vsm_bytes_get_be32(&in) != crc32(0, content + HEAD, (uInt)(size - HEAD)))
        return vsm_fail(VSM_E_INPUT, "has a wrong checksum");
    return vsm_vr_mesh_parse(content + HEAD, size - HEAD, meshes);
}

int vsm_vr_mesh_read(const struct vsm_mp4_source *source, const struct vsm_mp4_box *mshp,
                     struct vsm_vr_meshes *meshes)
{
    const uint64_t size = mshp->size - mshp->header;
    uint8_t *content = NULL;
    int status = VSM_OK;

    memset(meshes, 0, sizeof(*meshes));
    if (size < HEAD || size > VSM_VR_MESH_MAX_BYTES) {
        snprintf(meshes->fault, sizeof(meshes->fault), "has %llu bytes", (unsigned long long)size);
        return VSM_OK;
    }
    content = vsm_mem_alloc_raw("mesh", size, 1);
    status = content ? vsm_mp4_boxes_content(source, mshp, 0, content, size) : VSM_E_NOMEM;
    if (status == VSM_OK) {
        status = check_and_parse(content, size, meshes);
        if (status == VSM_E_INPUT) {
            memset(meshes, 0, sizeof(*meshes));
            snprintf(meshes->fault, sizeof(meshes->fault), "%s", vsm_error_message());
            status = VSM_OK;
        }
    }
    vsm_mem_free(content);
    return status;
}
