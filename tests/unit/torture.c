/* Whatever reads or writes files, while the n-th call of each kind to the outside fails, for n = 1 until none
 * does: a clean status, a message that names the file, nothing left behind, and success afterwards. */
#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "checkpoint/identity.h"
#include "checkpoint/status_file.h"
#include "config/cli.h"
#include "config/options.h"
#include "media/packet_index.h"
#include "media/still.h"
#include "media/video_reader.h"
#include "media/vr_boxes.h"
#include "media/vr_boxes_write.h"
#include "nn/tfjs.h"
#include "nn/weights.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef VSM_FAULT_POINTS

#include "tiny_video.h"

static char folder[] = "/tmp/vsm-torture-XXXXXX";

static int load_config(const char *path)
{
    char *arguments[] = {(char *)"vr180-streaming", (char *)path, (char *)"in.mp4", NULL};
    struct vsm_cli cli;
    int status = vsm_cli_parse(3, arguments, &cli);

    if (status == VSM_OK)
        vsm_cli_finish(&cli);
    return status;
}

static int generate(const char *path, bool force)
{
    struct vsm_cli cli = {.generate_path = (char *)path, .force = force};
    int status = vsm_options_defaults(&cli.config);

    if (status == VSM_OK)
        status = vsm_cli_generate_config(&cli);
    vsm_options_finish(&cli.config);
    return status;
}

static int generate_new(const char *path)
{
    unlink(path);
    return generate(path, false);
}

static int generate_again(const char *path)
{
    return generate(path, true);
}

static int open_weights(const char *path)
{
    struct vsm_weights *weights = NULL;
    int status = vsm_weights_open(path, &weights);

    if (status == VSM_OK)
        status = vsm_weights_verify(weights);
    vsm_weights_close(weights);
    return status;
}

static int open_tfjs(const char *path)
{
    struct vsm_tfjs *model = NULL;
    int status = vsm_tfjs_open(path, &model);

    if (status == VSM_OK)
        vsm_tfjs_close(model);
    return status;
}

static int hash(const char *path)
{
    struct vsm_sha256 sum;

    return vsm_hash_sha256_path(path, &sum);
}

static int identify(const char *path)
{
    struct vsm_identity identity;

    return vsm_identity_read_input(path, &identity);
}

static int read_boxes(const char *path)
{
    struct vsm_vr_boxes_found found;

    return vsm_vr_boxes_read_path(path, 0, &found);
}

static int write_boxes(const char *path)
{
    return vsm_vr_boxes_write(path, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, false);
}

static int read_video(const char *path)
{
    const struct vsm_video_reader_options options = {.threads = 1};
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_video_reader *reader = NULL;
    int status = frame ? vsm_video_reader_open(path, &options, &reader) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_video_reader_next(reader, frame);
    vsm_video_reader_close(reader);
    vsm_frame_destroy(&frame);
    return status;
}

static int write_still(const char *path)
{
    const struct vsm_format format = {.planes = VSM_PLANES_GRAY, .depth = 8};
    struct vsm_image *image = vsm_image_create(format, 4, 4, (struct vsm_colour){0});
    int status = image ? VSM_OK : VSM_E_NOMEM;

    for (int y = 0; image && y < 4; y++)
        memset(image->data[0] + y * image->stride[0], 40 * y, 4);
    if (status == VSM_OK)
        status = vsm_still_write_png(path, image);
    vsm_image_unref(&image);
    return status;
}

static int read_still(const char *path)
{
    struct vsm_image *image = NULL;
    int status = vsm_still_read(path, &image);

    vsm_image_unref(&image);
    return status;
}

static int write_status(const char *path)
{
    return vsm_status_file_write(path, &(struct vsm_status_file){.done_frames = 3});
}

static int read_status(const char *path)
{
    struct vsm_status_file news;

    return vsm_status_file_read(path, &news);
}

static int write_index(const char *path)
{
    struct vsm_packet_index index = {0};
    int status = vsm_packet_index_create(path, &index);

    if (status == VSM_OK)
        status = vsm_packet_index_add(&index, &(struct vsm_packet_entry){.pts = 1, .size = 7});
    if (status == VSM_OK)
        status = vsm_packet_index_sync(&index);
    vsm_packet_index_close(&index);
    return status;
}

static int ignore(void *opaque, const struct vsm_packet_entry *entry)
{
    (void)opaque, (void)entry;
    return VSM_OK;
}

static int resume_index(const char *path)
{
    static uint32_t crc;
    struct vsm_packet_index index = {0};
    uint8_t entry[VSM_PACKET_INDEX_ENTRY] = {[0] = 1, [24] = 7};
    int status;

    crc = vsm_hash_crc32(0, entry, sizeof(entry));
    status = vsm_packet_index_resume(path, 1, crc, ignore, NULL, &index);
    vsm_packet_index_close(&index);
    return status;
}

/* In this order: what one writes the next may read. least: failures there must be, so that a lost fault point
 * is noticed. keeps: what stood at the path stays there. goes_on: files are only looked into, and it does
 * without. */
static const struct {
    const char *name, *file;
    int (*run)(const char *path);
    int least;
    bool keeps, goes_on;
} actions[] = {
    {"generate-config", "new.yaml", generate_new, 4},
    {"generate-config --force", "new.yaml", generate_again, 9, .keeps = true},
    {"config", "new.yaml", load_config, 8, .keeps = true},
    {"weights", "w.safetensors", open_weights, 5, .keeps = true},
    {"network's files", "model.json", open_tfjs, 11, .keeps = true},
    {"hash of a model", "w.safetensors", hash, 4, .keeps = true},
    {"identity of the input", "in.mp4", identify, 7, .keeps = true},
    {"VR boxes read", "in.mp4", read_boxes, 20, .keeps = true},
    {"VR boxes written", "in.mp4", write_boxes, 16, .keeps = true},
    {"video reader", "in.mp4", read_video, 9, .keeps = true, .goes_on = true},
    {"still written", "a.png", write_still, 8, .keeps = true},
    {"still read", "a.png", read_still, 2, .keeps = true},
    {"status written", "status", write_status, 4, .keeps = true},
    {"status read", "status", read_status, 3, .keeps = true},
    {"packet index", "index", write_index, 4},
    {"packet index resumed", "index", resume_index, 6, .keeps = true},
};

static const struct {
    const char *point;
    int error;
} faults[] = {
    {"mem.alloc", ENOMEM}, {"file.open", EMFILE},   {"file.read", EIO},    {"file.write", ENOSPC},
    {"file.fsync", EIO},   {"file.rename", EACCES}, {"mux.open", EMFILE},  {"mux.read", EIO},
    {"mux.write", ENOSPC}, {"mux.fsync", EIO},      {"mux.truncate", EIO},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int entries(const char *path)
{
    DIR *list = opendir(path);
    int count = 0;

    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count;
}

static void file(const char *name, const void *data, size_t size)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    CHECK_INT(vsm_file_write_atomic(path, data, size), VSM_OK);
}

static void make_files(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char network[] = "{\"weightsManifest\":[{\"paths\":[\"shard\"],\"weights\":[{\"name\":\"a\","
                                  "\"shape\":[1],\"dtype\":\"float32\"}]}]}";
    const struct tiny_video video = {.pixel_format = AV_PIX_FMT_YUV420P,
                                     .width = 64,
                                     .height = 32,
                                     .frames = 3};
    char bytes[8 + sizeof(header) - 1 + 4] = {(char)(sizeof(header) - 1)}, path[96];

    memcpy(bytes + 8, header, sizeof(header) - 1);
    file("w.safetensors", bytes, sizeof(bytes));
    file("model.json", network, sizeof(network) - 1);
    file("shard", "\0\0\0", 4);
    snprintf(path, sizeof(path), "%s/in.mp4", folder);
    CHECK(tiny_video_write(path, &video));
}

static void check_outcome(size_t a, size_t f, bool hit, int status)
{
    const char *message = vsm_error_message();
    bool memory = faults[f].error == ENOMEM;
    bool good = status == VSM_OK;

    if (!hit || (actions[a].goes_on && !memory)) {
        CHECK(good);
    } else {
        good = status != VSM_OK && memory == (status == VSM_E_NOMEM) && strlen(message) > 10 &&
               (memory || strstr(message, actions[a].file) || strstr(message, "/shard:"));
        CHECK(good);
    }
    if (!good)
        printf("# %s, %s: status %d, %s\n", actions[a].name, faults[f].point, status, message);
}

/* One action under one kind of fault. Returns how often it failed. */
static int torture(size_t a, size_t f, const char *path)
{
    bool hit = true;
    int failures = 0;

    for (unsigned long n = 1; hit && n < 1000; n++) {
        int files = entries(folder), descriptors = entries("/proc/self/fd"), status;
        bool before = access(path, F_OK) == 0, now;

        vsm_fault_arm(faults[f].point, n, faults[f].error, 0);
        status = actions[a].run(path);
        hit = vsm_fault_hits() >= n;
        vsm_fault_arm(NULL, 0, 0, 0);
        failures += status != VSM_OK;
        check_outcome(a, f, hit, status);
        CHECK_INT(entries("/proc/self/fd"), descriptors);
        now = access(path, F_OK) == 0;
        CHECK_INT(entries(folder), files + now - before);
        CHECK(!actions[a].keeps || now || !before);
    }
    CHECK(!hit);
    return failures;
}

static void test_every_call_fails_once(void)
{
    vsm_log_set_level(VSM_LOG_ERROR); /* without boxes the reader goes on, and says so */
    CHECK(mkdtemp(folder) != NULL);
    make_files();
    for (size_t a = 0; a < COUNT(actions); a++) {
        int all = 0;
        char path[96];

        snprintf(path, sizeof(path), "%s/%s", folder, actions[a].file);
        printf("# %s:", actions[a].name);
        for (size_t f = 0; f < COUNT(faults); f++) {
            int failures = torture(a, f, path);

            if (failures > 0)
                printf(" %s %d", faults[f].point, failures);
            all += failures;
        }
        printf("\n");
        CHECK(all >= actions[a].least);
    }
}

static void test_nothing_is_left(void)
{
    static const char *const names[] = {"new.yaml", "w.safetensors", "model.json", "shard",
                                        "in.mp4",   "a.png",         "status",     "index"};
    char path[96];

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        CHECK_INT(unlink(path), 0);
    }
    CHECK_INT(rmdir(folder), 0);
}

#else

static void test_every_call_fails_once(void)
{
    tap_skip("built without -Dfault_points=true");
}

static void test_nothing_is_left(void)
{
    tap_skip("built without -Dfault_points=true");
}

#endif

int main(void)
{
    RUN(test_every_call_fails_once);
    RUN(test_nothing_is_left);
    return tap_done();
}
