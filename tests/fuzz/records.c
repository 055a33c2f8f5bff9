/* What a checkpoint's records hold of single modules. The first byte says which. Whatever is accepted must
 * save to bytes that are accepted and save to themselves. */
#include "base/mem.h"
#include "fuzz.h"
#include "image/scene_cut.h"
#include "people/drift.h"
#include "people/roster.h"
#include "stages/scaling.h"
#include "stages/stereo_grids.h"
#include "stages/stereo_tally.h"
#include "stages/track_people.h"
#include "stages/view_director.h"
#include "stereo/alignment.h"
#include "stereo/eye_health.h"

#include <stdlib.h>
#include <string.h>

/* Room for the largest of these. */
union module {
    struct vsm_roster roster;
    struct vsm_drift drift;
    struct vsm_scene_cut scene_cut;
    struct vsm_alignment alignment;
    struct vsm_eye_health eye_health;
    struct vsm_scaling scaling;
    struct vsm_stereo_tally tally;
    struct vsm_stereo_grids grids;
    struct vsm_track_people track;
    struct vsm_view_director *director;
};

/* Loads into a new module, which is saved if that went well. */
typedef bool pass(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out);

#define PASS(name, field)                                                                                    \
    static bool pass_##name(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out)             \
    {                                                                                                        \
        if (vsm_##name##_load(&m->field, in) != VSM_OK)                                                      \
            return false;                                                                                    \
        vsm_##name##_save(&m->field, out);                                                                   \
        return true;                                                                                         \
    }

PASS(roster, roster)
PASS(drift, drift)
PASS(scene_cut, scene_cut)
PASS(alignment, alignment)
PASS(eye_health, eye_health)
PASS(track_people, track)

static bool pass_scaling(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out)
{
    struct vsm_scaling_options options;

    if (vsm_scaling_ladder(4096, 4096, 0.0625, 0.375, 0.1875, 16, &options) != VSM_OK)
        abort();
    vsm_scaling_init(&m->scaling, &options);
    if (vsm_scaling_load(&m->scaling, in) != VSM_OK)
        return false;
    vsm_scaling_save(&m->scaling, out);
    return true;
}

static bool pass_tally(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out)
{
    if (!vsm_stereo_tally_load(&m->tally, in))
        return false;
    vsm_stereo_tally_save(&m->tally, out);
    return true;
}

static bool pass_director(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out)
{
    static const struct vsm_view direct[2] = {
        {.eye = VSM_LEFT, .source = {0, 0, 64, 64}, .width = 32, .height = 32},
        {.eye = VSM_RIGHT, .source = {64, 0, 64, 64}, .width = 32, .height = 32},
    };
    const struct vsm_view_director_options options = {
        .direct = direct, .eye_count = 2, .projection = VSM_RECTILINEAR, .follow = true, .sides = {32, 16}};
    bool good;

    if (vsm_view_director_create(&options, &m->director) != VSM_OK)
        return false;
    good = vsm_view_director_load(m->director, in) == VSM_OK;
    if (good)
        vsm_view_director_save(m->director, out);
    vsm_view_director_destroy(m->director);
    return good;
}

/* The views in which eyes are compared, and what is known there. */
static bool pass_grids(union module *m, struct vsm_bytes_in *in, struct vsm_bytes_out *out)
{
    static const struct vsm_view eyes[2] = {{.eye = VSM_LEFT, .source = {0, 0, 512, 512}},
                                            {.eye = VSM_RIGHT, .source = {512, 0, 512, 512}}};
    bool good;

    m->grids.options = (struct vsm_stereo_pair_options){.baseline = 0.064, .threshold = 0.95, .mend = true};
    good = vsm_stereo_grids_load(&m->grids, eyes, in) == VSM_OK;
    if (good)
        vsm_stereo_grids_save(&m->grids, out);
    vsm_stereo_grids_clear(&m->grids);
    return good;
}

static pass *const passes[] = {pass_roster,  pass_drift, pass_scene_cut, pass_alignment,    pass_eye_health,
                               pass_scaling, pass_tally, pass_director,  pass_track_people, pass_grids};

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    union module *m = vsm_mem_alloc("module", 2, sizeof(*m));
    struct vsm_bytes_out first = {0}, second = {0};
    struct vsm_bytes_in in;

    if (!m || size == 0 || data[0] >= sizeof(passes) / sizeof(passes[0]))
        goto done;
    in = vsm_bytes_in_of(data + 1, size - 1);
    if (!passes[data[0]](&m[0], &in, &first) || first.failed)
        goto done;
    in = vsm_bytes_in_of(first.data, first.size);
    if (!passes[data[0]](&m[1], &in, &second) || vsm_bytes_left(&in) != 0 || second.size != first.size ||
        memcmp(first.data, second.data, first.size) != 0)
        abort();
done:
    vsm_bytes_out_finish(&first);
    vsm_bytes_out_finish(&second);
    vsm_mem_free(m);
}
