#include "media/vr_boxes.h"

#include "fuzz.h"
#include "media/vr_mesh.h"

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    struct vsm_mp4_source source = vsm_mp4_boxes_bytes(data, size);
    struct vsm_vr_boxes_found found;

    for (uint32_t track = 0; track < 3; track++)
        if (vsm_vr_boxes_read(&source, track, &found) == VSM_OK && found.mesh.size)
            if (vsm_vr_mesh_read(&source, &found.mesh, &found.boxes.meshes)) {
            }
}
