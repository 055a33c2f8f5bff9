#include "nn/weights.h"

#include "base/mem.h"
#include "shared_data.h"
#include "tap.h"

#include <jansson.h>

static struct vsm_weights *parse(const void *data, size_t size)
{
    struct vsm_weights *w;

    return vsm_weights_parse("test.bin", data, size, &w) ? NULL : w;
}

/* A safetensors file of a header text and `data_size` bytes 0, 1, 2 ... */
static struct vsm_weights *parse_safetensors(const char *header, size_t data_size)
{
    static _Alignas(8) uint8_t file[1024];
    uint64_t length = strlen(header);

    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_size; i++)
        file[8 + length + i] = (uint8_t)i;
    return parse(file, 8 + length + data_size);
}

static void test_safetensors_small(void)
{
    struct vsm_weights *w =
        parse_safetensors("{\"__metadata__\":{\"format\":\"pt\"},"
                          "\"b\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[0,6]},"
                          "\"a\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[6,8]}}",
                          8);
    float v[6];

    CHECK(w != NULL);
    if (!w)
        return;
    CHECK_INT(vsm_weights_count(w), 2);
    CHECK_STR(vsm_weights_at(w, 0)->name, "a");
    CHECK(!vsm_weights_find(w, "c"));
    CHECK_INT(vsm_weight_count(vsm_weights_find(w, "a")), 1);
    vsm_weight_read_f32(vsm_weights_find(w, "b"), v);
    CHECK_NEAR(v[5], 5, 0);
    CHECK_INT(vsm_weights_verify(w), VSM_OK);
    vsm_weights_close(w);
}

static void test_safetensors_refused(void)
{
    CHECK(!parse_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8));
    CHECK_HAS(vsm_error_message(), "a");
    CHECK(!parse_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 8));
    CHECK(!parse_safetensors("{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8));
    CHECK_HAS(vsm_error_message(), "F64");
    CHECK(!parse_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 8));
    CHECK(!parse_safetensors("{\"a\":[]}", 8));
    CHECK(
        !parse_safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 8));
    CHECK(!parse_safetensors("{\"a\":1", 0));
    CHECK_HAS(vsm_error_message(), "header");
    CHECK(!parse("\x7f"
                 "ELF\0\0\0\0\0",
                 9));
    CHECK_HAS(vsm_error_message(), "neither");
}

static void test_not_finite(void)
{
    struct vsm_weights *w =
        parse_safetensors("{\"x.y\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[124,126]}}", 126);

    CHECK(w != NULL); /* bytes 124, 125: 0x7d7c, a half that is no number */
    CHECK_INT(vsm_weights_verify(w), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "x.y");
    vsm_weights_close(w);
}

static void test_half_values(void)
{
    static const uint16_t bits[6] = {0x3c00, 0xc000, 0x0001, 0x8400, 0x7bff, 0x0000};
    static const float expected[6] = {1, -2, 0x1p-24f, -0x1p-14f, 65504, 0};
    const struct vsm_weight w = {
        .name = "h", .dtype = VSM_F16, .rank = 2, .dims = {3, 2}, .strides = {1, 3}, .data = bits};
    float v[6];

    CHECK(!vsm_weight_packed(&w));
    vsm_weight_read_f32(&w, v);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            CHECK_NEAR(v[2 * i + j], expected[i + 3 * j], 0);
}

static void check_tensor(const struct vsm_weight *w, const char *name, const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape"), *values = json_object_get(entry, "values");
    size_t count = json_array_size(values);
    float *v = vsm_mem_alloc("values", count, sizeof(*v));

    CHECK(w != NULL);
    if (w) {
        CHECK_INT(w->rank, json_array_size(shape));
        for (int i = 0; i < w->rank; i++)
            CHECK_INT(w->dims[i], json_integer_value(json_array_get(shape, (size_t)i)));
        CHECK_INT(vsm_weight_count(w), count);
        vsm_weight_read_f32(w, v);
        for (size_t i = 0; i < count; i++)
            if (v[i] != (float)json_number_value(json_array_get(values, i)))
                tap_fail_check(__FILE__, __LINE__, "%s[%zu] is %g", name, i, (double)v[i]);
    }
    vsm_mem_free(v);
}

/* Opens one sample; a bad one must fail while opening or while verifying, with a message. */
static void check_sample(const char *path, const char *name, const json_t *entry, const json_t *tensors)
{
    bool valid = json_is_true(json_object_get(entry, "valid"));
    struct vsm_weights *w = NULL;
    int status = vsm_weights_open(path, &w);
    const char *key;
    json_t *tensor;

    if (status == VSM_OK)
        status = vsm_weights_verify(w);
    printf("# %s: %s\n", name, status ? vsm_error_message() : "accepted");
    CHECK_INT(status, valid ? VSM_OK : VSM_E_MODEL);
    if (!valid)
        CHECK_HAS(vsm_error_message(), name);
    if (valid && w) {
        CHECK_INT(vsm_weights_count(w), json_object_size(tensors));
        json_object_foreach((json_t *)tensors, key, tensor)
            check_tensor(vsm_weights_find(w, key), key, tensor);
    }
    vsm_weights_close(w);
}

static void test_samples(void)
{
    char path[1024];
    json_t *root, *entry;
    const char *name;

    if (!shared_path("golden/sam2/containers/expected.json", path, sizeof(path))) {
        tap_skip("no golden data");
        return;
    }
    root = json_load_file(path, 0, NULL);
    json_object_foreach(json_object_get(root, "files"), name, entry)
    {
        char relative[256];

        snprintf(relative, sizeof(relative), "golden/sam2/containers/%s", name);
        CHECK(shared_path(relative, path, sizeof(path)));
        check_sample(path, name, entry,
                     json_object_get(root, strstr(name, ".pt") ? "pt_tensors" : "safetensors"));
    }
    json_decref(root);
}

/* Every cut of a good archive must be refused or read, never crash: for the sanitizers. */
static void test_every_cut_and_flip(void)
{
    static const char *const names[] = {"ok.pt", "ok.safetensors", "ok_build.pt"};
    char path[1024], relative[256];

    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        static uint8_t file[8192], copy[8192];
        size_t size;
        FILE *f;

        snprintf(relative, sizeof(relative), "golden/sam2/containers/%s", names[n]);
        if (!shared_path(relative, path, sizeof(path))) {
            tap_skip("no golden data");
            return;
        }
        f = fopen(path, "rb");
        size = fread(file, 1, sizeof(file), f);
        fclose(f);
        for (size_t i = 0; i < size; i++) {
            struct vsm_weights *w = parse(file, i);

            CHECK(!w || vsm_weights_count(w) > 0);
            vsm_weights_close(w);
            memcpy(copy, file, size);
            copy[i] ^= 0x41;
            w = parse(copy, size);
            if (w && vsm_weights_verify(w) == VSM_OK)
                CHECK(vsm_weights_count(w) > 0);
            vsm_weights_close(w);
        }
    }
}

int main(void)
{
    RUN(test_safetensors_small);
    RUN(test_safetensors_refused);
    RUN(test_not_finite);
    RUN(test_half_values);
    RUN(test_samples);
    RUN(test_every_cut_and_flip);
    return tap_done();
}
