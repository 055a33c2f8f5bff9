/* What stands behind an mshp box's CRC, and the layout that would come of it. */
#include "media/vr_mesh.h"

#include "fuzz.h"
#include "media/vr_mesh_lens.h"

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    const struct vsm_rect eyes[2] = {{0, 0, 1024, 1024}, {1024, 0, 1024, 1024}};
    struct vsm_vr_meshes meshes;
    struct vsm_lens lenses[2];
    enum vsm_layout layout;
    bool right_left;

    if (vsm_vr_mesh_parse(data, size, &meshes) != VSM_OK)
        return;
    (void)vsm_vr_mesh_lens_layout(&meshes, &layout, &right_left);
    if (vsm_vr_mesh_lens_of(&meshes, 2048, 1024, eyes, 2, lenses)) {
    }
}
