#include "tools/cutout.h"
#include "tools/truth_scenes.h"

#include "shared_data.h"
#include "tap.h"

static void test_everybody_in_a_scene_can_be_cast(void)
{
    const struct vsm_truth_scenes_scene *scene;
    int scenes = 0;

    for (; (scene = vsm_truth_scenes_get(scenes)); scenes++) {
        CHECK(scene == vsm_truth_scenes_find(scene->name)); /* names are unique */
        CHECK(scene->cast[0].person != NULL);
        for (int n = 0; n < VSM_TRUTH_SCENES_MAX_CAST && scene->cast[n].person; n++)
            CHECK(vsm_cutout_find(scene->cast[n].person) != NULL);
    }
    CHECK(scenes >= 20);
}

/* The share of the texture that is this person, wholly or half. */
static double share(const struct vsm_cutout *cutout)
{
    const struct vsm_texture_level *level = &cutout->texture.levels[0];
    size_t count = (size_t)level->width * (size_t)level->height;
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += (double)level->rgba[4 * i + 3];
    return sum / (double)count;
}

static void test_pictures_go_forward_and_backward(void)
{
    const struct vsm_cutout_person *skater = vsm_cutout_find("skater");
    struct vsm_cutout there = {0}, back = {0};
    char folder[512];

    if (!shared_path("data", folder, sizeof(folder))) {
        tap_skip("no shared footage");
        return;
    }
    CHECK_INT(vsm_cutout_load(skater, folder, 33, &there), VSM_OK);
    CHECK_INT(vsm_cutout_load(skater, folder, 35, &back), VSM_OK); /* the last of 35 is number 34 */
    CHECK_NEAR(there.x, back.x, 0.0);
    CHECK_NEAR(there.y, back.y, 0.0);
    CHECK_NEAR(there.texels_per_metre, back.texels_per_metre, 0.0);
    CHECK(share(&there) > 0.01 && share(&there) < 0.5);
    CHECK_INT(vsm_cutout_load(skater, folder, 0, &back), VSM_OK);
    CHECK(there.x != back.x); /* she moves */
    CHECK_NEAR(there.texels_per_metre, back.texels_per_metre, 0.0);
    vsm_cutout_destroy(&there);
    vsm_cutout_destroy(&back);
}

static void test_stills_have_their_height(void)
{
    const struct vsm_cutout_person *woman = vsm_cutout_find("woman");
    struct vsm_cutout cutout = {0};
    char folder[512];

    if (!shared_path("data", folder, sizeof(folder))) {
        tap_skip("no shared footage");
        return;
    }
    CHECK_INT(vsm_cutout_load(woman, folder, 7, &cutout), VSM_OK);
    CHECK_NEAR(cutout.texels_per_metre, 441.0 / 1.70, 5.0); /* 441 rows of the still have alpha */
    vsm_cutout_destroy(&cutout);
    CHECK_INT(vsm_cutout_load(woman, "/nonexistent", 0, &cutout), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "/nonexistent/greenscreen_stills/woman.rgba.png");
}

int main(void)
{
    RUN(test_everybody_in_a_scene_can_be_cast);
    RUN(test_pictures_go_forward_and_backward);
    RUN(test_stills_have_their_height);
    return tap_done();
}
