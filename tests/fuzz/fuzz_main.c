#include "fuzz.h"

#ifdef VSM_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vsm_fuzz_one(data, size);
    return 0;
}

#else

#include "tap.h"

#include <dirent.h>
#include <stdlib.h>

/* An exact copy in its own block, so that sanitizers see reads past the end. */
static void run_copy(const uint8_t *data, size_t size, size_t flip)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    if (flip < size)
        copy[flip] ^= (uint8_t)(1 + flip % 255);
    vsm_fuzz_one(copy, size);
    free(copy);
}

/* At most about 500 cuts and 500 flips of one file. */
static void replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc((size_t)1 << 20);
    size_t size = f ? fread(data, 1, (size_t)1 << 20, f) : 0, step = size / 500 + 1;

    CHECK(f != NULL);
    run_copy(data, size, SIZE_MAX);
    for (size_t i = 0; i < size; i += step) {
        run_copy(data, i, SIZE_MAX);
        run_copy(data, size, i);
    }
    free(data);
    if (f)
        fclose(f);
}

static const char *folder;

static void test_corpus(void)
{
    DIR *dir = opendir(folder);
    int files = 0;

    CHECK(dir != NULL);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[4096];

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        replay(path);
        files++;
    }
    CHECK(files > 0);
    if (dir)
        closedir(dir);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    RUN(test_corpus);
    return tap_done();
}

#endif
