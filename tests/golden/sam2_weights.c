#include "sam2_weights.h"

#include "base/hash.h"
#include "base/mem.h"
#include "models/sam2_names.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define GOLDEN_RATIO 0x9E3779B97F4A7C15u

static uint64_t fnv1a(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static uint64_t scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Sum of four uniform 16-bit numbers, scaled to -2..2 and then by the tensor's spread. */
static float value(uint64_t seed, uint64_t index, double mean, double spread, bool positive)
{
    uint64_t z = scramble(seed + index * GOLDEN_RATIO);
    int sum = (int)(z & 0xffff) + (int)(z >> 16 & 0xffff) + (int)(z >> 32 & 0xffff) + (int)(z >> 48);
    double v = mean + spread * (sum / 65535.0 - 2.0);

    return (float)(positive ? fabs(v) + 0.1 : v);
}

static size_t count_of(const json_t *shape)
{
    size_t n = 1, i;
    json_t *item;

    json_array_foreach((json_t *)shape, i, item) n *= (size_t)json_integer_value(item);
    return n;
}

static bool is_int64(const json_t *tensor)
{
    return strcmp(json_string_value(json_object_get(tensor, "dtype")), "int64") == 0;
}

/* The tensor's bytes in `buffer`; returns how many. */
static size_t fill(const char *salt, const json_t *tensor, float *buffer)
{
    const char *key = json_string_value(json_object_get(tensor, "key"));
    size_t count = count_of(json_object_get(tensor, "shape"));
    double mean = json_number_value(json_object_get(tensor, "mean"));
    double spread = json_number_value(json_object_get(tensor, "std"));
    bool positive;
    uint64_t seed;

    if (is_int64(tensor)) {
        memset(buffer, 0, count * 8);
        return count * 8;
    }
    positive = strcmp(json_string_value(json_object_get(tensor, "transform")), "abs_plus_0.1") == 0;
    seed = fnv1a(fnv1a(0xcbf29ce484222325u, salt), key);
    for (size_t i = 0; i < count; i++)
        buffer[i] = value(seed, i, mean, spread, positive);
    return count * 4;
}

/* Header entries; transformers keeps the four point embeddings, which are neighbours in the file, as one
 * tensor, and to_kv as two. Returns a string to be freed. */
static char *make_header(const json_t *tensors, bool transformers, bool edgetam, size_t *largest)
{
    json_t *header = json_object(), *tensor, *entry;
    size_t i, at = 0;
    char name[256], *text;

    *largest = 0;
    json_array_foreach((json_t *)tensors, i, tensor)
    {
        const char *key = json_string_value(json_object_get(tensor, "key"));
        json_t *shape = json_object_get(tensor, "shape");
        size_t size = count_of(shape) * (is_int64(tensor) ? 8 : 4);
        int64_t first = 0;
        bool special = false;

        snprintf(name, sizeof(name), "%s", key);
        if (transformers)
            special = vsm_sam2_names_transformers(key, edgetam, &first, name, sizeof(name));
        entry = json_pack("{s:s, s:O, s:[I,I]}", "dtype", is_int64(tensor) ? "I64" : "F32", "shape", shape,
                          "data_offsets", (json_int_t)at, (json_int_t)(at + size));
        if (special && strstr(key, "point_embeddings.0")) {
            json_object_set_new(entry, "shape", json_pack("[i,i]", 4, 256));
            json_object_set_new(entry, "data_offsets",
                                json_pack("[I,I]", (json_int_t)at, (json_int_t)(at + 4 * size)));
        } else if (special && strstr(key, "to_kv")) {
            json_t *second = json_deep_copy(entry);
            json_int_t middle = (json_int_t)(at + size / 2);

            json_object_set_new(entry, "shape", json_pack("[i,i]", 64, 64));
            json_object_set_new(second, "shape", json_pack("[i,i]", 64, 64));
            json_object_set_new(entry, "data_offsets", json_pack("[I,I]", (json_int_t)at, middle));
            json_object_set_new(second, "data_offsets", json_pack("[I,I]", middle, (json_int_t)(at + size)));
            json_object_set_new(header, name, entry);
            first = 64 * 64;
            vsm_sam2_names_transformers(key, edgetam, &first, name, sizeof(name));
            entry = second;
        }
        if (special && strstr(key, "point_embeddings") && !strstr(key, "point_embeddings.0"))
            json_decref(entry);
        else
            json_object_set_new(header, name, entry);
        at += size;
        *largest = size > *largest ? size : *largest;
    }
    text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static bool write_all(FILE *f, const char *header, const json_t *root, size_t largest,
                      char hex[VSM_SHA256_HEX])
{
    const char *salt = json_string_value(json_object_get(root, "salt"));
    uint64_t length = (strlen(header) + 7) / 8 * 8;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    float *buffer = vsm_mem_alloc_raw("weights", largest, 1);
    struct vsm_sha256 hash;
    json_t *tensor;
    size_t i;
    bool ok;

    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    ok = buffer && fwrite(&length, 8, 1, f) == 1 && fprintf(f, "%-*s", (int)length, header) == (int)length;
    json_array_foreach(json_object_get(root, "tensors"), i, tensor)
    {
        size_t size = ok ? fill(salt, tensor, buffer) : 0;

        EVP_DigestUpdate(context, buffer, size);
        ok = ok && fwrite(buffer, 1, size, f) == size;
    }
    EVP_DigestFinal_ex(context, hash.bytes, NULL);
    EVP_MD_CTX_free(context);
    vsm_mem_free(buffer);
    vsm_hash_hex(&hash, hex);
    return ok;
}

bool sam2_weights_write(const char *recipe, bool transformers, const char *path)
{
    json_t *root = json_load_file(recipe, 0, NULL);
    bool edgetam = strstr(recipe, "edgetam") != NULL, ok = false;
    char hex[VSM_SHA256_HEX], *header;
    FILE *f = fopen(path, "wb");
    size_t largest;

    if (root && f) {
        header = make_header(json_object_get(root, "tensors"), transformers, edgetam, &largest);
        ok = write_all(f, header, root, largest, hex);
        free(header);
        if (ok && strcmp(hex, json_string_value(json_object_get(root, "sha256_all_tensors"))) != 0) {
            printf("# %s: SHA-256 of the tensors is %s\n", recipe, hex);
            ok = false;
        }
    }
    if (f && fclose(f))
        ok = false;
    json_decref(root);
    return ok;
}

static int pixel(int size, int t, int c, int x, int y)
{
    static const int ax[6] = {3, -5, 7, 2, -11, 13}, ay[6] = {4, 3, -6, -9, 8, 5},
                     speed[6] = {9, -7, 12, 5, -14, 10};
    static const int phase[6][3] = {{100, 420, 777}, {613, 55, 340}, {250, 900, 15},
                                    {480, 210, 660}, {30, 710, 390}, {860, 130, 540}};
    static const int gain[6][3] = {{3, 2, 1}, {1, 3, 2}, {2, 1, 3}, {2, 2, 1}, {1, 1, 2}, {1, 1, 1}};
    static const int cx[2] = {307, 666}, cy[2] = {358, 614}, vx[2] = {18, -13}, vy[2] = {9, 11},
                     r[2] = {150, 180};
    static const int colour[2][3] = {{60000, 9000, 31000}, {8000, 52000, 56000}};
    int px = x * (1024 / size) + 512 / size, py = y * (1024 / size) + 512 / size;
    uint64_t index =
        (((uint64_t)t * 3 + (uint64_t)c) * (uint64_t)size + (uint64_t)y) * (uint64_t)size + (uint64_t)x;
    int64_t sum = 0, v;

    for (int k = 0; k < 6; k++) {
        int p = (ax[k] * px + ay[k] * py + phase[k][c] + speed[k] * t) & 1023;

        sum += gain[k][c] * (p * (1024 - p));
    }
    v = 8000 + (sum >> 6);
    for (int b = 0; b < 2; b++) {
        int64_t dx = px - cx[b] - vx[b] * t, dy = py - cy[b] - vy[b] * t, d = dx * dx + dy * dy,
                r2 = r[b] * r[b];
        int64_t w = d < r2 ? (r2 - d) * 1024 / r2 : 0;

        w = w > 256 ? 256 : w;
        v = (v * (256 - w) + colour[b][c] * w) >> 8;
    }
    v += (int64_t)(scramble(0x5EED5EED5EED5EEDu + index * GOLDEN_RATIO) & 2047);
    return (int)(t == 4 ? 65535 - v : v);
}

void sam2_weights_frame(int size, int t, float *out)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, spread[3] = {0.229f, 0.224f, 0.225f};

    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                *out++ = ((float)pixel(size, t, c, x, y) / 65535.0f - mean[c]) / spread[c];
}
