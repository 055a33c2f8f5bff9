/* The list of all frames: what it says, where it goes on after a resume, and a disk without space. */
#include "stages/stereo_list.h"

#include "tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char path[] = "/tmp/vsm-list-XXXXXX";

static int add(struct vsm_stereo_list *list, int64_t frame)
{
    static const enum vsm_eye_health_fault faults[2] = {0};
    const struct vsm_stereo_pair_result result = {.measured = true, .before.overlap = 0.5f};

    return vsm_stereo_list_add(list, frame, 0, faults, &result);
}

static int lines(const char *with)
{
    FILE *file = fopen(path, "r");
    char line[512];
    int count = 0;

    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, with) != NULL;
    if (file)
        fclose(file);
    return count;
}

static void test_without_a_list(void)
{
    struct vsm_stereo_list none = {0};
    int64_t size = -1;

    CHECK_INT(add(&none, 0), VSM_OK);
    CHECK_INT(vsm_stereo_list_mark(&none, &size), VSM_OK);
    CHECK_INT(size, 0);
    vsm_stereo_list_close(&none);
}

static void test_goes_on_at_its_mark(void)
{
    struct vsm_stereo_list list = {.path = path};
    int64_t size = 0;

    for (int n = 0; n < 3; n++)
        CHECK_INT(add(&list, n), VSM_OK);
    CHECK_INT(vsm_stereo_list_mark(&list, &size), VSM_OK);
    CHECK_INT(add(&list, 3), VSM_OK);
    CHECK_INT(lines("\"consistency\":0.5000"), 4); /* without closing it */
    vsm_stereo_list_close(&list);
    list.size = size;
    CHECK_INT(add(&list, 30), VSM_OK);
    vsm_stereo_list_close(&list);
    CHECK_INT(lines(""), 4);
    CHECK_INT(lines("\"frame\":3,"), 0);
    CHECK_INT(lines("\"frame\":30,"), 1);
    list.size = 1 << 20;
    CHECK_INT(add(&list, 31), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "shorter than its checkpoint says");
}

/* A limit of file sizes stands for a full disk. */
static void test_no_space(void)
{
    struct vsm_stereo_list list = {.path = path};
    struct rlimit before, limit;
    int status = VSM_OK, n = 0;

    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = before;
    limit.rlim_cur = 1000;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    while (status == VSM_OK && n < 100)
        status = add(&list, n++);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_INT(status, VSM_E_OUTPUT);
    CHECK(n < 10);
    CHECK_HAS(vsm_error_message(), "the list of frames cannot be written");
    vsm_stereo_list_close(&list);
}

int main(void)
{
    const int fd = mkstemp(path);

    if (fd >= 0)
        close(fd);
    RUN(test_without_a_list);
    RUN(test_goes_on_at_its_mark);
    RUN(test_no_space);
    unlink(path);
    return tap_done();
}
