#include "media/vr_boxes_write.h"
#include "fuzz.h"
#include "media/vr_boxes.h"

#include <stdlib.h>

/* What is accepted must read back as what was written, and rewriting it must change nothing. */
void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    struct vsm_bytes_out once = {0}, twice = {0};

    if (vsm_vr_boxes_write_moov(data, size, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, false, &once) == VSM_OK) {
        struct vsm_mp4_source source = vsm_mp4_boxes_bytes(once.data, once.size);
        struct vsm_vr_boxes_found found;

        if (vsm_vr_boxes_read(&source, 0, &found) == VSM_OK && found.video && !found.boxes.equirect)
            abort();
        if (vsm_vr_boxes_write_moov(once.data, once.size, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, false, &twice) !=
                VSM_OK ||
            twice.size != once.size)
            abort();
    }
    vsm_bytes_out_finish(&once);
    vsm_bytes_out_finish(&twice);
}
