#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_status_messages(void)
{
    CHECK_INT(vsm_fail(VSM_E_INPUT, "%s: %d eyes", "a.mp4", 3), VSM_E_INPUT);
    CHECK_STR(vsm_error_message(), "a.mp4: 3 eyes");
    CHECK_INT(vsm_status_exit_code(VSM_E_INPUT), 2);
    CHECK_INT(vsm_status_exit_code(VSM_E_NOMEM), 70);
}

static void test_mem_overflow(void)
{
    CHECK(!vsm_mem_alloc("table", SIZE_MAX / 2, 4));
    CHECK_HAS(vsm_error_message(), "table");
}

static void test_bytes_round_trip(void)
{
    struct vsm_bytes_out w = {0};
    struct vsm_bytes_in r;
    float real;

    vsm_bytes_put_u8(&w, 1);
    vsm_bytes_put_le32(&w, 0x01020304);
    vsm_bytes_put_be64(&w, 0x0102030405060708);
    vsm_bytes_put_f32(&w, (const float[]){1.5f}, 1);
    vsm_bytes_put_f64(&w, -0.1);
    r = vsm_bytes_in_of(w.data, w.size);
    CHECK_INT(w.size, 25);
    CHECK_INT(w.data[1], 4);
    CHECK_INT(w.data[5], 1);
    CHECK_INT(vsm_bytes_get_u8(&r), 1);
    CHECK_INT(vsm_bytes_get_le32(&r), 0x01020304);
    CHECK_INT(vsm_bytes_get_be64(&r), 0x0102030405060708);
    vsm_bytes_get_f32(&r, &real, 1);
    CHECK(real == 1.5f);
    CHECK(vsm_bytes_get_f64(&r) == -0.1);
    CHECK(!r.failed);
    CHECK_INT(vsm_bytes_get_u8(&r), 0);
    CHECK(r.failed);
    CHECK(!vsm_bytes_get(&r, SIZE_MAX));
    vsm_bytes_out_finish(&w);
}

static void test_clock_rescale(void)
{
    const struct vsm_rational ms = {1, 1000}, mpeg = {1, 90000}, ntsc = {1001, 30000};

    CHECK_INT(vsm_clock_rescale(1, ntsc, mpeg), 3003);
    CHECK_INT(vsm_clock_rescale(1, mpeg, ms), 0);
    CHECK_INT(vsm_clock_rescale(-45, mpeg, ms), -1);
    CHECK_INT(vsm_clock_rescale(INT64_MAX / 4, ms, ms), INT64_MAX / 4);
}

static void test_hash_known_values(void)
{
    char hex[VSM_SHA256_HEX];
    struct vsm_sha256 hash;

    CHECK_INT(vsm_hash_sha256("abc", 3, &hash), VSM_OK);
    vsm_hash_hex(&hash, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_INT(vsm_hash_crc32(0, "123456789", 9), 0xCBF43926);
}

static void test_file_atomic(void)
{
    char folder[] = "/tmp/vsm-base-XXXXXX", path[64];
    void *data;
    size_t size;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/a", folder);
    CHECK_INT(vsm_file_write_atomic(path, "first", 5), VSM_OK);
    CHECK_INT(vsm_file_write_atomic(path, "second", 6), VSM_OK);
    CHECK_INT(vsm_file_read(path, 100, VSM_E_INPUT, &data, &size), VSM_OK);
    CHECK_INT(size, 6);
    CHECK_STR(data, "second");
    vsm_mem_free(data);
    CHECK_INT(vsm_file_read(path, 5, VSM_E_MODEL, &data, &size), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "more than the 5");
    CHECK_INT(vsm_file_read(folder, 5, VSM_E_INPUT, &data, &size), VSM_E_INPUT);
    unlink(path);
    CHECK_INT(rmdir(folder), 0);
    CHECK_INT(vsm_file_write_atomic(path, "x", 1), VSM_E_OUTPUT);
}

int main(void)
{
    RUN(test_status_messages);
    RUN(test_mem_overflow);
    RUN(test_bytes_round_trip);
    RUN(test_clock_rescale);
    RUN(test_hash_known_values);
    RUN(test_file_atomic);
    return tap_done();
}
