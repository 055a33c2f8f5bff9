/* Whom the tracker is told to follow, frame by frame, with a net of synthetic weights: who becomes an object,
 * who is whom, what is corrected and noted. Not how well anybody is followed. */
#include "sam2_weights.h"

#include "models/sam2_frame.h"
#include "shared_data.h"
#include "stages/track_people.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#define SIZE 256

static char path[] = "/tmp/vsm-sam2-p-XXXXXX";
static const struct vsm_sam2_net_options options = {.path = path, .image_size = SIZE, .session.threads = 2};
static struct vsm_sam2_net *net;
static struct vsm_tensor *images;
static struct vsm_sam2_tracker *tracker;
static struct vsm_track_people people;
static struct vsm_frame frame;

static void begin_test(bool correct, const struct vsm_track_prompt *prompts, int prompt_count)
{
    people = (struct vsm_track_people){.options = {.eyes = 2,
                                                   .prompts = prompts,
                                                   .prompt_count = prompt_count,
                                                   .correct = correct,
                                                   .correction_interval = 2}};
    frame = (struct vsm_frame){.people.known = true};
    CHECK_INT(vsm_sam2_tracker_create(net, &(struct vsm_sam2_tracker_options){.views = 2}, &tracker), VSM_OK);
}

static void see(int32_t id, float left, float right)
{
    struct vsm_person *p = &frame.people.person[frame.people.count++];

    *p = (struct vsm_person){.id = id, .chosen = true};
    p->box[0] = (struct vsm_person_box){left, 0.2f, right, 0.8f};
    p->box[1] = (struct vsm_person_box){left - 0.02f, 0.2f, right - 0.02f, 0.8f};
}

/* One frame as stages/track_stage.c makes it; true if the tracker ran. */
static bool step(bool detected)
{
    const float *const alpha[2] = {NULL, NULL};
    bool ran;

    frame.people.detected = detected;
    ran = vsm_track_people_prepare(&people, tracker, &frame);
    for (int eye = 0; eye < 2; eye++)
        sam2_weights_frame(SIZE, (int)frame.index, vsm_tensor_f32(images) + eye * 3 * SIZE * SIZE);
    if (ran) {
        CHECK_INT(vsm_sam2_tracker_begin(tracker, images), VSM_OK);
        CHECK_INT(vsm_track_people_prompt(&people, tracker, &frame), VSM_OK);
        CHECK_INT(vsm_sam2_tracker_track(tracker), VSM_OK);
        if (vsm_track_people_is_due(&people, &frame))
            CHECK_INT(vsm_track_people_correct(&people, tracker, &frame, alpha), VSM_OK);
    }
    vsm_track_people_finish(&people, tracker, &frame);
    frame.index++;
    frame.people.count = 0;
    frame.scene_cut = false;
    return ran;
}

static int objects(void)
{
    return vsm_sam2_tracker_count(tracker);
}

static void end_test(void)
{
    vsm_sam2_tracker_destroy(tracker);
}

static void test_newcomers(void)
{
    begin_test(false, NULL, 0);
    CHECK(!step(true)); /* nobody */
    see(4, 0.1f, 0.4f);
    CHECK(!step(false)); /* a box that was only carried on is no reason to begin */
    see(4, 0.1f, 0.4f);
    CHECK(step(true));
    CHECK(vsm_sam2_tracker_find(tracker, 0, 4) && vsm_sam2_tracker_find(tracker, 1, 4));
    CHECK_INT(objects(), 2);
    see(4, 0.1f, 0.4f);
    frame.people.person[0].chosen = false;
    CHECK(step(true));
    CHECK_INT(objects(), 2);
    CHECK(!vsm_track_people_chosen(&people, 4));
    CHECK(step(false)); /* out of the detector's sight, still followed, still not chosen */
    CHECK(!vsm_track_people_chosen(&people, 4));
    frame.scene_cut = true;
    CHECK(!step(false));
    CHECK_INT(objects(), 0);
    CHECK_INT(people.name_count, 0);
    end_test();
}

/* The people layer gives a new number to somebody whom the tracker never lost. */
static void test_new_number_of_an_old_object(void)
{
    const struct vsm_sam2_result *r;
    struct vsm_bytes_out a = {0}, b = {0};
    struct vsm_bytes_in in;

    begin_test(false, NULL, 0);
    frame.index = 1; /* on whose picture the box gives a mask, whatever of */
    see(1, 0.04f, 0.39f);
    frame.people.person[0].box[0].top = 0.08f;
    frame.people.person[0].box[0].bottom = 0.43f;
    CHECK(step(true));
    r = vsm_sam2_tracker_find(tracker, 0, 1);
    CHECK(r && r->last_seen == 0);
    if (r)
        see(2, r->last_box[0] / SIZE, r->last_box[2] / SIZE);
    frame.people.person[0].box[0].top = r ? r->last_box[1] / SIZE : 0;
    frame.people.person[0].box[0].bottom = r ? r->last_box[3] / SIZE : 0;
    CHECK(step(true));
    CHECK_INT(objects(), 2);
    CHECK_INT(people.name_count, 2);
    CHECK(people.names[1].person == 2 && people.names[1].object == 1);

    vsm_track_people_save(&people, &a);
    in = vsm_bytes_in_of(a.data, a.size);
    memset(people.names, 0, sizeof(people.names));
    CHECK_INT(vsm_track_people_load(&people, &in), VSM_OK);
    vsm_track_people_save(&people, &b);
    CHECK(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
    for (size_t cut = 0; cut < a.size; cut += 3) {
        in = vsm_bytes_in_of(a.data, cut);
        CHECK_INT(vsm_track_people_load(&people, &in), VSM_E_INPUT);
    }
    vsm_bytes_out_finish(&a);
    vsm_bytes_out_finish(&b);
    end_test();
}

/* Synthetic masks never fit a box, so that every look finds something to correct. */
static void test_corrections_are_noted(void)
{
    begin_test(true, NULL, 0);
    see(1, 0.1f, 0.4f);
    CHECK(step(true));
    see(1, 0.1f, 0.4f);
    CHECK(step(true)); /* not due yet */
    CHECK_INT(people.numbers.listed, 0);
    see(1, 0.1f, 0.4f);
    see(9, 0.6f, 0.9f);
    CHECK(step(true));
    CHECK(people.numbers.listed > 0);
    CHECK_INT(people.numbers.listed,
              people.numbers.corrections[0] + people.numbers.corrections[1] + people.numbers.corrections[2]);
    for (int i = 0; i < people.numbers.listed; i++)
        CHECK_INT(people.numbers.list[i].frame, 2);
    CHECK_INT(people.since_correction, 1);
    end_test();
}

/* Somebody whom one eye has lost is put back from the other. */
static void test_lost_in_one_eye(void)
{
    int found = 0;

    begin_test(true, NULL, 0);
    see(1, 0.1f, 0.4f);
    CHECK(step(true));
    vsm_sam2_tracker_remove(tracker, 1, 1);
    CHECK(step(false));
    see(1, 0.1f, 0.4f);
    CHECK(step(true));
    CHECK(vsm_sam2_tracker_find(tracker, 1, 1) != NULL);
    for (int i = 0; i < people.numbers.listed; i++)
        found += people.numbers.list[i].kind == VSM_SAM2_FOUND_AGAIN && people.numbers.list[i].view == 1 &&
                 people.numbers.list[i].id == 1;
    CHECK_INT(found, 1);
    end_test();
}

/* Somebody leaves both eyes, and comes back under a number that nobody knows to where he was first: known
 * again by the pointer that the decoder makes of him. (The synthetic masks are nowhere near the box, so that
 * place alone says nothing.) */
static void test_found_again_by_appearance(void)
{
    static const struct vsm_person_box place = {0.04f, 0.10f, 0.30f, 0.43f};
    int found = 0;

    begin_test(true, NULL, 0);
    people.options.correction_interval = 1000;
    frame.index = 1;
    see(1, 0, 1);
    frame.people.person[0].box[0] = frame.people.person[0].box[1] = place;
    CHECK(step(true));
    CHECK_INT(objects(), 2);
    for (int i = 0; i < 3; i++) {
        CHECK(step(false)); /* away: the detector sees nobody */
        CHECK_INT(objects(), 2);
    }
    frame.index = 1; /* the very picture; no correction is due but for the newcomer */
    see(77, 0, 1);
    frame.people.person[0].box[0] = frame.people.person[0].box[1] = place;
    CHECK(step(true));
    for (int i = 0; i < people.numbers.listed; i++) {
        found += people.numbers.list[i].kind == VSM_SAM2_FOUND_AGAIN && people.numbers.list[i].id == 1;
    }
    CHECK_INT(found, 2);
    CHECK_INT(objects(), 2);
    CHECK(people.numbers.list[0].similarity > 0.99f);
    see(77, 0, 1);
    CHECK(step(true));
    CHECK(vsm_track_people_chosen(&people, 1));

    frame.index = 3; /* another picture, whose pointer is another one: somebody new */
    see(78, 0, 1);
    frame.people.person[0].box[0] = frame.people.person[0].box[1] =
        (struct vsm_person_box){0.7f, 0.7f, 0.9f, 0.9f};
    CHECK(step(true));
    CHECK(people.numbers.list[2].kind == VSM_SAM2_NEW && people.numbers.list[2].id == 78);
    end_test();
}

/* Somebody who was hidden: his score fell, made so by an empty mask; then his box is back. One more
 * conditioning frame, and nothing begins anew. */
static void test_hidden_then_corrected(void)
{
    static const struct vsm_person_box place = {0.04f, 0.10f, 0.30f, 0.43f};
    static const float nothing[SIZE * SIZE];
    const struct vsm_sam2_prompt hidden = {.mask = nothing, .mask_height = SIZE, .mask_width = SIZE};
    const struct vsm_sam2_result *r;

    begin_test(true, NULL, 0);
    frame.index = 1;
    see(1, 0, 1);
    frame.people.person[0].box[0] = frame.people.person[0].box[1] = place;
    CHECK(step(true));
    CHECK(step(false));
    for (int eye = 0; eye < 2; eye++)
        CHECK_INT(vsm_sam2_tracker_prompt(tracker, eye, 1, &hidden, NULL), VSM_OK);
    CHECK_INT(vsm_sam2_tracker_track(tracker), VSM_OK);
    for (int eye = 0; eye < 2; eye++) {
        r = vsm_sam2_tracker_find(tracker, eye, 1);
        CHECK(r && r->absent && r->score < 0);
        CHECK(!vsm_sam2_tracker_is_conditioned(tracker, eye, 1, 1));
    }
    CHECK_INT(people.numbers.listed, 0);

    frame.index = 1;
    see(1, 0, 1);
    frame.people.person[0].box[0] = frame.people.person[0].box[1] = place;
    CHECK(step(true));
    CHECK_INT(people.numbers.corrections[VSM_SAM2_FOUND_AGAIN], 2);
    CHECK_INT(people.numbers.listed, 2);
    CHECK_INT(vsm_sam2_tracker_frames(tracker), 3);
    CHECK_INT(objects(), 2);
    for (int eye = 0; eye < 2; eye++) {
        r = vsm_sam2_tracker_find(tracker, eye, 1);
        CHECK(r && r->prompted && !r->absent && r->score > 0 && r->last_seen == r->frame);
        CHECK(vsm_sam2_tracker_is_conditioned(tracker, eye, 1, 0));
        CHECK(vsm_sam2_tracker_is_conditioned(tracker, eye, 1, 2));
    }
    CHECK(step(false)); /* and he is followed from both */
    CHECK(vsm_sam2_tracker_is_conditioned(tracker, 0, 1, 2));
    end_test();
}

/* Recorded runs want every frame's features at the addresses of the last one's. */
static void test_features_keep_their_places(void)
{
    struct vsm_sam2_net_options there = options;
    struct vsm_sam2_frame features = {0};
    const void *places[3] = {NULL};

    there.as_device = true;
    CHECK_INT(vsm_sam2_net_create(&there, &features.net), VSM_OK);
    for (int i = 0; features.net && i < 3; i++) {
        CHECK_INT(vsm_sam2_frame_begin(&features, images), VSM_OK);
        CHECK(i == 0 || (features.feat->data == places[0] && features.f0->data == places[1] &&
                         features.f1->data == places[2]));
        places[0] = features.feat->data;
        places[1] = features.f0->data;
        places[2] = features.f1->data;
    }
    vsm_sam2_frame_drop(&features);
    vsm_sam2_net_destroy(features.net);
}

static void test_prompts_decide(void)
{
    static const struct vsm_track_prompt prompts[] = {
        {.number = 1, .frame = 1, .eye = 0, .person = 7, .has_box = true, .box = {20, 20, 120, 200}},
        {.number = 2, .frame = 1, .eye = 0, .person = 7, .clicks = {{60, 60, true}}, .click_count = 1},
        {.number = 3, .frame = 2, .eye = 1, .person = 8, .clicks = {{60, 60, true}}, .click_count = 1},
        {.number = 4, .frame = 3, .eye = 0, .person = 7, .remove = true},
        {.number = 5, .frame = 3, .eye = 1, .person = 7, .remove = true},
    };

    begin_test(false, prompts, 5);
    see(1, 0.1f, 0.4f);
    CHECK(!step(true)); /* the detector has no say */
    see(1, 0.1f, 0.4f);
    CHECK(step(true));
    CHECK_INT(objects(), 1);
    CHECK(vsm_sam2_tracker_find(tracker, 0, 7) && vsm_track_people_chosen(&people, 7));
    CHECK(step(false));
    CHECK_INT(objects(), 2);
    CHECK(step(false));
    CHECK_INT(objects(), 1);
    CHECK(vsm_sam2_tracker_find(tracker, 1, 8) != NULL);
    end_test();
}

int main(void)
{
    char recipe[1024];
    int fd = mkstemp(path);

    if (fd < 0 || !shared_path("golden/sam2/weights/edgetam.json", recipe, sizeof(recipe)) ||
        !sam2_weights_write(recipe, false, path) || vsm_sam2_net_create(&options, &net) != VSM_OK) {
        printf("1..0 # SKIP no golden data\n");
    } else {
        images = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, 3, SIZE, SIZE});
        RUN(test_newcomers);
        RUN(test_new_number_of_an_old_object);
        RUN(test_corrections_are_noted);
        RUN(test_lost_in_one_eye);
        RUN(test_found_again_by_appearance);
        RUN(test_hidden_then_corrected);
        RUN(test_prompts_decide);
        RUN(test_features_keep_their_places);
    }
    vsm_tensor_unref(&images);
    vsm_sam2_net_destroy(net);
    close(fd);
    unlink(path);
    return tap_count ? tap_done() : 0;
}
