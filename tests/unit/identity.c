#include "checkpoint/identity.h"

#include "tap.h"

#include <fcntl.h>
#include <unistd.h>

static char path[64];

static void make_file(off_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    CHECK(fd >= 0 && ftruncate(fd, size) == 0);
    close(fd);
}

static void put_byte(off_t at)
{
    int fd = open(path, O_WRONLY);

    CHECK_INT(pwrite(fd, "x", 1, at), 1);
    close(fd);
}

static struct vsm_identity identity_of_file(void)
{
    struct vsm_identity identity = {0};

    CHECK_INT(vsm_identity_read_input(path, &identity), VSM_OK);
    return identity;
}

static void check_change(off_t at, const char *where)
{
    struct vsm_identity before, after;

    make_file(10 << 20);
    before = identity_of_file();
    CHECK_INT(vsm_identity_compare("out.mp4", &before, &before), VSM_OK);
    put_byte(at);
    after = identity_of_file();
    CHECK_INT(vsm_identity_compare("out.mp4", &before, &after), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "out.mp4");
    CHECK_HAS(vsm_error_message(), "input changed");
    CHECK_HAS(vsm_error_message(), where);
    CHECK_HAS(vsm_error_message(), "--restart");
}

static void test_changed_input_is_seen(void)
{
    check_change(0, "beginning");
    check_change((1 << 20) - 1, "beginning");
    check_change(5 << 20, "middle");
    check_change((10 << 20) - 1, "end");
    check_change(9 << 20, "end");
}

static void test_size_is_named(void)
{
    struct vsm_identity before, after;

    make_file(5000);
    before = identity_of_file();
    make_file(5001);
    after = identity_of_file();
    CHECK_INT(vsm_identity_compare("out.mp4", &before, &after), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "5001 bytes, was 5000");
}

static void test_small_and_empty_files(void)
{
    struct vsm_identity a, b;

    make_file(0);
    a = identity_of_file();
    CHECK_INT(a.input_size, 0);
    make_file(3);
    b = identity_of_file();
    CHECK(memcmp(&b.input_head, &b.input_tail, 32) == 0);
    CHECK_INT(vsm_identity_compare("o", &a, &b), VSM_E_INPUT);
}

static void test_unreadable_input(void)
{
    struct vsm_identity identity;

    CHECK_INT(vsm_identity_read_input("/nonexistent.mp4", &identity), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "/nonexistent.mp4");
    CHECK_INT(vsm_identity_read_input("/", &identity), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "not a regular file");
}

static void test_everything_that_differs_is_named(void)
{
    struct vsm_identity a = {.input_size = 1}, b = a;

    b.settings.bytes[0] = 0xab;
    CHECK_INT(vsm_identity_compare("o", &a, &b), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "settings");
    CHECK_HAS(vsm_error_message(), "hash ab0000000000, was 000000000000");
    CHECK(!strstr(vsm_error_message(), "model"));
    b.models.bytes[31] = 1;
    CHECK_INT(vsm_identity_compare("o", &a, &b), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "model files changed");
    CHECK_HAS(vsm_error_message(), " and the settings");
    b.input_size = 2;
    CHECK_INT(vsm_identity_compare("o", &a, &b), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "input changed (2 bytes, was 1) and the model files");
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/vsm-identity-%ld", (long)getpid());
    RUN(test_changed_input_is_seen);
    RUN(test_size_is_named);
    RUN(test_small_and_empty_files);
    RUN(test_unreadable_input);
    RUN(test_everything_that_differs_is_named);
    unlink(path);
    return tap_done();
}
