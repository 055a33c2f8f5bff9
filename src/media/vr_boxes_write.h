/* Writes the boxes that say "VR180" into a finished MP4 or QuickTime file: st3d and sv3d (Google, spherical
 * video V2 RFC) in the sample entry of the first video track, half-equirect: equi bounds left = right = a
 * quarter; or vexu and hfov (Apple Projected Media Profile): both eyes' views, half-equirect, packed side by
 * side or over and under, 180 degrees wide. The two kinds exclude each other: some readers take a file with
 * both for a whole sphere.
 *
 * FFmpeg's muxer writes such boxes only in MP4 mode and only as "unofficial"; this module gives the same
 * boxes to .mp4 and .mov whatever FFmpeg is linked. Boxes of this kind that are there already (st3d, sv3d,
 * vexu, hfov) are replaced.
 *
 * Media data never moves and chunk offsets stay: when moov is the last box it is written anew in place,
 * otherwise the new moov is appended and the old one becomes a free box. Meant for a file that still has its
 * temporary name: a crash in between may leave it without a moov.
 */
#ifndef VSM_MEDIA_VR_BOXES_WRITE_H
#define VSM_MEDIA_VR_BOXES_WRITE_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/view.h"

#include <stdbool.h>
#include <stddef.h>

/* Largest moov that is rewritten; it is held twice in memory. 30 bytes a packet: enough for 100 hours. */
#define VSM_VR_BOXES_MAX_MOOV ((size_t)512 << 20)

enum vsm_vr_boxes_kind { VSM_VR_BOXES_NONE, VSM_VR_BOXES_SV3D, VSM_VR_BOXES_APMP };

/* kind: not NONE. right_left has no sv3d code for top-bottom pictures: then st3d is left out, as a false one
 * would be worse. Rewrites and fsyncs the file. VSM_E_INPUT if it is not such a file or is fragmented,
 * VSM_E_OUTPUT. */
int vsm_vr_boxes_write(const char *path, enum vsm_vr_boxes_kind kind, enum vsm_layout layout,
                       bool right_left) VSM_NODISCARD;

/* The same for a moov box in memory: appends the new box to `out`. */
int vsm_vr_boxes_write_moov(const void *moov, size_t size, enum vsm_vr_boxes_kind kind,
                            enum vsm_layout layout, bool right_left, struct vsm_bytes_out *out) VSM_NODISCARD;

#endif
