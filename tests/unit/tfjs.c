#include "nn/tfjs.h"

#include "base/fault.h"
#include "base/mem.h"
#include "tap.h"

#include <errno.h>

/* 4 bytes of uint8, 2 x 2 of uint16, 2 x 2 of float16, 8 of float32, 4 of int32, 1 of bool: 25 bytes. */
static const uint8_t shard[] = {0, 1,    254,  255, 0, 0,    255,  255,  0x00, 0x3c, 0x01, 0x80, 0,
                                0, 0x80, 0x3f, 0,   0, 0x80, 0xbf, 0xfe, 0xff, 0xff, 0xff, 1};

#define Q(type) "\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"" type "\",\"min\":-1,\"scale\":0.1}"
#define GOOD                                                                                                 \
    "{\"name\":\"a\",\"shape\":[2,2]," Q("uint8") "},{\"name\":\"b\",\"shape\":[2]," Q(                      \
        "uint16") "},"                                                                                       \
                  "{\"name\":\"c\",\"shape\":[2]," Q(                                                        \
                      "float16") "},"                                                                        \
                                 "{\"name\":\"d\",\"shape\":[1,2],\"dtype\":\"float32\"},{\"name\":\"e\","   \
                                 "\"shape\":[],\"dtype\":\"int32\"},"                                        \
                                 "{\"name\":\"f\",\"shape\":[1],\"dtype\":\"bool\"}"
#define GROUP(paths, weights) "{\"weightsManifest\":[{\"paths\":[" paths "],\"weights\":[" weights "]}]}"

/* Shards "1" and "2" are the two parts, "all" is everything. */
static int load(void *opaque, const char *name, void **data, size_t *size)
{
    const size_t cut = 7, from = strcmp(name, "2") == 0 ? cut : 0,
                 to = strcmp(name, "1") == 0 ? cut : sizeof(shard);

    (void)opaque;
    if (strcmp(name, "gone") == 0)
        return vsm_fail(VSM_E_MODEL, "gone: no such file");
    *size = to - from;
    *data = vsm_mem_copy("shard", shard + from, *size);
    return *data ? VSM_OK : VSM_E_NOMEM;
}

static int parse(const char *json, struct vsm_tfjs **model)
{
    return vsm_tfjs_parse("test.json", json, strlen(json), load, NULL, model);
}

static void check_values(const char *json)
{
    struct vsm_tfjs *m = NULL;
    struct vsm_tensor *t;
    int status;

    CHECK_INT(parse(json, &m), VSM_OK);
    if (!m) {
        printf("# %s\n", vsm_error_message());
        return;
    }
    CHECK_INT(vsm_tfjs_count(m), 6);
    CHECK_STR(vsm_tfjs_name(m, 5), "f");
    t = vsm_tfjs_tensor(m, "a", &status);
    CHECK_INT(t->rank, 2);
    CHECK_INT(t->dims[1], 2);
    CHECK_NEAR(vsm_tensor_f32(t)[0], -1, 0);
    CHECK(vsm_tensor_f32(t)[3] == (float)(255 * 0.1 - 1));
    vsm_tensor_unref(&t);
    t = vsm_tfjs_tensor(m, "b", &status);
    CHECK(vsm_tensor_f32(t)[1] == (float)(65535 * 0.1 - 1));
    vsm_tensor_unref(&t);
    t = vsm_tfjs_tensor(m, "c", &status);
    CHECK_NEAR(vsm_tensor_f32(t)[0], 1, 0);
    CHECK_NEAR(vsm_tensor_f32(t)[1], -ldexp(1, -24), 0);
    vsm_tensor_unref(&t);
    t = vsm_tfjs_tensor(m, "d", &status);
    CHECK_NEAR(vsm_tensor_f32(t)[1], -1, 0);
    vsm_tensor_unref(&t);
    t = vsm_tfjs_tensor(m, "e", &status);
    CHECK_INT(t->dtype, VSM_I32);
    CHECK_INT(*(const int32_t *)t->data, -2);
    vsm_tensor_unref(&t);
    CHECK(!vsm_tfjs_tensor(m, "g", &status));
    CHECK_INT(status, VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "\"g\"");
    vsm_tfjs_close(m);
}

static void test_values_of_one_shard(void)
{
    check_values(GROUP("\"all\"", GOOD));
}

static void test_values_across_shards(void)
{
    check_values(GROUP("\"1\",\"2\"", GOOD));
}

static void test_broken_variants_are_refused(void)
{
    static const struct {
        const char *json, *words;
    } broken[] = {
        {"", "test.json"},
        {"{\"weightsManifest\":[", "damaged"},
        {"[1]", "weightsManifest"},
        {"{\"weightsManifest\":{}}", "weightsManifest"},
        {"{\"weightsManifest\":[7]}", "no paths"},
        {"{\"weightsManifest\":[{\"paths\":[],\"weights\":3}]}", "no paths"},
        {GROUP("\"../all\"", GOOD), "plain name"},
        {GROUP("\"/etc/passwd\"", GOOD), "plain name"},
        {GROUP("\"\"", GOOD), "plain name"},
        {GROUP("4", GOOD), "plain name"},
        {GROUP("\"gone\"", GOOD), "gone"},
        {GROUP("\"1\"", GOOD), "\"b\" reaches past"},
        {GROUP("", GOOD), "\"a\" reaches past"},
        {GROUP("\"all\",\"1\"", GOOD), "7 bytes are left over"},
        {GROUP("\"all\"", "{\"shape\":[1],\"dtype\":\"bool\"}"), "no name"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"dtype\":\"bool\"}"), "\"x\" has no shape"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1],\"dtype\":\"bool\"}"),
         "too many dimensions"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[-1],\"dtype\":\"bool\"}"), "impossible shape"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[1.5],\"dtype\":\"bool\"}"), "impossible shape"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[4294967296,4294967296],\"dtype\":\"bool\"}"),
         "impossible shape"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[4611686018427387904],\"dtype\":\"float32\"}"),
         "reaches past"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[1],\"dtype\":\"string\"}"), "type other than"},
        {GROUP("\"all\"", "{\"name\":\"x\",\"shape\":[1]}"), "type other than"},
        {GROUP("\"all\"",
               "{\"name\":\"x\",\"shape\":[1],\"dtype\":\"int32\",\"quantization\":{\"dtype\":\"uint8\"}}"),
         "unknown way"},
        {GROUP("\"all\"",
               "{\"name\":\"x\",\"shape\":[1],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint4\"}}"),
         "quantised to a type"},
        {GROUP("\"all\"",
               "{\"name\":\"x\",\"shape\":[1],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\"}}"),
         "scale"},
    };

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct vsm_tfjs *m = NULL;

        CHECK_INT(parse(broken[i].json, &m), VSM_E_MODEL);
        CHECK_HAS(vsm_error_message(), broken[i].words);
        CHECK(!m);
        vsm_tfjs_close(m);
    }
}

static void test_missing_file_is_named(void)
{
    struct vsm_tfjs *m = NULL;

    CHECK_INT(vsm_tfjs_open("no/such/model.json", &m), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "no/such/model.json");
}

static void test_every_allocation_may_fail(void)
{
#ifdef VSM_FAULT_POINTS
    int status = VSM_E_NOMEM;

    for (unsigned long n = 1; status && n < 100; n++) {
        struct vsm_tfjs *m = NULL;
        struct vsm_tensor *t = NULL;

        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        status = parse(GROUP("\"1\",\"2\"", GOOD), &m);
        if (!status)
            t = vsm_tfjs_tensor(m, "a", &status);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(!status || status == VSM_E_NOMEM);
        CHECK(!status == (t != NULL));
        vsm_tensor_unref(&t);
        vsm_tfjs_close(m);
    }
    CHECK_INT(status, VSM_OK);
#else
    tap_skip("built without fault points");
#endif
}

int main(void)
{
    RUN(test_values_of_one_shard);
    RUN(test_values_across_shards);
    RUN(test_broken_variants_are_refused);
    RUN(test_missing_file_is_named);
    RUN(test_every_allocation_may_fail);
    return tap_done();
}
