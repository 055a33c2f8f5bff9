#include "checkpoint/checkpoint.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "checkpoint_checksums.h"
#include "tap.h"

#include <stdlib.h>

static int append(void *opaque, const void *data, size_t size)
{
    struct vsm_bytes_out *w = opaque;

    vsm_bytes_put(w, data, size);
    return w->failed ? VSM_E_NOMEM : VSM_OK;
}

/* A checkpoint of three records, one of them empty. */
static struct vsm_checkpoint make_checkpoint(void)
{
    struct vsm_checkpoint c = {.generation = 7, .next_seq = 300, .elapsed_ns = 12345678901234, .resumes = 2};

    memset(&c.identity, 0x5a, sizeof(c.identity));
    c.identity.input_size = 987654321;
    c.state = vsm_state_create();
    CHECK_INT(vsm_state_add(c.state, "reader.position", "\1\2\3\4\5\6\7\10", 8), VSM_OK);
    CHECK_INT(vsm_state_add(c.state, "matte.r1", NULL, 0), VSM_OK);
    CHECK_INT(vsm_state_add(c.state, "writer.out0", "hello", 5), VSM_OK);
    return c;
}

static struct vsm_bytes_out encode(const struct vsm_checkpoint *c)
{
    struct vsm_bytes_out w = {0};

    CHECK_INT(vsm_checkpoint_encode(c, append, &w), VSM_OK);
    return w;
}

/* The decoder must take the bytes, and they must be the only ones for what it read. */
static bool decodes_canonically(const void *data, size_t size)
{
    void *exact = vsm_mem_copy("exact", data, size);
    struct vsm_checkpoint c;
    struct vsm_bytes_out again;
    bool same;
    int status = vsm_checkpoint_decode("test", exact, size, &c);

    vsm_mem_free(exact);
    if (status != VSM_OK) {
        CHECK(!c.state && c.generation == 0);
        return false;
    }
    again = encode(&c);
    same = again.size == size && memcmp(again.data, data, size) == 0;
    CHECK(same);
    vsm_bytes_out_finish(&again);
    vsm_checkpoint_clear(&c);
    return true;
}

static void test_round_trip(void)
{
    struct vsm_checkpoint c = make_checkpoint(), d;
    struct vsm_bytes_out w = encode(&c);

    CHECK_INT(w.size, 240 + 3 * 48 + 13);
    CHECK(memcmp(w.data, "\x89VSMCK\r\n\4\0\0\0\3\0\0\0", 16) == 0);
    CHECK(memcmp(w.data + w.size - 4, "VSM.", 4) == 0);
    CHECK_INT(vsm_checkpoint_decode("test", w.data, w.size, &d), VSM_OK);
    CHECK_INT(d.generation, 7);
    CHECK_INT(d.next_seq, 300);
    CHECK_INT(d.elapsed_ns, 12345678901234);
    CHECK_INT(d.resumes, 2);
    CHECK(memcmp(&d.identity, &c.identity, sizeof(c.identity)) == 0);
    CHECK_INT(d.state->count, 3);
    CHECK_STR(d.state->records[0].name, "reader.position");
    CHECK_INT(d.state->records[1].size, 0);
    CHECK(memcmp(vsm_state_find(d.state, "writer.out0")->data, "hello", 5) == 0);
    CHECK(decodes_canonically(w.data, w.size));
    vsm_checkpoint_clear(&d);
    vsm_bytes_out_finish(&w);
    vsm_state_destroy(&c.state);
}

static void test_every_cut_and_every_bit(void)
{
    struct vsm_checkpoint c = make_checkpoint();
    struct vsm_bytes_out w = encode(&c);

    for (size_t size = 0; size < w.size; size++)
        CHECK(!decodes_canonically(w.data, size));
    for (size_t bit = 0; bit < 8 * w.size; bit++) {
        w.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!decodes_canonically(w.data, w.size));
        w.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    vsm_bytes_put_u8(&w, 0);
    CHECK(!decodes_canonically(w.data, w.size));
    CHECK(decodes_canonically(w.data, w.size - 1));
    vsm_bytes_out_finish(&w);
    vsm_state_destroy(&c.state);
}

struct edit {
    size_t at;
    int bytes;
    uint64_t value;
    const char *message;
};

static void test_lies_with_right_checksums(void)
{
    static const struct edit edits[] = {
        {8, 4, 1, "format 1"},
        {8, 4, VSM_CHECKPOINT_VERSION + 1, "--restart"},
        {12, 4, 2, "do not fill"},
        {12, 4, 4, "within a record"},
        {12, 4, 257, "out of range"},
        {12, 4, UINT32_MAX, "out of range"},
        {16, 8, 0, "as long as it says"},
        {16, 8, UINT64_MAX, "as long as it says"},
        {24, 8, 0, "out of range"},
        {32, 8, 0, "out of range"},
        {32, 8, (uint64_t)1 << 63, "out of range"},
        {224, 4, 1, "out of range"},
        {232, 1, 'R', "name"},      /* capital letter */
        {232, 1, 0, "name"},        /* empty, bytes behind its NUL */
        {232 + 31, 1, 'x', "name"}, /* bytes behind its NUL */
        {232 + 32, 8, 9, "name"},   /* takes a byte of the next record */
        {232 + 32, 8, UINT64_MAX, "longer than the file"},
        {232 + 32, 8, 1000, "longer than the file"},
    };

    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        struct vsm_checkpoint c = make_checkpoint(), d;
        struct vsm_bytes_out w = encode(&c);

        put_le(w.data + edits[i].at, edits[i].value, edits[i].bytes);
        fix_checksums(w.data, w.size);
        CHECK_INT(vsm_checkpoint_decode("the file", w.data, w.size, &d), VSM_E_OUTPUT);
        CHECK_HAS(vsm_error_message(), "the file");
        CHECK_HAS(vsm_error_message(), edits[i].message);
        vsm_bytes_out_finish(&w);
        vsm_state_destroy(&c.state);
    }
}

static void test_repeated_name_is_refused(void)
{
    struct vsm_checkpoint c = make_checkpoint(), d;
    struct vsm_bytes_out w = encode(&c);

    memset(w.data + 232 + 56, 0, 32);
    memcpy(w.data + 232 + 56, "reader.position", 15);
    fix_checksums(w.data, w.size);
    CHECK_INT(vsm_checkpoint_decode("test", w.data, w.size, &d), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "repeated name");
    vsm_bytes_out_finish(&w);
    vsm_state_destroy(&c.state);
}

/* Random edits of several bytes with checksums put right: accepted only if canonical. */
static void test_random_edits_are_canonical_or_refused(void)
{
    struct vsm_checkpoint c = make_checkpoint();
    unsigned seed = 1, accepted = 0;

    for (int round = 0; round < 3000; round++) {
        struct vsm_bytes_out w = encode(&c);

        for (int i = 0; i < 1 + round % 3; i++)
            w.data[(size_t)rand_r(&seed) % w.size] = (uint8_t)rand_r(&seed);
        fix_checksums(w.data, w.size);
        accepted += decodes_canonically(w.data, w.size);
        vsm_bytes_out_finish(&w);
    }
    CHECK(accepted > 300 && accepted < 2900);
    vsm_state_destroy(&c.state);
}

static void test_encoder_limits(void)
{
    struct vsm_checkpoint c = make_checkpoint();
    struct vsm_bytes_out w = {0};

    c.next_seq = 0;
    CHECK_INT(vsm_checkpoint_encode(&c, append, &w), VSM_E_INTERNAL);
    c.next_seq = 1;
    c.generation = 0;
    CHECK_INT(vsm_checkpoint_encode(&c, append, &w), VSM_E_INTERNAL);
    c.generation = 1;
    c.state->records[2].size = VSM_CHECKPOINT_MAX_BYTES - 240 - 3 * 48 - 7;
    CHECK_INT(vsm_checkpoint_encode(&c, append, &w), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "writer.out0");
    c.state->records[2].size = SIZE_MAX;
    CHECK_INT(vsm_checkpoint_encode(&c, append, &w), VSM_E_INTERNAL);
    CHECK_INT(w.size, 0);
    vsm_state_destroy(&c.state);
}

static int fail_third(void *opaque, const void *data, size_t size)
{
    (void)data;
    (void)size;
    return ++*(int *)opaque == 3 ? VSM_E_OUTPUT : VSM_OK;
}

static void test_failing_write_ends_the_encoding(void)
{
    struct vsm_checkpoint c = make_checkpoint();
    int calls = 0;

    CHECK_INT(vsm_checkpoint_encode(&c, fail_third, &calls), VSM_E_OUTPUT);
    CHECK_INT(calls, 3);
    vsm_state_destroy(&c.state);
}

int main(void)
{
    RUN(test_round_trip);
    RUN(test_every_cut_and_every_bit);
    RUN(test_lies_with_right_checksums);
    RUN(test_repeated_name_is_refused);
    RUN(test_random_edits_are_canonical_or_refused);
    RUN(test_encoder_limits);
    RUN(test_failing_write_ends_the_encoding);
    return tap_done();
}
