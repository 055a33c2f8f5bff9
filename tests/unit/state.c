#include "checkpoint/state.h"
#include "base/bytes.h"
#include "tap.h"

static void test_records_keep_order_and_copies(void)
{
    struct vsm_state *s = vsm_state_create();
    char text[] = "abc";

    CHECK_INT(vsm_state_add(s, "matte.r1", text, 3), VSM_OK);
    text[0] = 'x';
    CHECK_INT(vsm_state_add(s, "reader", NULL, 0), VSM_OK);
    CHECK_INT(s->count, 2);
    CHECK_STR(s->records[0].name, "matte.r1");
    CHECK(memcmp(vsm_state_find(s, "matte.r1")->data, "abc", 3) == 0);
    CHECK_INT(vsm_state_find(s, "reader")->size, 0);
    CHECK(!vsm_state_find(s, "matte"));
    vsm_state_destroy(&s);
    CHECK(!s);
    vsm_state_destroy(&s);
}

static void test_bad_names(void)
{
    static const char *const bad[] = {"", "Reader", "a b", "a/b", "a-b", "abcdefghijklmnopqrstuvwxyz012345"};
    struct vsm_state *s = vsm_state_create();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_INT(vsm_state_add(s, bad[i], "x", 1), VSM_E_INTERNAL);
        CHECK_HAS(vsm_error_message(), bad[i]);
    }
    CHECK_INT(vsm_state_add(s, "abcdefghijklmnopqrstuvwxyz01234", "x", 1), VSM_OK);
    CHECK_INT(vsm_state_add(s, "abcdefghijklmnopqrstuvwxyz01234", "y", 1), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "twice");
    CHECK_INT(s->count, 1);
    vsm_state_destroy(&s);
}

static void test_record_limit(void)
{
    struct vsm_state *s = vsm_state_create();
    char name[VSM_STATE_NAME_SIZE];

    for (int i = 0; i < VSM_STATE_MAX_RECORDS; i++) {
        snprintf(name, sizeof(name), "s.%d", i);
        CHECK_INT(vsm_state_add(s, name, &i, sizeof(i)), VSM_OK);
    }
    CHECK_INT(vsm_state_add(s, "one.more", "x", 1), VSM_E_INTERNAL);
    CHECK_INT(s->count, VSM_STATE_MAX_RECORDS);
    CHECK_INT(*(int *)vsm_state_find(s, "s.200")->data, 200);
    vsm_state_destroy(&s);
}

static void test_writers_buffer_is_taken(void)
{
    struct vsm_state *s = vsm_state_create();
    struct vsm_bytes_out w = {0};

    vsm_bytes_put_le32(&w, 0x04030201);
    CHECK_INT(vsm_state_add_bytes(s, "a", &w), VSM_OK);
    CHECK(!w.data && !w.size && !w.capacity);
    CHECK_INT(vsm_state_find(s, "a")->size, 4);
    vsm_bytes_put_le32(&w, 5);
    CHECK_INT(vsm_state_add_bytes(s, "a", &w), VSM_E_INTERNAL);
    CHECK(!w.data && !w.size);
    w.failed = true;
    CHECK_INT(vsm_state_add_bytes(s, "b", &w), VSM_E_NOMEM);
    CHECK(!w.failed);
    CHECK_INT(s->count, 1);
    vsm_state_destroy(&s);
}

int main(void)
{
    RUN(test_records_keep_order_and_copies);
    RUN(test_bad_names);
    RUN(test_record_limit);
    RUN(test_writers_buffer_is_taken);
    return tap_done();
}
