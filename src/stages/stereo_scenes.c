#include "stages/stereo_scenes.h"

void vsm_stereo_scenes_add(struct vsm_stereo_scenes *scenes, int64_t frame, bool cut, enum vsm_eye master,
                           const struct vsm_alignment_result *alignment)
{
    const bool slave_is_right = master == VSM_LEFT;
    struct vsm_stereo_scene *scene;

    if (cut || scenes->count == 0) {
        if (scenes->count < VSM_STEREO_SCENES_LISTED)
            scenes->listed[scenes->count] = (struct vsm_stereo_scene){.first = frame};
        scenes->count++;
    }
    if (scenes->count > VSM_STEREO_SCENES_LISTED)
        return;
    scene = &scenes->listed[scenes->count - 1];
    scene->frames++;
    scene->order = alignment->eyes;
    scene->unrelated = alignment->unrelated;
    scene->known = alignment->known;
    scene->pitch = slave_is_right ? alignment->pitch : -alignment->pitch;
    for (int c = 0; c < 3; c++)
        scene->gain[c] = slave_is_right ? alignment->gain[c] : 1.0 / alignment->gain[c];
}

static int listed(const struct vsm_stereo_scenes *scenes)
{
    return (int)(scenes->count < VSM_STEREO_SCENES_LISTED ? scenes->count : VSM_STEREO_SCENES_LISTED);
}

void vsm_stereo_scenes_save(const struct vsm_stereo_scenes *scenes, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)scenes->count);
    for (int i = 0; i < listed(scenes); i++) {
        const struct vsm_stereo_scene *s = &scenes->listed[i];

        vsm_bytes_put_le64(out, (uint64_t)s->first);
        vsm_bytes_put_le64(out, (uint64_t)s->frames);
        vsm_bytes_put_u8(out, (uint8_t)s->order);
        vsm_bytes_put_u8(out, s->unrelated);
        vsm_bytes_put_u8(out, s->known);
        vsm_bytes_put_f64(out, s->pitch);
        for (int c = 0; c < 3; c++)
            vsm_bytes_put_f64(out, s->gain[c]);
    }
}

bool vsm_stereo_scenes_load(struct vsm_stereo_scenes *scenes, struct vsm_bytes_in *in)
{
    bool good;

    scenes->count = (int64_t)vsm_bytes_get_le64(in);
    good = !in->failed && scenes->count >= 0;
    for (int i = 0; good && i < listed(scenes); i++) {
        struct vsm_stereo_scene *s = &scenes->listed[i];
        uint8_t order;

        s->first = (int64_t)vsm_bytes_get_le64(in);
        s->frames = (int64_t)vsm_bytes_get_le64(in);
        order = vsm_bytes_get_u8(in);
        s->order = (enum vsm_alignment_eyes)order;
        s->unrelated = vsm_bytes_get_u8(in) != 0;
        s->known = vsm_bytes_get_u8(in) != 0;
        s->pitch = vsm_bytes_get_f64(in);
        for (int c = 0; c < 3; c++)
            s->gain[c] = vsm_bytes_get_f64(in);
        good = !in->failed && order <= VSM_ALIGNMENT_SWAPPED;
    }
    return good;
}
