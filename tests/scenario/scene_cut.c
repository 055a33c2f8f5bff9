/* Real cuts, made by joining clips, and real motion without any. */
#include "image/scene_cut.h"
#include "image/preprocess.h"
#include "media/video_reader.h"
#include "shared_data.h"
#include "tap.h"

#define W     256
#define H     144
#define CLIPS 5

static const char *const clips[CLIPS] = {
    "data/clips/05_default_juggle.mp4",
    "data/clips/06_pingpong.mp4",
    "data/clips/07_snowboarder.mp4",
    "data/clips/freerunner_test-sample2.mp4",
    "data/chroma_clips/man_on_green_360x640.mp4",
};

static struct vsm_scene_cut state;

/* Feeds pictures first..first+count-1; the number of cuts among them, and whether the first was one. */
static int feed(const char *name, int64_t first, int count, bool *at_first)
{
    struct vsm_video_reader *reader;
    struct vsm_view view = {.width = W, .height = H};
    static float rgb[3 * W * H];
    const float *eyes[1] = {rgb};
    char path[4096];
    int cuts = 0;

    if (!shared_path(name, path, sizeof(path)) ||
        vsm_video_reader_open(path, &(struct vsm_video_reader_options){1}, &reader))
        return -1;
    CHECK_INT(vsm_video_reader_seek(reader, first), VSM_OK);
    for (int i = 0; i < count; i++) {
        struct vsm_frame *frame = vsm_frame_create();
        bool cut = false;

        if (frame && vsm_video_reader_next(reader, frame) == VSM_OK) {
            view.source = (struct vsm_rect){0, 0, frame->source->width, frame->source->height};
            CHECK_INT(vsm_preprocess(frame->source, &view, rgb, NULL), VSM_OK);
            cut = vsm_scene_cut_next(&state, eyes, 1, W, H);
        }
        if (i == 0)
            *at_first = cut;
        cuts += cut;
        vsm_frame_destroy(&frame);
    }
    vsm_video_reader_close(reader);
    return cuts;
}

static void test_joined_clips(void)
{
    bool at_first;

    memset(&state, 0, sizeof(state));
    if (feed(clips[0], 0, 3, &at_first) < 0) {
        tap_skip("no shared footage");
        return;
    }
    for (int i = 0; i < CLIPS; i++)
        for (int j = 1; j < CLIPS; j += 2) {
            const char *a = clips[i], *b = clips[(i + j) % CLIPS];

            (void)feed(a, 2, 3, &at_first);
            CHECK_INT(feed(b, 5, 3, &at_first), 1);
            CHECK(at_first);
            if (!at_first)
                printf("# %s to %s: change %.2f histogram %.2f\n", a, b, state.last_change,
                       state.last_histogram);
        }
}

static void test_motion_without_cuts(void)
{
    bool at_first;

    for (int i = 0; i < CLIPS; i++) {
        int cuts;

        memset(&state, 0, sizeof(state));
        cuts = feed(clips[i], 0, 48, &at_first);
        if (cuts < 0) {
            tap_skip("no shared footage");
            return;
        }
        CHECK_INT(cuts, 0);
    }
}

int main(void)
{
    RUN(test_joined_clips);
    RUN(test_motion_without_cuts);
    return tap_done();
}
